"""What a user stops goes on later; what goes wrong in a cell is shown and does not end the run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from trouble import gone

from benchmarks.cells import ROOT

HERE = Path(__file__).parent


@pytest.fixture
def suite(results, tmp_path):
    """Start the suite with `trouble.py` in a process group of its own."""
    running = []

    def start(recipes, *arguments, hangup=signal.SIG_DFL):
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}",
            "TROUBLE": recipes,
            "TROUBLE_HANGS": str(tmp_path / "hangs"),
        }
        before = signal.signal(signal.SIGHUP, hangup)  # a process inherits what is ignored
        process = subprocess.Popen(
            [sys.executable, str(HERE / "trouble.py"), "run", "--only", "trouble", *arguments]
            + ["--results", str(results), "--jobs", "1"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        signal.signal(signal.SIGHUP, before)
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def wait_for(path):
    end = time.monotonic() + 120
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.05)
    return int(path.read_text())


def rows(results):
    table = pd.read_csv(results / "trouble.csv", keep_default_na=False)
    return dict(zip(table["seed"], table["status"], strict=True))


def stop(process, how):
    """Stop a run as a terminal, a system that shuts down, or a lack of memory does."""
    signals = {"Ctrl-C": signal.SIGINT, "a closed terminal": signal.SIGHUP}
    if how in signals:
        os.killpg(process.pid, signals[how])
    else:
        process.send_signal(signal.SIGTERM if how == "a polite end" else signal.SIGKILL)


def test_a_run_stopped_in_the_middle_of_a_cell_goes_on_from_there(suite, results, tmp_path):
    ways = ["a kill", "Ctrl-C", "a polite end", "a closed terminal"]
    for done, how in enumerate(ways, 1):
        (tmp_path / "hangs").unlink(missing_ok=True)
        process = suite("ok " * done + "hang ok")
        worker = wait_for(tmp_path / "hangs")
        stop(process, how)
        out, errors = process.communicate(timeout=120)
        assert "Traceback" not in errors, errors
        assert gone(worker, 8), how
        assert errors.count("stopping ...") == (how != "a kill")
        if how != "a kill":
            assert process.returncode == 130
            assert "Finished rows are kept; the same command goes on from there" in out
            assert rows(results) == dict.fromkeys(range(done), "ok")
            assert not list((results / ".journal").glob("*.jsonl"))

    process = suite("ok ok ok ok ok")
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, out + errors
    assert "1 cell to measure, 4 current" in " ".join(out.split())
    assert rows(results) == dict.fromkeys(range(5), "ok")


def test_a_run_that_ignores_the_end_of_its_terminal_goes_on(suite, results, tmp_path):
    process = suite("slow slow", hangup=signal.SIG_IGN)  # as by nohup
    wait_for(results / ".holder.lock")
    stop(process, "a closed terminal")
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, out + errors
    assert rows(results) == {0: "ok", 1: "ok"}


def test_a_second_signal_does_not_cut_the_end_of_a_stopped_run(suite, results, tmp_path):
    process = suite("ok hang ok")
    worker = wait_for(tmp_path / "hangs")
    for how in ("Ctrl-C", "Ctrl-C", "a polite end"):
        stop(process, how)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and errors.count("stopping ...") == 1, out + errors
    assert gone(worker, 8) and "Traceback" not in errors
    assert "Finished rows are kept; the same command goes on from there" in out
    assert rows(results) == {0: "ok"}
    assert not list((results / ".journal").glob("*.jsonl"))


def test_cells_that_go_wrong_are_shown_and_the_exit_status_says_so(suite, results):
    process = suite("ok fail crash diverge ok")
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 1, out + errors
    assert "Traceback" not in errors
    assert "failed: trouble" in out
    assert "it went wrong" in out
    for status in ("failed", "crashed", "diverged"):
        assert f"1 cells {status}" in out
    assert rows(results) == {0: "ok", 1: "failed", 2: "crashed", 3: "diverged", 4: "ok"}
