"""Whatever times something holds the machine's timing lock while it does, and then lets it go."""

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest

from benchmarks import latency, runner, surroundings
from benchmarks.allocation import ROUNDS, STATES, Sample
from benchmarks.cells import Cell, Selection, benchmarks
from benchmarks.clock import LAYERS, METHODS, Answer, Budget, Found
from benchmarks.counting import Macs
from benchmarks.latency import Latency, TimingBusy
from benchmarks.position import ARMS, time_arms
from benchmarks.speed import ARMS as SPEED_ARMS
from benchmarks.stats import SAME
from benchmarks.timing import Record, Timing

SECONDS = [0.010, 0.010, 0.010]


def record(arms):
    """A build in which every arm takes 10 ms."""
    return Record([Timing(SECONDS, 1, busy=SECONDS) for _ in range(arms)], [])


def a_session(session):
    return [record(len(session.arms))] * session.builds


def of_networks(mode, session, processes):
    return a_session(session) * processes


def of_speed(function, cells, *_, **__):
    return [record(len(SPEED_ARMS)) for _ in cells], True


def of_position(function, *_, **__):
    return (record(len(ARMS)), True) if function is time_arms else (2**20, None)


def of_clock(*_):
    found = {planted: Found(1.0, SAME) for planted in LAYERS}
    answers = [Answer(found, Budget(1.0, 96, 0.002))]
    return dict.fromkeys(METHODS, answers), dict.fromkeys(METHODS, [1.0])


def of_fvcore(rows):
    return dict.fromkeys(rows, Macs(1, 0)), 0.5


@contextmanager
def a_process(setup):
    yield SimpleNamespace(answer=lambda: None, seconds=lambda name: 0.1)


SMALL = [Cell("cost", "resnet10_small", "se", device="meta", image_size=28)]
TIMED = {
    "latency": {"latency.in_fresh_process": a_session},
    "retimed": {"latency.in_fresh_process": a_session},
    "overhead": {
        "overhead.time_run": lambda count: {"run_s": 1.0},
        "overhead.time_store": lambda count, seconds: {"append_s": 1.0},
    },
    "speed": {"speed.in_fresh_process": of_speed},
    "position": {"position.in_fresh_process": of_position},
    "throughput": {
        "throughput.Process": a_process,
        "whole_machine._speed": lambda *_: 1000.0,
    },
    "networks": {"networks._records": of_networks},
    "breakdown": {"breakdown.own_times": lambda call: {"conv": (0.1, 2)}},
    "clock": {"clock.repeat": of_clock},
    "allocation": {
        "allocation.by_turns": lambda *_: {state: [Sample(0.01, 1.0)] * ROUNDS for state in STATES}
    },
    "counting": {
        "counting._count_on_meta": lambda *_: None,
        "counting._count_with_fvcore": of_fvcore,
        "counting.on_meta": lambda row: Macs(1, 0),
    },
}
"""What times, and what it gives here instead: nothing is run."""

BESIDE = {
    "alone.call": lambda *_: None,
    "alone.maps": lambda cell: (None, None),
    "breakdown.build": lambda cell: SimpleNamespace(parameters=lambda: ()),
    "breakdown.keep_memory": lambda: None,
    "clock.bursts": nullcontext,
    "counting._rows": lambda table: SMALL,
    "counting._warm_up": lambda: None,
}
"""What else takes time or would change this process."""


@pytest.fixture
def lock(monkeypatch):
    """The timing lock: whether it is held."""
    state = SimpleNamespace(held=False)

    def acquire(timeout):
        assert not state.held, "it is taken twice"
        state.held = True

    def release():
        state.held = False

    made = SimpleNamespace(acquire=acquire, release=release)
    monkeypatch.setattr(latency, "FileLock", lambda *_, **__: made)
    return state


def test_nothing_that_is_timed_alone_is_left_out():
    # what is trained alone, as ImageNet on a GPU, times nothing; `depth` has a test of its own
    exclusive = {name for name, b in benchmarks().items() if b.exclusive and not b.trained}
    assert set(TIMED) == exclusive


@pytest.mark.parametrize("name", TIMED)
def test_a_row_is_timed_with_the_lock_held(name, lock, one_thread, monkeypatch):
    timed = []

    def watched(target, give):
        def times(*arguments, **how):
            assert lock.held, f"{target} runs beside whatever else is timed"
            timed.append(target)
            return give(*arguments, **how)

        return times

    monkeypatch.setattr(surroundings, "malloc", lambda environment: "glibc 2.36")
    for target, give in BESIDE.items():
        monkeypatch.setattr(f"benchmarks.{target}", give)
    for target, give in TIMED[name].items():
        monkeypatch.setattr(f"benchmarks.{target}", watched(target, give))
    benchmark = benchmarks()[name]
    groups = runner.groups(benchmark, list(benchmark.cells(Selection("cpu"))))
    for group in (groups[0], groups[-1]):
        found = dict(benchmark.measure_group(group))
        assert list(found) == group
        assert not lock.held
        for cell, values in found.items():
            assert isinstance(values, dict), f"{cell}: {values}"
            assert set(values) <= {column.name for column in benchmark.columns}
    assert set(timed) == set(TIMED[name])


def test_a_lock_that_is_held_by_another_is_no_value(monkeypatch):
    @contextmanager
    def held(*_):
        raise TimingBusy("held")
        yield

    monkeypatch.setattr(latency, "one_timing_job", held)
    with pytest.raises(TimingBusy, match="held"):
        Latency().measure(Cell("latency", "resnet18", threads=1, image_size=32, batch_size=1))
