"""How long a timing session goes on, and what memory its processes have."""

import os
import platform
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks import latency, networks, stats
from benchmarks.cells import Selection
from benchmarks.evaluation import BASELINE, TimingFailed, evaluate
from benchmarks.fresh import KEEPING, ProcessDied, keeping_memory
from benchmarks.latency import BUILDS, PROCESSES, Latency
from benchmarks.networks import Networks
from benchmarks.session import Session, SessionDied
from benchmarks.stats import SAME
from benchmarks.timing import Record, Timing

SE = ("se", "")


ENDS = ("ratio", "floor_low", "floor_high")


def noisy(session, slower=1.2):
    """Records whose second copy is slower after every second build."""
    records = []
    for build in range(session.builds):
        times = [0.01] * session.rounds
        copy = [0.01 * (slower if build % 2 else 1.0)] * session.rounds
        lists = [times, copy, *([times] * (len(session.arms) - 2))]
        records.append(Record([Timing(list(s), 1, busy=list(s)) for s in lists], []))
    return records


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_session_goes_on_while_its_floor_is_wide(monkeypatch, device):
    sessions = []
    monkeypatch.setattr(latency, "in_fresh_process", lambda s: sessions.append(s) or noisy(s))
    session = Session("resnet18", (BASELINE, BASELINE, SE), device=device, builds=BUILDS, rounds=2)
    records = latency.until_settled(session, "wall")
    most = latency.MOST_PROCESSES[device]
    assert (most > PROCESSES) == (device == "cpu")
    assert len(records) == most * BUILDS
    assert len({s.seed for s in sessions}) == len(sessions) == most


def test_a_session_ends_as_soon_as_its_floor_is_small(monkeypatch):
    asked = []

    def answer(session):
        asked.append(session)
        steady = [Timing([0.01] * 2, 1, busy=[0.01] * 2) for _ in session.arms]
        late = len(asked) > PROCESSES
        return [Record(steady, [])] * (200 if late else 0) + noisy(replace(session, builds=2))

    monkeypatch.setattr(latency, "in_fresh_process", answer)
    latency.until_settled(Session("resnet18", (BASELINE, BASELINE, SE)), "thread")
    assert len(asked) == PROCESSES + 1


def test_what_is_measured_stays_when_an_added_process_dies(monkeypatch):
    sessions = []

    def answer(session):
        sessions.append(session)
        if len(sessions) > PROCESSES + 1:
            raise SessionDied("no memory", None)
        return noisy(session)

    monkeypatch.setattr(latency, "in_fresh_process", answer)
    session = Session("resnet18", (BASELINE, BASELINE, SE), builds=BUILDS, rounds=2)
    assert len(latency.until_settled(session, "wall")) == (PROCESSES + 1) * BUILDS
    sessions.clear()
    monkeypatch.setattr(latency, "PROCESSES", PROCESSES + 2)
    with pytest.raises(TimingFailed, match="no memory"):
        latency.run_session(session, latency.PROCESSES)


def skewed(rng):
    """Mostly a good place in memory, sometimes one that is slower."""
    return rng.exponential(0.012)


@pytest.mark.parametrize("draw", [lambda rng: rng.normal(0.0, 0.012), skewed])
@pytest.mark.parametrize("truth", [1.0, 1.03])
def test_going_on_for_the_copies_leaves_the_interval_of_an_arm_honest(monkeypatch, draw, truth):
    """Simulated sessions whose builds vary by 1.2 %: how often the interval holds the truth, and
    how often a copy is called slower or faster or 3 % is not found."""
    rng = np.random.default_rng(0)

    def answer(session):
        records = []
        for _ in range(BUILDS):
            times = [0.01 * factor * np.exp(draw(rng)) for factor in (1.0, 1.0, truth)]
            records.append(Record([Timing([t], 1, busy=[t]) for t in map(float, times)], []))
        return records

    monkeypatch.setattr(latency, "in_fresh_process", answer)
    session = Session("resnet18", (BASELINE, BASELINE, SE), builds=BUILDS, rounds=1)
    held, wrong, went_on, n = 0, 0, 0, 300
    for _ in range(n):
        records = latency.until_settled(session, "thread")
        row: Any = evaluate((BASELINE, BASELINE, SE), records, "thread")[SE]
        held += row["ratio_low"] <= truth <= row["ratio_high"]
        wrong += row["verdict"] != (SAME if truth == 1.0 else "slower")
        went_on += row["builds"] > PROCESSES * BUILDS
    assert went_on > n / 4  # or the rule was not at work
    assert held >= 0.91 * n
    assert wrong <= (0.01 if truth == 1.0 else 0.10) * n


def test_an_arm_ends_no_session_by_its_result():
    records = [
        Record([Timing([s] * 4, 1, busy=[s] * 4) for s in (0.01, 0.01, 0.01 * (1 + i % 3))], [])
        for i in range(12)
    ]
    assert latency.settled(records, "thread")
    shuffled = [replace(r, timings=[r.timings[i] for i in (0, 2, 1)]) for r in records]
    assert not latency.settled(shuffled, "thread")


def test_processes_keep_their_memory_but_for_what_the_user_has_set(monkeypatch):
    monkeypatch.setenv("MALLOC_TOP_PAD_", "4096")
    monkeypatch.delenv("MALLOC_MMAP_MAX_", raising=False)
    seen = []
    before = dict(os.environ)
    monkeypatch.setattr(
        latency, "in_fresh_process", lambda s: seen.append(dict(os.environ)) or noisy(s)
    )
    cell = next(Latency().cells(Selection("quick", backbones=("resnet18",))))
    values: dict[str, Any] = Latency().measure(cell)
    assert all(s["MALLOC_MMAP_MAX_"] == "0" and s["MALLOC_TOP_PAD_"] == "4096" for s in seen)
    assert "MALLOC_MMAP_MAX_=0; MALLOC_TOP_PAD_=4096" in values["malloc"]
    assert dict(os.environ) == before


def test_a_session_of_a_gpu_has_the_memory_and_the_protocol_that_its_rows_have(monkeypatch):
    """Rows of a GPU were measured before sessions went on; a lent one is not there to repeat it."""
    seen = []
    for name in KEEPING:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        latency, "in_fresh_process", lambda s: seen.append((s.rounds, *os.environ)) or noisy(s)
    )
    monkeypatch.setattr(latency, "require_precision", lambda device, precision: None)
    cell = next(Latency().cells(Selection("gpu", backbones=("resnet18",), device="cuda")))
    Latency().measure(cell)
    assert len(seen) == PROCESSES and all(rounds == 8 for rounds, *_ in seen)
    assert not set(KEEPING) & {name for _, *names in seen for name in names}
    protocol, _ = Latency().configuration(cell)
    assert protocol == (8, 3, 4, stats.VERDICT_RULE)


def test_whole_networks_are_timed_with_memory_kept(monkeypatch):
    for name in KEEPING:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(networks, "run_session", lambda s, n: noisy(s) * 2)
    cell = next(Networks().cells(Selection("cpu")))
    assert all(name in Networks().measure(cell)["malloc"] for name in KEEPING)


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_whole_networks_go_on_until_they_are_quiet(monkeypatch, mode):
    """Copies that differ by 3 % from build to build: three processes are too few, ten enough."""
    asked = []

    def answer(session, processes):
        asked.append(session)
        return noisy(replace(session, builds=networks.BUILDS), slower=1.03) * processes

    monkeypatch.setattr(networks, "run_session", answer)
    monkeypatch.setattr(
        networks, "in_fresh_process", lambda _, session, seed, threads: answer(session, 1)
    )
    session = Session("resnet50", (BASELINE, BASELINE, SE), builds=networks.BUILDS, rounds=2)
    records = networks.until_quiet(mode, session, "thread")
    copies: Any = evaluate((BASELINE, BASELINE), records, "thread")[BASELINE]
    floor = stats.Interval(copies["ratio"], copies["floor_low"], copies["floor_high"])
    assert stats.floor_of(floor) <= networks.FLOOR
    few = evaluate((BASELINE, BASELINE), records[: 2 * networks.PROCESSES], "thread")[BASELINE]
    assert stats.floor_of(stats.Interval(*(few[k] for k in ENDS))) > networks.FLOOR
    assert len({s.seed for s in asked}) == (len(asked) if mode == "inference" else len(asked) - 2)
    monkeypatch.setattr(networks, "FLOOR", 0.0)
    records = networks.until_quiet(mode, session, "thread")
    assert len(records) == networks.BUILDS * networks.MOST_PROCESSES

    def dying(session, processes):
        if session.seed:
            raise TimingFailed("gone") if mode == "inference" else ProcessDied("gone")
        return answer(session, processes)

    monkeypatch.setattr(networks, "run_session", dying)
    monkeypatch.setattr(networks, "in_fresh_process", lambda _, s, seed, threads: dying(s, 1))
    kept = networks.until_quiet(mode, session, "thread")
    assert len(kept) == networks.BUILDS * networks.PROCESSES


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc reads these variables")
def test_a_process_that_keeps_its_memory_has_no_page_faults_in_a_second_round(monkeypatch):
    for name in [*os.environ]:
        if name.startswith("MALLOC_") or name in ("GLIBC_TUNABLES", "LD_PRELOAD"):
            monkeypatch.delenv(name)
    code = (
        "import resource\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "def work(): [bytearray(n) for n in (100_000, 900_000, 500_000, 1_000_000)]\n"
        "work(); begun = faults(); work(); print(faults() - begun)\n"
    )

    def second_round():
        command = [sys.executable, "-c", code]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    with keeping_memory():
        kept = second_round()
    assert second_round() > 5 * max(kept, 20)
