"""The timing protocol: order, calibration, verdicts on planted truths, failures."""

import random
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from benchmarks import engine, latency, models, preflight, stats
from benchmarks.cells import MODULES, Cell, Selection, benchmarks
from benchmarks.evaluation import BASELINE, TimingFailed, clock_of, evaluate
from benchmarks.latency import (
    BUILDS,
    PROCESSES,
    ROUNDS,
    Latency,
    TimingBusy,
)
from benchmarks.provenance import fingerprint
from benchmarks.session import Session, SessionDied, measure
from benchmarks.stats import NOISY, SAME
from benchmarks.timing import Record, Timing, calibrate, cpu_timer, cuda_timer, interleave
from benchmarks.widths import BACKBONE, WIDTHS

ROOT = Path(__file__).resolve().parents[2]
SE, ECA = ("se", ""), ("eca", "kernel_size=3")


class Clock:
    """A timer without time: a forward returns the seconds that it pretends to take."""

    def __init__(self):
        self.now, self.samples = 0.0, []

    def __call__(self, forward, calls):
        seconds = sum(forward() for _ in range(calls))
        self.now += seconds
        self.samples.append((calls, seconds))
        return seconds


def test_calibration_fills_a_sample_and_warms_up():
    clock = Clock()
    calls = calibrate(lambda: 0.0003, clock, sample_s=0.010, warmup_s=0.2)
    assert 0.010 <= calls * 0.0003 <= 0.020
    assert clock.now >= 0.2


def test_calibration_is_not_misled_by_a_slow_first_call():
    times = iter([5.0])
    calls = calibrate(lambda: next(times, 0.001), Clock(), sample_s=0.010, warmup_s=0.05)
    assert calls * 0.001 >= 0.010


def test_one_call_is_enough_for_a_slow_network():
    assert calibrate(lambda: 0.5, Clock()) == 1


def test_every_round_runs_every_arm_once_in_a_new_order():
    forwards = [lambda: 0.01] * 5
    record = interleave(forwards, Clock(), 40, random.Random(0))
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in record.order)
    assert len({tuple(order) for order in record.order}) > 20
    first = [order[0] for order in record.order]
    assert {first.count(i) for i in range(5)} != {40, 0} and len(set(first)) == 5
    again = interleave(forwards, Clock(), 40, random.Random(0))
    assert again.order == record.order
    assert interleave(forwards, Clock(), 40, random.Random(1)).order != record.order


def test_samples_are_seconds_of_one_forward():
    record = interleave([lambda: 0.002, lambda: 0.05], Clock(), 4, random.Random(0))
    assert record.timings[0].seconds == pytest.approx([0.002] * 4)
    assert record.timings[1].seconds == pytest.approx([0.05] * 4)
    assert record.timings[0].calls > record.timings[1].calls == 1


def test_a_failing_arm_says_why_and_the_others_are_measured():
    calls = iter(range(10**6))

    def breaks_later():
        if next(calls) > 30:
            raise ArithmeticError("no more")
        return 0.05

    def breaks():
        raise ValueError("bad\nshape")

    forwards = [lambda: 0.05, lambda: 0.05, "TypeError: no such option", breaks, breaks_later]
    record = interleave(forwards, Clock(), 40, random.Random(0))
    errors = [t.error for t in record.timings]
    assert errors == [
        "",
        "",
        "TypeError: no such option",
        "ValueError: bad shape",
        "ArithmeticError: no more",
    ]
    assert [len(t.seconds) for t in record.timings] == [40, 40, 0, 0, 0]
    assert sorted(record.order[-1]) == [0, 1]


def test_cuda_timer_puts_events_around_the_calls_and_waits_once():
    log = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing
            self.name = "start" if not log else "end"
            log.append("new")

        def record(self):
            log.append(self.name)

        def synchronize(self):
            log.append("wait")

        def elapsed_time(self, end):
            assert (self.name, end.name) == ("start", "end")
            return 250.0

    timer = cuda_timer(SimpleNamespace(Event=Event))
    log[:] = []
    assert timer(lambda: log.append("forward"), 3) == 0.25
    assert log == ["start", "forward", "forward", "forward", "end", "wait"]


def _records(*per_forward, builds=8, rounds=12, noise=0.002, waits=0.0):
    """Times with noise on top; a share ``waits`` of the samples lasts ten times as long on the
    wall, in which the thread does nothing."""
    rng = random.Random(0)

    def timing(seconds):
        busy = [seconds * (1 + rng.random() * noise) for _ in range(rounds)]
        wall = [t * (10 if rng.random() < waits else 1) for t in busy]
        return Timing(wall, 7, busy=busy)

    return [Record([timing(t) for t in per_forward], []) for _ in range(builds)]


def test_rows_of_synthetic_samples_with_known_truth():
    arms = (BASELINE, BASELINE, SE, ECA)
    rows = evaluate(arms, _records(0.010, 0.010, 0.015, 0.008))
    assert [rows[a]["verdict"] for a in (BASELINE, SE, ECA)] == [SAME, "slower", "faster"]
    assert rows[SE]["ratio"] == pytest.approx(1.5, rel=0.002)
    assert rows[SE]["latency_ms"] == pytest.approx(15, rel=0.002)
    assert rows[SE]["latency_p10_ms"] >= rows[SE]["latency_ms"]
    counted = ("rounds", "builds", "processes", "calls")
    assert [rows[SE][name] for name in counted] == [12, 8, 8, 7]


def test_the_thread_clock_leaves_out_waiting_and_counts_it():
    arms = (BASELINE, BASELINE, SE)
    records = _records(0.010, 0.010, 0.0103, waits=0.7)
    wall, thread = (evaluate(arms, records, clock)[SE] for clock in ("wall", "thread"))
    assert wall["verdict"] == NOISY and wall["preempted"] is None
    assert thread["verdict"] == "slower" and thread["ratio"] == pytest.approx(1.03, abs=0.001)
    assert thread["preempted"] == pytest.approx(0.7 * 8 * 12, abs=15)
    assert clock_of("cpu", 1) == "thread"
    assert clock_of("cpu", 2) == "wall" and clock_of("cuda:1", 1) == "events"


def test_few_builds_are_judged_by_their_rounds():
    arms = (BASELINE, BASELINE, SE)
    rows = evaluate(arms, _records(0.010, 0.010, 0.012, builds=2))
    assert rows[SE]["verdict"] == "slower" and rows[BASELINE]["verdict"] == SAME


def test_the_row_of_the_baseline_is_its_second_copy():
    rows = evaluate((BASELINE, BASELINE, SE), _records(0.010, 0.011, 0.030))
    base = rows[BASELINE]
    assert base["ratio"] == pytest.approx(1.1, rel=0.002)
    assert rows[SE]["ratio"] == pytest.approx(3 / 1.1**0.5, rel=0.002), "to the mean of both"
    assert (base["floor_low"], base["floor_high"]) == (base["ratio_low"], base["ratio_high"])
    assert rows[SE]["floor_high"] == base["ratio_high"]
    assert {row["verdict"] for row in rows.values()} == {NOISY}


def test_a_real_copy_is_about_equal_and_four_times_the_work_is_slower():
    """By real clocks; the work is the interpreter's own, which shares little with other work."""
    forwards = [lambda steps=steps: sum(range(steps)) for steps in (10_000, 10_000, 40_000)]
    records = [interleave(forwards, cpu_timer, 30, random.Random(i), 0.002, 0.02) for i in range(5)]
    rows = evaluate((BASELINE, BASELINE, SE), records, "thread")
    assert 0.7 < rows[BASELINE]["ratio"] < 1.4
    assert 2.5 < rows[SE]["ratio"] < 6.5
    assert rows[SE]["ratio_low"] > 2


@pytest.fixture
def quick(monkeypatch):
    """The quick cells of one backbone, with sessions that take no time."""
    sessions = []

    def fake(session):
        sessions.append(session)
        times = [0.01] * session.rounds
        timings = [Timing(list(times), 1, busy=list(times)) for _ in session.arms]
        for arm, timing in zip(session.arms, timings, strict=True):
            if arm[0] == "sk":
                timing.seconds, timing.error = [], "RuntimeError: no"
        return [Record(timings, [])] * session.builds

    monkeypatch.setattr(latency, "in_fresh_process", fake)
    return list(Latency().cells(Selection("quick", backbones=("resnet18",)))), sessions


def test_a_group_is_one_session_in_several_processes(quick):
    cells, sessions = quick
    found = dict(Latency().measure_group(cells))
    assert list(found) == cells
    assert [s.arms for s in sessions] == [(BASELINE, *((m, "") for m in MODULES))] * PROCESSES
    assert len({s.seed for s in sessions}) == PROCESSES
    assert {(s.builds, s.rounds) for s in sessions} == {(BUILDS, ROUNDS["cpu"])}
    assert PROCESSES >= 3 and all(PROCESSES * BUILDS * rounds >= 90 for rounds in ROUNDS.values())
    names = {c.name for c in Latency.columns if not re.match("sm_clock|discarded", c.name)}
    for cell, values in found.items():
        if cell.module == "sk":
            assert isinstance(values, Exception) and "no" in str(values)
        else:
            assert set(values) == names
            assert (values["ratio"], values["verdict"], values["clock"]) == (1.0, SAME, "thread")
            assert (values["builds"], values["processes"]) == (PROCESSES * BUILDS, PROCESSES)


def test_where_the_clock_of_a_thread_is_coarse_a_session_goes_by_the_wall(quick, monkeypatch):
    cells, _ = quick
    monkeypatch.setattr(latency, "COARSE", True)
    found = dict(Latency().measure_group(cells))
    assert {v["clock"] for v in found.values() if isinstance(v, dict)} == {"wall"}


def test_the_widths_of_the_trained_net_are_arms_of_its_session(quick):
    _, sessions = quick
    bench, common = Latency(), {"image_size": 28, "batch_size": 32, "threads": 1}
    plain = [Cell("latency", BACKBONE, module, **common) for module in ("none", "se")]
    wide = [Cell("latency", name, **common) for name in WIDTHS]
    assert len({bench.group(cell) for cell in (*plain, *wide)}) == 1
    found = dict(bench.measure_group([*wide, *plain]))
    assert list(found) == [*wide, *plain]
    arms = {*(("none", "", name) for name in WIDTHS), ("se", "")}
    assert sessions[0].backbone == BACKBONE and set(sessions[0].arms[2:]) == arms
    # with a module in it, such a net is a backbone like any other
    gated = replace(wide[0], module="se")
    dict(bench.measure_group([gated]))
    assert sessions[-1].backbone == wide[0].backbone
    assert sessions[-1].arms == (BASELINE, BASELINE, ("se", ""))


def test_an_arm_may_be_in_another_backbone(monkeypatch):
    built = []
    create = models.create
    monkeypatch.setattr(models, "create", lambda *arm: built.append(arm) or create(*arm))
    wide = next(iter(WIDTHS))
    arms = (BASELINE, BASELINE, ("se", ""), ("none", "", wide))
    session = Session(BACKBONE, arms, image_size=28, rounds=1)
    (record,) = measure(session, lambda arm: None)
    assert [t.error for t in record.timings] == [""] * 4
    bare = (BACKBONE, "none", "")
    assert sorted(built) == sorted([bare, bare, (BACKBONE, "se", ""), (wide, "none", "")])


def test_one_module_is_measured_against_a_baseline_of_its_own(quick):
    cells, sessions = quick
    only = next(c for c in cells if c.module == "eca")
    assert Latency().measure(only)["ratio"] == 1.0
    assert sessions[0].arms == (BASELINE, BASELINE, ("eca", ""))


def test_a_session_that_dies_fails_every_cell(quick, monkeypatch):
    def dies(session):
        raise SessionDied("killed", None)

    cells, _ = quick
    monkeypatch.setattr(latency, "in_fresh_process", dies)
    found = dict(Latency().measure_group(cells))
    assert list(found) == cells
    assert {str(v) for v in found.values()} == {"killed"}
    assert {type(v).__name__ for v in found.values()} <= set(engine.OF_THE_MACHINE)


@pytest.fixture
def on_gpu(monkeypatch):
    """The cells of one GPU session; a function that gives what they come to, with its seconds."""
    records = []

    def fake(session):
        timings = [Timing(list(records[0]), 1, error=records[1]) for _ in session.arms]
        return [Record(timings, [], {"power cap": 8}, [1980])] * session.builds

    monkeypatch.setattr(latency, "in_fresh_process", fake)
    want = Selection("gpu", backbones=("resnet18",), device="cuda")
    cells = [c for c in Latency().cells(want) if (c.layout, c.precision) == ("nhwc", "bf16")]

    def found(seconds, error="", capability=(8, 0)):
        records[:] = seconds, error
        monkeypatch.setattr(latency.fresh, "in_fresh_process", lambda *_: capability)
        return dict(Latency().measure_group(cells))

    return found


def test_a_gpu_that_was_never_quiet_leaves_its_cells_to_be_measured(on_gpu):
    assert {type(v) for v in on_gpu([0.1] * 8).values()} == {dict}
    busy = on_gpu([])
    assert {type(v) for v in busy.values()} == {TimingBusy}
    assert all("power cap" in str(v) for v in busy.values())
    assert {type(v) for v in on_gpu([], "RuntimeError: no kernel").values()} == {TimingFailed}


@pytest.mark.parametrize("precision", ["bf16", "tf32", "fp32"])
def test_a_gpu_without_a_precision_is_not_timed_in_it(monkeypatch, precision):
    monkeypatch.setattr(latency.fresh, "in_fresh_process", lambda *_: (7, 5))
    latency.require_precision("cpu", precision)
    if precision == "fp32":
        return latency.require_precision("cuda", precision)
    with pytest.raises(TimingFailed, match=r"capability 7\.5, and calculates so from 8\.0"):
        latency.require_precision("cuda", precision)
    monkeypatch.setattr(latency.fresh, "in_fresh_process", lambda *_: (8, 6))
    latency.require_precision("cuda", precision)


def test_a_session_in_such_a_precision_has_no_value(on_gpu):
    found = on_gpu([0.1] * 8, capability=(7, 5))
    assert {type(v) for v in found.values()} == {TimingFailed}


def test_suites():
    bench = Latency()
    quick, cpu = (list(bench.cells(Selection(suite))) for suite in ("quick", "cpu"))
    assert {c.key for c in quick} < {c.key for c in cpu}
    assert {c.threads for c in cpu} == {1, latency.cores()}
    small = {(c.image_size, c.batch_size) for c in cpu if c.backbone == "mobilenetv2_small"}
    assert small == {(28, 32)}, "the second net of this suite's accuracies, on its own images"
    gpu = list(bench.cells(Selection("gpu", device="cuda")))
    settings = {(c.layout, c.precision, c.batch_size) for c in gpu}
    assert settings == {(a, p, 64) for a in ("nchw", "nhwc") for p in ("fp32", "tf32", "bf16")}
    assert len({bench.group(c) for c in gpu}) == len(latency.BACKBONES) * 6
    assert len({c.key for c in gpu}) == len(gpu) == len(latency.BACKBONES) * 6 * len(MODULES)
    assert all(bench.same_machine(c) for c in quick)


def test_an_unknown_precision_or_layout_is_refused():
    cell = Cell("latency", "resnet18")
    Latency().check([cell])
    for fields in ({"precision": "fp8"}, {"layout": "hwcn"}):
        ((name, value),) = fields.items()
        with pytest.raises(ValueError, match=f"unknown {name} '{value}'"):
            Latency().check([replace(cell, **fields)])


def test_a_gpu_that_torch_does_not_see_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="sees no CUDA GPU"):
        preflight.check_device("cuda")
    preflight.check_device("cpu")


def test_a_gpu_that_no_row_could_name_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    record = {"gpus": []}
    monkeypatch.setattr(preflight.provenance, "machine", lambda: record)
    with pytest.raises(ValueError, match="nvidia-smi, .* lists none"):
        preflight.check_device("cuda")
    record["gpus"] = ["A"]
    preflight.check_device("cuda")


@pytest.mark.parametrize("name", ["latency", "clock", "networks", "speed", "position"])
def test_the_rule_of_the_verdict_is_in_every_fingerprint_that_needs_it(monkeypatch, name):
    bench = benchmarks()[name]
    cell = next(iter(bench.cells(Selection("cpu"))))
    before = fingerprint((), bench.configuration(cell))
    monkeypatch.setattr(stats, "VERDICT_RULE", (*stats.VERDICT_RULE[:-1], 0.02))
    assert fingerprint((), bench.configuration(cell)) != before
    named = {source.rpartition("::")[2] for source in bench.code}
    assert {"_same_rounds", "floor_of", "geometric_mean", "latency_verdict"} <= named
    texts = [column.description for column in bench.columns if column.name == "verdict"]
    assert bool(texts) == (name != "clock")
    assert all("by more than 1 %" in text for text in texts)
