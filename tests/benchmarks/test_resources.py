"""As many processes measure as the machine, or the container, has cores and memory for."""

import os

import pytest

from benchmarks import resources


@pytest.fixture
def container(tmp_path, monkeypatch):
    """Set a limit of the container that this process seems to be in, or of a group in it."""
    own = tmp_path / "own"
    own.write_text("1:cpu:/of/version/one\n0::/outer/inner\n")
    monkeypatch.setattr(resources, "CGROUP", tmp_path)
    monkeypatch.setattr(resources, "OWN_GROUP", own)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8), raising=False)
    monkeypatch.setattr(os, "sysconf", lambda name: 4096 if "SIZE" in name else 64 * 2**18)

    def limit(name, text, group="."):
        (tmp_path / group).mkdir(parents=True, exist_ok=True)
        (tmp_path / group / name).write_text(text)

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


@pytest.mark.parametrize("group", [".", "outer", "outer/inner"])
def test_the_tightest_of_the_groups_around_a_process_counts(container, group):
    container("cpu.max", "700000 100000", ".")
    container("memory.max", f"{60 * 2**30}", "outer")
    container("cpu.max", "300000 100000", group)
    container("memory.max", f"{3 * 2**30}", group)
    assert (resources.cores(), resources.memory_gib(), resources.jobs()) == (3, 3.0, 2)


def test_limits_of_the_first_version_count_too(container, tmp_path):
    (tmp_path / "own").write_text("7:cpuacct,cpu:/job\n3:memory:/job/step\n1:name=systemd:/\n")
    container("cpu.cfs_quota_us", "-1\n", "cpu")
    container("cpu.cfs_period_us", "100000\n", "cpu")
    container("memory.limit_in_bytes", "9223372036854771712\n", "memory")
    assert (resources.cores(), resources.memory_gib()) == (8, 64.0)
    container("cpu.cfs_quota_us", "300000\n", "cpu/job")
    container("cpu.cfs_period_us", "100000\n", "cpu/job")
    container("memory.limit_in_bytes", f"{3 * 2**30}\n", "memory/job")
    assert (resources.cores(), resources.memory_gib(), resources.jobs()) == (3, 3.0, 2)


def test_where_the_memory_cannot_be_asked_it_is_a_few_processes(container, monkeypatch):
    def unknown(name):
        raise ValueError(name)

    monkeypatch.setattr(os, "sysconf", unknown)
    assert (resources.cores(), resources.memory_gib(), resources.jobs()) == (8, None, 4)


def test_where_no_group_can_be_asked_the_machine_counts(container, tmp_path):
    container("cpu.max", "100000 100000")
    (tmp_path / "own").unlink()
    assert (resources.cores(), resources.memory_gib()) == (8, 64.0)
