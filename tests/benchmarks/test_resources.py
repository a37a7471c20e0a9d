"""As many processes measure as the machine, or the container, has cores and memory for."""

import os

import pytest

from benchmarks import resources


@pytest.fixture
def container(tmp_path, monkeypatch):
    """Set a limit of the container that this process seems to be in."""
    monkeypatch.setattr(resources, "CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8), raising=False)
    monkeypatch.setattr(os, "sysconf", lambda name: 4096 if "SIZE" in name else 64 * 2**18)

    def limit(name, text):
        (tmp_path / name).write_text(text)

    return limit


def test_without_limits_it_is_one_a_core(container):
    assert (resources.cores(), resources.memory_gib(), resources.jobs()) == (8, 64.0, 8)


@pytest.mark.parametrize(
    ("text", "cores"), [("200000 100000\n", 2), ("50000 100000", 1), ("max 100000", 8)]
)
def test_a_container_s_share_of_the_processor_counts(container, text, cores):
    container("cpu.max", text)
    assert resources.cores() == resources.jobs() == cores


@pytest.mark.parametrize(("gib", "jobs"), [(4, 2), (1, 1), (12, 8), (100, 8)])
def test_no_more_processes_than_the_memory_holds(container, gib, jobs):
    container("memory.max", f"{gib * 2**30}\n")
    assert resources.jobs() == jobs
    assert resources.memory_gib() == min(gib, 64)


def test_a_container_may_name_no_limit(container):
    container("memory.max", "max\n")
    assert resources.memory_gib() == 64.0
