"""The process in which timing runs: what ends it, what it outlives, and that it is the only one."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from benchmarks import latency
from benchmarks.evaluation import BASELINE, TimingFailed
from benchmarks.latency import TimingBusy, one_timing_job, run_session
from benchmarks.session import Session, SessionDied

ROOT = Path(__file__).resolve().parents[2]
SE = ("se", "")


def test_a_session_in_a_fresh_process_measures_what_it_can(tmp_path, monkeypatch):
    (tmp_path / "gates.py").write_text(
        "import os, torch\n"
        "print('noise on standard output')\n"
        "class Broken(torch.nn.Module):\n"
        "    def __init__(self, channels):\n"
        "        raise RuntimeError('broken gate')\n"
        "class Threads(torch.nn.Identity):\n"
        "    def forward(self, x):\n"
        "        raise RuntimeError(f'{torch.get_num_threads()} {torch.is_inference_mode_enabled()}"
        " {self.training}')\n"
        "class Deadly(torch.nn.Identity):\n"
        "    def forward(self, x):\n"
        "        os.abort()\n"
    )
    monkeypatch.chdir(tmp_path)
    arms = (BASELINE, BASELINE, ("gates:Broken", ""), ("gates:Threads", ""), ("se", "reduction=8"))
    arms += (("gates:Deadly", ""),)
    session = Session("resnet18", arms, image_size=32, builds=2, rounds=2)
    records = run_session(session, processes=1)
    assert len(records) == 2
    for record in records:
        assert [len(t.seconds) for t in record.timings] == [2, 2, 0, 0, 2, 0]
        for timing in record.timings:
            pairs = zip(timing.busy, timing.seconds, strict=True)
            assert all(0 < busy < 1.01 * seconds for busy, seconds in pairs)
        assert "broken gate" in record.timings[2].error
        assert record.timings[3].error == "RuntimeError: 1 True False"
        assert "was ended by signal SIGABRT" in record.timings[5].error
        assert all(sorted(order) == [0, 1, 4] for order in record.order)


@pytest.mark.parametrize("arm", [None, 0, 1])
def test_a_process_that_ends_without_a_culprit_fails_the_session(monkeypatch, arm):
    def dies(session):
        raise SessionDied("ended", arm)

    monkeypatch.setattr(latency, "in_fresh_process", dies)
    with pytest.raises(TimingFailed, match="ended"):
        run_session(Session("resnet18", (BASELINE, BASELINE, SE)))


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_interrupting_the_parent_ends_the_timing_process(end):
    code = (
        "import signal, subprocess\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from benchmarks import session\n"
        "class Popen(subprocess.Popen):\n"
        "    def __init__(self, *args, **kwargs):\n"
        "        super().__init__(*args, **kwargs)\n"
        "        print(self.pid, flush=True)\n"
        "subprocess.Popen = Popen\n"
        "arms = (('none', ''),) * 2\n"
        "session.in_fresh_process(session.Session('resnet18', arms, rounds=10**6))\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with parent:
        child = int(parent.stdout.readline())
        time.sleep(0.5)
        parent.send_signal(end)
        parent.wait(20)
    deadline = time.monotonic() + 20
    while _runs(child):
        assert time.monotonic() < deadline, "the timing process outlived its parent"
        time.sleep(0.1)


def _runs(pid):
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


HOLD = """
import sys, time
from pathlib import Path
from benchmarks.latency import one_timing_job
with one_timing_job(0.1, Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_timing_job_of_another_process_is_waited_for(tmp_path, capsys):
    path = tmp_path / "timing.lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(TimingBusy, match="two at a time"), one_timing_job(0.1, path):
            pytest.fail("two timing jobs at once")
        assert f"waiting for the timing job that holds {path}" in capsys.readouterr().err
        closing = threading.Timer(0.3, other.stdin.close)
        closing.start()
        with one_timing_job(20, path):
            assert other.wait(20) == 0
        closing.join()


def test_a_second_timing_job_waits_with_a_message_then_refuses(tmp_path, capsys):
    path = tmp_path / "timing.lock"
    with FileLock(path, is_singleton=False):
        with pytest.raises(TimingBusy, match="run this again"), one_timing_job(0.1, path):
            pytest.fail("two timing jobs at once")
        assert f"waiting for the timing job that holds {path}" in capsys.readouterr().err
    with one_timing_job(0.1, path):
        pass
    assert capsys.readouterr().err == ""


def test_every_account_of_a_machine_can_hold_the_lock(lock_folder):
    for _ in range(2):
        with one_timing_job(0.1):
            lock = lock_folder / "attn-bench" / "timing.lock"
            assert lock.stat().st_mode & 0o666 == 0o666
            assert lock.parent.stat().st_mode & 0o1777 == 0o777


def test_a_lock_that_cannot_be_opened_is_named(tmp_path):
    path = tmp_path / "timing.lock"
    path.mkdir()
    with pytest.raises(TimingBusy, match=r"timing\.lock"), one_timing_job(0.1, path):
        pytest.fail("no lock was held")
