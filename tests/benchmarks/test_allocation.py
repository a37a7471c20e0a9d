"""What memory allocation costs: the cells, the measurement, and the page."""

import os
import platform
import random
from contextlib import contextmanager

import numpy as np
import pytest
import trial
from rendered import lines

from benchmarks import allocation, latency, stats
from benchmarks.allocation import MODULES, PROCESSES, ROUNDS, WITH_MODULES, Allocation, Sample
from benchmarks.cells import Cell, Selection
from benchmarks.site import allocation as page
from benchmarks.store import Store

RATIOS = np.array([0.99, 1.0, 1.0, 1.01])
"""Of the pairs of processes of a made-up row, over its ratio."""

BARE = Cell("allocation", "resnet10_small", image_size=28, batch_size=32, threads=1)
only_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="settings of glibc")


def test_every_backbone_is_timed_bare_and_two_with_modules():
    cells = list(Allocation().cells(Selection("cpu")))
    assert [c.backbone for c in cells if c.module == "none"] == list(latency.BACKBONES)
    gated = [(c.backbone, c.module) for c in cells if c.module != "none"]
    assert sorted(gated) == sorted((b, m) for b in WITH_MODULES for m in MODULES)
    assert BARE in cells
    chosen = Selection("cpu", modules=(("eca", "kernel_size=3"),), backbones=("resnet18",))
    names = [(c.backbone, c.arm) for c in Allocation().cells(chosen)]
    assert names == [("resnet18", "none"), ("resnet18", "eca kernel_size=3")]
    assert not list(Allocation().cells(Selection("quick")))


def unset(monkeypatch):
    """An environment that sets nothing of malloc."""
    for name in [*os.environ]:
        if name.startswith("MALLOC_") or name in ("GLIBC_TUNABLES", "LD_PRELOAD"):
            monkeypatch.delenv(name)


@pytest.fixture
def fake(monkeypatch):
    """Processes that take twice the time where memory is given back; what each did, in order."""
    done = []

    @contextmanager
    def process(cell, state):
        def run(function):
            done.append((function.__name__, state))
            return Sample(0.010, 3.0) if state == "kept" else Sample(0.020, 6000.0)

        done.append(("begin", state))
        yield run

    unset(monkeypatch)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(allocation, "_process", process)
    return done


def test_processes_of_both_kinds_take_turns(fake):
    values = Allocation().measure(BARE)
    assert [values[name] for name in ("ratio", "ratio_low", "ratio_high")] == pytest.approx([2] * 3)
    assert values["default_ms"] == pytest.approx(20) and values["kept_ms"] == pytest.approx(10)
    assert (values["default_faults"], values["kept_faults"]) == (6000, 3)
    assert set(values) == {column.name for column in Allocation.columns}
    assert values["ratios"] == " ".join(["2.0000"] * PROCESSES)
    assert "MALLOC_MMAP_MAX_" not in values["malloc"] and values["rounds"] == ROUNDS
    both = {"default", "kept"}
    steps = ["begin", "_warm_up"] + ["_sample"] * ROUNDS
    turns = [fake[i : i + 2] for i in range(0, len(fake), 2)]
    assert [[name for name, _ in turn] for turn in turns] == [[s, s] for s in steps] * PROCESSES
    assert all({state for _, state in turn} == both for turn in turns)
    assert {turn[0][1] for turn in turns if turn[0][0] == "_sample"} == both  # in random order


def test_an_interval_is_that_of_the_pairs_of_processes(fake, monkeypatch):
    """What the machine does to both processes of a pair is in neither the ratio nor its ends."""
    slower = iter([1.0, 2.0, 1.5, 3.0, 1.0, 1.2])

    def by_turns(cell, rng):
        beside = next(slower)
        return {state: [Sample(beside * ms, 0)] * 3 for state, ms in (("default", 3), ("kept", 2))}

    monkeypatch.setattr(allocation, "by_turns", by_turns)
    values = Allocation().measure(BARE)
    ends = [values[name] for name in ("ratio", "ratio_low", "ratio_high")]
    assert ends == pytest.approx([1.5] * 3)


def test_what_fails_says_why(fake, monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    with pytest.raises(RuntimeError, match="glibc 2.36 can't be .* MALLOC_ARENA_MAX=2 is set"):
        Allocation().measure(BARE)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    with pytest.raises(RuntimeError, match="settings of glibc"):
        Allocation().measure(BARE)


def test_a_network_that_can_not_be_built_says_why():
    cell = Cell("allocation", "resnet10_small", "eca", "kernel_size=4", image_size=28, threads=1)
    with pytest.raises(ValueError, match="kernel_size"):
        allocation.by_turns(cell, random.Random(0))


@only_glibc
def test_a_real_network_has_no_page_faults_where_memory_is_kept(monkeypatch):
    """By the defaults the maps of this one go back to the system after every forward pass."""
    cell = Cell("allocation", "mobilenetv2_100", image_size=224, batch_size=1, threads=1)
    unset(monkeypatch)
    monkeypatch.setattr(allocation, "ROUNDS", 4)
    before = dict(os.environ)
    found = allocation.by_turns(cell, random.Random(0))
    assert os.environ == before
    assert [len(samples) for samples in found.values()] == [4, 4]
    default, kept = ([s.faults for s in found[state]] for state in ("default", "kept"))
    assert min(default) > 100 > 20 > min(kept), "at most one sample of it is the first"
    assert min(sample.seconds for samples in found.values() for sample in samples) > 0


def add(store, backbone, times):
    """A row for each module, with an interval of a hundredth to both sides."""
    for module, (kept, default) in times.items():
        cell = Cell("allocation", backbone, module, image_size=224, batch_size=1, threads=1)
        ratio = default / kept
        values = {"kept_ms": kept, "default_ms": default, "default_faults": 6000.4}
        values |= {"ratio": ratio, "ratio_low": 0.99 * ratio, "ratio_high": 1.01 * ratio}
        values |= {"ratios": " ".join(map(str, RATIOS * ratio)), "processes": 4}
        values["kept_faults"] = 0
        if default == kept:
            values["default_faults"] = 0
        trial.append(store, cell, values)
    store.fold()


def test_where_no_price_is_told_apart_the_page_says_so(tmp_path):
    store = Store(tmp_path)
    add(store, "resnet18", {"none": (10.0, 20.0), "se": (11.0, 22.1)})
    assert page.facts(store)["allocation.prices"] == (
        "Does a module's ratio to the bare network depend on the C library's defaults? For none of "
        "1 pair of module and backbone can the ratio by the defaults be told from that with memory "
        "kept."
    )


def test_the_page_says_what_the_defaults_cost_and_where_a_price_depends_on_them(tmp_path):
    store = Store(tmp_path)
    assert "What memory allocation costs: not measured" in page.allocation(store)
    assert page.facts(store)["allocation.largest"] == "not measured"
    assert page.facts(store)["allocation.prices"].endswith("defaults: not measured.")
    add(store, "resnet18", {"none": (10.0, 20.0), "se": (11.0, 22.0), "cam": (14.0, 38.0)})
    add(store, "resnet10_small", {"none": (10.0, 10.0)})
    shown = lines(page.allocation(store))
    assert shown[1].startswith("resnet18 none 10.0 20.0 2.000 [1.980, 2.020] 6,000 0")
    names = [" ".join(line.split()[:2]) for line in shown]
    assert names == ["resnet10_small none", "resnet18 none", "resnet18 se", "resnet18 cam"]
    found = page.facts(store)
    assert found["allocation.largest"] == (
        "2.714 [2.687, 2.741] times for resnet18 with cam (6,000 page faults a forward pass)"
    )
    assert found["allocation.chance"] == (
        "1 network with at most 20 page faults a forward pass in either state shows what chance "
        "does: 1.000."
    )
    assert found["allocation.processes"] == "4"
    gap = stats.welch_interval(*np.log([RATIOS * 38 / 14, RATIOS * 2]), confidence=1 - 0.05 / 2)
    ends = " [{:.3f}, {:.3f}]".format(*np.exp([gap.low, gap.high]))
    assert found["allocation.prices"] == (
        "A module's ratio to the bare network can depend on the C library's defaults: of 2 pairs "
        "of module and backbone, 1 has another by the defaults than with memory kept: cam in "
        f"resnet18 1.357{ends} times that ratio (intervals that hold for all pairs together)."
    )
    assert "MALLOC_MMAP_MAX_=0" in found["allocation.variables"]
