"""Whatever becomes of one cell, the others are measured, and no process is left behind."""

import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import psutil
import pytest
from trouble import TROUBLE, Trouble, cell, gone

from benchmarks import engine
from benchmarks.cells import ROOT
from benchmarks.fresh import ProcessDied

HERE = Path(__file__).parent


class Exclusive(Trouble):
    """Trouble that is timed: nothing beside it."""

    name = ""
    exclusive = True


class Rounds(Trouble):
    """Trouble that says itself where a GPU may round."""

    name = ""
    rounds_fp32 = True


def no_note(cells):
    pass


def measured(groups, jobs=1, benchmark=TROUBLE, started=no_note):
    return list(engine.measure(benchmark, groups, jobs, started))


def children():
    return {process.pid for process in psutil.Process().children(recursive=True)} - TRACKER


TRACKER = set()


@pytest.fixture(scope="module", autouse=True)
def tracker():
    """Python keeps one helper process for all spawned ones; it is not a worker."""
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()
    TRACKER.add(resource_tracker._resource_tracker._pid)


@pytest.fixture(autouse=True)
def nothing_left_behind():
    before = children()
    yield
    assert children() == before


def test_values_come_back_as_they_were_measured():
    (finished,) = measured([[cell("ok", 5)]])
    assert finished.cell == cell("ok", 5)
    assert (finished.status, finished.reason) == ("ok", "")
    pid = finished.values.pop("pid")
    assert finished.values == {"third": 5 / 3, "count": 2**60 + 5, "even": False, "word": "ok"}
    assert pid != os.getpid()
    assert 0 <= finished.seconds < 5


def test_each_trouble_has_its_status_and_the_rest_goes_on():
    recipes = ["fail", "ok", "diverge", "crash", "ok", "nothing", "exit", "unpicklable", "ok"]
    cells = [cell(recipe, seed) for seed, recipe in enumerate(recipes)]
    found = {finished.cell: finished for finished in measured([[c] for c in cells], jobs=2)}
    assert set(found) == set(cells)
    status = [found[c].status for c in cells]
    assert status == [
        "failed",
        "ok",
        "diverged",
        "crashed",
        "ok",
        "failed",
        "crashed",
        "crashed",
        "ok",
    ]
    assert found[cells[0]].reason == "RuntimeError: it went wrong, 'badly', \"twice\""
    assert found[cells[0]].values == {}
    assert found[cells[2]].reason == "the loss is nan\rin epoch 2"
    assert found[cells[2]].values == {"third": 0.1, "count": 2}
    assert "SIGSEGV" in found[cells[3]].reason
    assert "None" in found[cells[5]].reason
    assert "its process ended with code 3" in found[cells[6]].reason


def test_what_runs_out_of_memory_has_crashed():
    (found,) = measured([[cell("memory")]])
    assert (found.status, found.reason) == ("crashed", "MemoryError: no more")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ProcessDied("it was ended by signal SIGKILL"), "crashed"),
        (OSError(errno.ENOSPC, "No space left on device"), "crashed"),
        (OSError(errno.ENOENT, "No such file"), "failed"),
        (RuntimeError("OutOfMemoryError: CUDA out of memory"), "crashed"),  # of a fresh process
        (RuntimeError("the bare backbone can't be timed: MemoryError: no"), "crashed"),
        (RuntimeError("no"), "failed"),
    ],
)
def test_what_may_be_the_doing_of_the_machine_is_no_finding(error, status):
    found = engine._finished(cell("ok"), error, 1.0)
    assert found.status == status
    assert ("for want of memory" in found.reason) == ("SIGKILL" in str(error))


@pytest.mark.parametrize(
    ("home", "shown"),
    [("/", "a / b, /accounts/me/x"), ("/accounts/me", "a / b, ~/x"), (None, None)],
)
def test_a_reason_names_no_home_and_stays_as_it_is(monkeypatch, home, shown):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(engine.Path, "home", no_home if home is None else lambda: Path(home))
    text = "a / b, /accounts/me/x"
    assert engine._public(text) == (shown or text)


def test_a_reason_names_no_home_of_windows_either(monkeypatch):
    class Home(str):
        parts = ("C:", "Users", "me")

    monkeypatch.setattr(engine.Path, "home", lambda: Home(r"C:\Users\me"))
    said = r"[WinError 2] not found: 'C:\\Users\\me\\x', C:\Users\me\y"
    assert engine._public(said) == r"[WinError 2] not found: '~\\x', ~\y"


@pytest.mark.parametrize(("device", "processes"), [("cpu", 1), ("cuda", 2)])
def test_after_a_failure_on_a_gpu_the_next_cell_has_a_new_process(device, processes):
    cells = [replace(cell(r, seed), device=device) for seed, r in enumerate(["ok", "fail", "ok"])]
    found = measured([[c] for c in cells])
    assert [f.status for f in found] == ["ok", "failed", "ok"]
    assert len({found[i].values["pid"] for i in (0, 2)}) == processes


def test_a_crash_takes_only_the_cells_of_its_group_that_were_not_back():
    group = [cell("ok", 0, "g"), cell("crash", 1, "g"), cell("ok", 2, "g")]
    found = measured([group, [cell("ok", 3)]])
    assert [(f.cell.seed, f.status) for f in found] == [
        (0, "ok"),
        (1, "crashed"),
        (2, "crashed"),
        (3, "ok"),
    ]


def test_a_failure_takes_only_its_own_cell_of_a_group():
    group = [cell("ok", 0, "g"), cell("fail", 1, "g"), cell("ok", 2, "g")]
    assert [f.status for f in measured([group])] == ["ok", "failed", "ok"]


def test_a_group_stays_in_one_process_and_order_is_kept():
    group = [cell("ok", seed, "g") for seed in range(4)]
    found = measured([group, [cell("ok", 9)]])
    assert [f.cell for f in found] == [*group, cell("ok", 9)]
    assert len({f.values["pid"] for f in found}) == 1


def test_cells_that_are_timed_together_share_their_time_evenly():
    benchmark = Exclusive()
    group = [cell("slow", 0, "g"), cell("ok", 1, "g"), cell("fail", 2, "g"), cell("ok", 3, "g")]
    found = measured([group], benchmark=benchmark)
    assert [f.status for f in found] == ["ok", "ok", "failed", "ok"]
    (seconds,) = {f.seconds for f in found}
    assert 0.25 <= seconds < 10, "a quarter of a second that one of them sleeps, and some start"


class Forgetful(Trouble):
    """Gives the first cell of a group and says nothing of the others."""

    name = ""

    def measure_group(self, cells):
        yield cells[0], self.measure(cells[0])


def test_a_cell_that_nothing_came_of_failed():
    groups = [[cell("ok", seed, "g") for seed in range(3)], [cell("ok", 9)]]
    found = measured(groups, benchmark=Forgetful())
    assert [(f.cell.seed, f.status) for f in found] == [
        (0, "ok"),
        (1, "failed"),
        (2, "failed"),
        (9, "ok"),
    ]
    assert found[1].reason == "the measurement gave nothing for this cell"


def test_jobs_run_side_by_side(tmp_path, monkeypatch):
    """Each of two cells ends once the other has begun: one after the other they would fail."""
    monkeypatch.setenv("TROUBLE_MEETS", str(tmp_path))
    begun = []
    found = measured([[cell("meet", seed)] for seed in range(2)], 2, started=begun.extend)
    assert [f.status for f in found] == ["ok", "ok"], [f.reason for f in found]
    assert len({f.values["pid"] for f in found}) == 2
    assert [c.seed for c in begun] == [0, 1]


def test_what_takes_too_long_is_stopped():
    benchmark = Trouble()
    benchmark.limit_seconds = 1.0
    results = engine.measure(benchmark, [[cell("hang")] * 2, [cell("ok", 1)]], 1, no_note)
    first = next(results)
    benchmark.limit_seconds = 60.0
    found = [first, *results]
    assert [(f.cell.seed, f.status) for f in found] == [(0, "timeout"), (0, "timeout"), (1, "ok")]
    assert "2 s" in first.reason  # one second for each cell of the group
    assert 2.0 <= first.seconds < 10


def test_the_wait_for_another_timing_job_is_not_in_the_limit(monkeypatch):
    """Else what waits its half hour is stopped, and its row replaces a good one."""
    worker = SimpleNamespace(connection=Mock())
    for exclusive, wait in ((False, 0), (True, engine.LOCK_WAIT_S)):
        monkeypatch.setattr(TROUBLE, "exclusive", exclusive)
        engine._give(worker, TROUBLE, [cell("ok"), cell("ok", 1)])
        assert worker.limit == wait + 2 * TROUBLE.limit_seconds


def test_closing_ends_the_workers():
    results = engine.measure(TROUBLE, [[cell("ok", 0)], [cell("hang", 1)]], 2, no_note)
    assert next(results).status == "ok"
    assert len(children()) == 2
    begin = time.monotonic()
    results.close()
    assert not children()
    assert time.monotonic() - begin < 60, "the sleep of ten minutes was not waited for"


def test_an_error_of_the_caller_ends_the_workers():
    def started(cells):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured([[cell("hang", 0)], [cell("hang", 1)]], jobs=2, started=started)
    assert not children()


def test_a_worker_that_was_killed_while_idle_is_replaced():
    results = engine.measure(
        TROUBLE, [[cell("ok", 0)], [cell("ok", 1)], [cell("ok", 2)]], 1, no_note
    )
    first = next(results)
    time.sleep(1)  # its "none left" is on its way
    os.kill(first.values["pid"], signal.SIGKILL)
    if hasattr(os, "waitid"):
        # All its threads have ended; a zombie whose threads have not still counts as alive.
        os.waitid(os.P_PID, first.values["pid"], os.WEXITED | os.WNOWAIT)
    else:
        time.sleep(1)
    assert [(f.cell.seed, f.status) for f in results] == [(1, "ok"), (2, "ok")]


def test_workers_leave_ctrl_c_to_their_parent():
    results = engine.measure(TROUBLE, [[cell("ok", 0, "g"), cell("slow", 1, "g")]], 1, no_note)
    os.kill(next(results).values["pid"], signal.SIGINT)
    assert [finished.status for finished in results] == ["ok"]


@pytest.mark.parametrize(("benchmark", "niceness"), [(TROUBLE, engine.NICENESS), (Exclusive(), 0)])
def test_what_is_not_timed_gives_way_to_other_work(benchmark, niceness):
    results = engine.measure(benchmark, [[cell("ok", 0)], [cell("hang", 1)]], 1, no_note)
    worker = next(results).values["pid"]
    assert psutil.Process(worker).nice() == min(psutil.Process().nice() + niceness, 19)
    group = Path(f"/proc/{worker}/autogroup")
    if niceness and group.exists():
        assert group.read_text().endswith(f" nice {niceness}\n")
        assert group.read_text() != Path("/proc/self/autogroup").read_text()
    results.close()


def test_no_cells_start_no_process():
    assert measured([], jobs=4) == []


def test_workers_leave_when_their_parent_is_killed(tmp_path):
    code = (
        "from trouble import TROUBLE, cell; from benchmarks import engine\n"
        "groups = [[cell('hang', 0)], [cell('hang', 1)]]\n"
        "list(engine.measure(TROUBLE, groups, 2, lambda cells: None))"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}"}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment)
    try:
        workers = []
        end = time.monotonic() + 30
        while len(workers) < 2 and time.monotonic() < end:
            time.sleep(0.1)
            found = psutil.Process(parent.pid).children()
            workers = [p.pid for p in found if "spawn_main" in " ".join(p.cmdline())]
        assert len(workers) == 2
        time.sleep(1.5)  # they are at work
    finally:
        parent.kill()
        parent.wait()
    assert all(gone(pid, 30.0) for pid in workers)


@pytest.mark.parametrize(("benchmark", "override"), [(Trouble, "0"), (Rounds, "unset")])
def test_fp32_is_rounded_on_a_gpu_only_where_a_benchmark_says_so(benchmark, override, monkeypatch):
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    (finished,) = measured([[cell("tf32")]], benchmark=benchmark())
    assert finished.values["word"] == override
