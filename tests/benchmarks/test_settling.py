"""How long a timing session goes on, and what memory its processes have."""

import os
import platform
import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks import latency
from benchmarks.cells import Selection
from benchmarks.evaluation import BASELINE
from benchmarks.fresh import keeping_memory
from benchmarks.latency import BUILDS, PROCESSES, Latency
from benchmarks.session import Session
from benchmarks.timing import Record, Timing

SE = ("se", "")


def noisy(session):
    """Records whose second copy is slower after every second build."""
    records = []
    for build in range(session.builds):
        times = [0.01] * session.rounds
        slower = [0.01 * (1.2 if build % 2 else 1.0)] * session.rounds
        lists = [times, slower, *([times] * (len(session.arms) - 2))]
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


def test_an_arm_ends_no_session_by_its_result():
    records = [
        Record([Timing([s] * 4, 1, busy=[s] * 4) for s in (0.01, 0.01, 0.01 * (1 + i % 3))], [])
        for i in range(12)
    ]
    assert latency.settled(records, "thread")
    shuffled = [replace(r, timings=[r.timings[i] for i in (0, 2, 1)]) for r in records]
    assert not latency.settled(shuffled, "thread")


def test_processes_keep_their_memory_but_for_what_the_user_has_set(monkeypatch, tmp_path):
    monkeypatch.setenv("MALLOC_TOP_PAD_", "4096")
    monkeypatch.delenv("MALLOC_MMAP_MAX_", raising=False)
    seen = []
    before = dict(os.environ)
    monkeypatch.setattr(latency.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(
        latency, "in_fresh_process", lambda s: seen.append(dict(os.environ)) or noisy(s)
    )
    cell = next(Latency().cells(Selection("quick", backbones=("resnet18",))))
    values = Latency().measure(cell)
    assert all(s["MALLOC_MMAP_MAX_"] == "0" and s["MALLOC_TOP_PAD_"] == "4096" for s in seen)
    assert "MALLOC_MMAP_MAX_=0; MALLOC_TOP_PAD_=4096" in values["malloc"]
    assert dict(os.environ) == before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc reads these variables")
def test_a_process_that_keeps_its_memory_has_no_page_faults_in_a_second_round():
    code = (
        "import resource, numpy as np\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "def work(): [np.ones(n) for n in (300_000, 50_000, 700_000)]\n"
        "work(); begun = faults(); work(); print(faults() - begun)\n"
    )

    def second_round():
        command = [sys.executable, "-c", code]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    with keeping_memory():
        assert second_round() < 100
    assert second_round() > 1000
