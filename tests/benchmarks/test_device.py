"""Watching a GPU, with a fake one: what makes a round not count, and what becomes of it."""

import random
import subprocess
from types import SimpleNamespace

import pytest

from benchmarks.device import State, Watch, gpu_look, nvml_look, smi_look
from benchmarks.evaluation import BASELINE, TimingFailed, evaluate, gpu_columns
from benchmarks.timing import interleave

GOOD = State(1980)


def watch_of(*states):
    looks = iter(states)
    return Watch(lambda: next(looks))


def said(*states):
    watch = watch_of(*states)
    return [watch() for _ in states]


def test_a_steady_gpu_of_our_own_counts():
    idle, set_by_user = State(1980, reasons=0x01), State(1980, reasons=0x02)
    assert said(GOOD, GOOD, idle, set_by_user, State(1965), State(1980, processes=0)) == [""] * 6


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (State(1980, processes=2), "another process"),
        (State(1980, reasons=0x04), "power cap"),
        (State(1980, reasons=0x08), "hardware slowdown"),
        (State(1980, reasons=0x21), "software thermal slowdown"),
        (State(1980, reasons=0x40), "hardware thermal slowdown"),
        (State(1980, reasons=0x80), "power brake"),
        (State(1900), "clock changed"),
        (State(2040), "clock changed"),
    ],
)
def test_a_disturbed_round_says_why(state, why):
    assert said(GOOD, state)[1] == why


def test_a_clock_that_creeps_away_is_seen():
    clocks = [1980, 1960, 1940, 1920, 1900]  # each step is small, the way from the first is not
    assert said(*map(State, clocks)) == ["", "", "clock changed", "clock changed", "clock changed"]


def test_a_round_after_a_jump_back_does_not_count_either():
    assert said(GOOD, State(1500), GOOD, GOOD) == ["", "clock changed", "clock changed", ""]


def steady(forward, calls):
    return sum(forward() for _ in range(calls))


def test_disturbed_rounds_are_thrown_away_run_again_and_counted():
    times = {"now": 0.02}
    states = [GOOD, GOOD, State(1400), GOOD, GOOD, State(1980, processes=2), GOOD, GOOD, GOOD]
    left = list(states)

    def look():
        state = left.pop(0)
        times["now"] = 0.04 if left and left[0].clock_mhz == 1400 else 0.02
        return state

    watch = Watch(look)
    forwards = [lambda: times["now"]] * 3
    record = interleave(forwards, steady, 5, random.Random(0), watch=watch)
    assert record.discarded == {"clock changed": 2, "another process": 1}
    assert len(record.order) == 5
    assert [t.seconds for t in record.timings] == [[0.02] * 5] * 3, "no slow sample is left"
    assert all(len(t.busy) == 5 for t in record.timings)
    assert watch.clocks == [s.clock_mhz for s in states]


def test_a_gpu_that_is_never_quiet_ends_the_session_with_a_reason():
    watch = Watch(lambda: State(1980, reasons=0x04))
    record = interleave([lambda: 0.02] * 2, steady, 4, random.Random(0), watch=watch)
    assert record.discarded == {"power cap": 4} and record.order == []
    with pytest.raises(TimingFailed, match=r"power cap 16\); .* run this again"):
        evaluate((BASELINE, BASELINE), [record] * 4, "events")


def test_the_columns_of_a_watched_session():
    from benchmarks.timing import Record

    records = [
        Record([], [], {"power cap": 2, "clock changed": 1}, [1980, 1500]),
        Record([], [], {"power cap": 1}, [1965]),
    ]
    assert gpu_columns(records) == {
        "sm_clock_low_mhz": 1500,
        "sm_clock_high_mhz": 1980,
        "discarded": 4,
        "discarded_why": "clock changed 1; power cap 3",
    }
    assert gpu_columns([Record([], [])]) == {}


def fake_nvml(**others):
    return SimpleNamespace(
        NVML_CLOCK_SM=1,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: {"GPU-1": "card"}[uuid],
        nvmlDeviceGetClockInfo=lambda card, kind: {("card", 1): 1755}[card, kind],
        nvmlDeviceGetComputeRunningProcesses=lambda card: ["us", "them"],
        **others,
    )


@pytest.mark.parametrize("name", ["EventReasons", "ThrottleReasons"])
def test_nvml_is_read_under_its_new_and_its_old_name(name):
    nvml = fake_nvml(**{f"nvmlDeviceGetCurrentClocks{name}": lambda card: 0x20})
    assert nvml_look(nvml, "GPU-1")() == State(1755, 0x20, 2)


def test_nvidia_smi_is_read():
    answers = {
        "--query-gpu=clocks.sm,clocks_throttle_reasons.active": "1410, 0x0000000000000044\n",
        "--query-compute-apps=pid": "123\n456\n789\n",
    }

    def run(command, **_):
        assert command[:2] == ["nvidia-smi", "--id=GPU-1"]
        return SimpleNamespace(stdout=answers[command[2]])

    assert smi_look("GPU-1", run)() == State(1410, 0x44, 3)


def test_without_a_way_to_look_there_is_no_watch(monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError("nvidia-smi")

    monkeypatch.setattr(subprocess, "run", missing)
    monkeypatch.setitem(__import__("sys").modules, "pynvml", None)
    monkeypatch.setattr("benchmarks.device.smi_look", lambda uuid: smi_look(uuid, missing))
    cuda = SimpleNamespace(
        current_device=lambda: 0, get_device_properties=lambda i: SimpleNamespace(uuid="1")
    )
    assert gpu_look(cuda) is None
