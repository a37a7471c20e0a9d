"""The protocol on simulated and real planted differences, and the loads beside it."""

import random
import subprocess
import sys
import time
from collections import Counter
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch

from benchmarks import clock, latency, stats, timing
from benchmarks.burst import bursts
from benchmarks.cells import ROOT, Selection
from benchmarks.clock import (
    CANNOT_TELL,
    LAYERS,
    METHODS,
    Answer,
    Budget,
    ClockBenchmark,
    Found,
    read,
    summary,
)
from benchmarks.evaluation import BASELINE, evaluate
from benchmarks.stats import SAME
from benchmarks.timing import Record, Timing

COPY, SE, ECA = ("none", "a third copy"), ("se", ""), ("eca", "")


def _beside_bursts(rng, truths, builds=clock.BUILDS, rounds=clock.ROUNDS):
    """Records of a simulated machine. Something else runs by turns of some tens of milliseconds:
    it shares the caches (the thread's own time grows, by a different amount every time) and takes
    the processor away (the time on the wall grows by a slice). Builds differ by their memory."""
    records = []
    for _ in range(builds):
        placed = np.exp(rng.normal(0, 0.003, len(truths)))
        beside = rng.random(rounds) < 0.6
        busy = placed * truths * (1 + 0.003 * rng.exponential(1, (rounds, len(truths))))
        busy *= 1 + beside[:, None] * rng.uniform(0.02, 0.4, (rounds, len(truths)))
        waits = beside[:, None] & (rng.random((rounds, len(truths))) < 0.5)
        wall = busy + waits * rng.uniform(0.5, 4, (rounds, len(truths)))
        timings = [
            Timing(wall[:, i].tolist(), 1, busy=busy[:, i].tolist()) for i in range(len(truths))
        ]
        records.append(Record(timings, []))
    return records


def test_planted_truths_are_found_beside_simulated_bursts():
    rng = np.random.default_rng(0)
    arms = (BASELINE, BASELINE, COPY, SE, ECA)
    found = {arm: [] for arm in (COPY, SE, ECA)}
    means = []
    for _ in range(100):
        records = _beside_bursts(rng, np.array([1.0, 1.0, 1.0, 1.003, 1.03]))
        rows = evaluate(arms, records, "thread")
        for arm, mine in found.items():
            mine.append(rows[arm])
        one, two = (
            np.mean([s for record in records for s in record.timings[i].seconds]) for i in (0, 1)
        )
        means.append(two / one)
    assert sum(abs(row["ratio"] - 1) <= 0.01 for row in found[COPY]) >= 95
    assert Counter(row["verdict"] for row in found[COPY])[SAME] >= 95
    assert Counter(row["verdict"] for row in found[SE])[SAME] >= 95
    assert Counter(row["verdict"] for row in found[ECA])["slower"] >= 95
    assert sum(abs(ratio - 1) <= 0.01 for ratio in means) < 60, "as means on the wall can't"


def test_the_planted_difference_is_exact(monkeypatch):
    calls = Counter()
    linear = torch.nn.functional.linear

    def counted(x, weight, bias):
        calls[weight.data_ptr()] += 1
        return linear(x, weight, bias)

    monkeypatch.setattr(torch.nn.functional, "linear", counted)
    for layers in LAYERS.values():
        calls.clear()
        output = clock.network(layers)()
        assert list(calls.values()) == [layers], "one layer, run so many times"
        assert output.isfinite().all() and output.abs().min() > 1e-30, "no slow tiny numbers"
    assert LAYERS["0.3 %"] / LAYERS["0 %"] == pytest.approx(1.003, abs=5e-5)
    assert LAYERS["3 %"] / LAYERS["0 %"] == pytest.approx(1.03, abs=5e-5)


def test_a_tenth_more_work_is_found_and_a_copy_is_a_copy(monkeypatch):
    """A layer takes 100 us, by both clocks: what runs is counted, so no load beside it matters."""
    now = [0.0]

    def linear(x, weight, bias):
        now[0] += 1e-4
        return x

    monkeypatch.setattr(torch.nn.functional, "linear", linear)
    clocks = SimpleNamespace(perf_counter=lambda: now[0], thread_time=lambda: now[0])
    monkeypatch.setattr(timing, "time", clocks)
    monkeypatch.setattr(clock, "LAYERS", {"0 %": 100, "10 %": 110})
    answer = clock.interleaved(random.Random(0))
    found, spent = answer.found, answer.spent
    assert {name: one.verdict for name, one in found.items()} == {"0 %": SAME, "10 %": "slower"}
    assert [one.ratio for one in found.values()] == pytest.approx([1.0, 1.1])
    assert [one.half_width for one in found.values()] == pytest.approx([0, 0], abs=1e-6)
    assert spent.calls >= clock.BUILDS * clock.ROUNDS and spent.sample_s > clock.SAMPLE_S / 2


def test_the_copy_that_is_reported_is_judged_by_two_others(monkeypatch):
    """A slower third copy is a false call; a slower second one raises the floor instead."""
    speeds = []

    def planted(networks, *_):
        times = [0.001 * speed for speed in speeds]
        return Record([Timing([t] * 3, 1, busy=[t] * 3) for t in times], [])

    monkeypatch.setattr(clock, "interleave", planted)
    speeds[:] = [1.0, 1.0, 1.05, 1.003, 1.03]
    found = clock.interleaved(random.Random(0)).found
    assert [found[name].verdict for name in LAYERS] == ["slower", SAME, "slower"]
    speeds[:] = [1.0, 1.03, 1.015, 1.015, 1.015]
    assert {one.verdict for one in clock.interleaved(random.Random(0)).found.values()} == {SAME}


def test_timm_warms_up_ten_calls_then_takes_the_mean_of_one_network_after_the_other(monkeypatch):
    log = []
    now = iter(np.arange(1e4))

    def network(layers):
        return lambda: log.append(layers)

    monkeypatch.setattr(clock, "network", network)
    monkeypatch.setattr(clock.time, "perf_counter", lambda: next(now))
    found = clock.timm_way(random.Random(0), clock.Budget(calls=70)).found
    each = 10 + 70
    assert log == [layers for layers in (333, *LAYERS.values()) for _ in range(each)]
    assert found == {planted: Found(1.0, SAME) for planted in LAYERS}


def test_torch_times_one_network_after_the_other_and_its_warning_is_kept(monkeypatch):
    import torch.utils.benchmark as theirs

    medians = iter([2.0, 2.0, 2.0, 2.06])
    warns = iter([False, False, True, False])

    class Timer:
        def __init__(self, statement, globals, num_threads):
            assert num_threads == 1 and callable(globals["forward"])

        def blocked_autorange(self, min_run_time):
            assert min_run_time == 0.5, "a fifth"
            from types import SimpleNamespace

            return SimpleNamespace(median=next(medians), has_warnings=next(warns))

    monkeypatch.setattr(theirs, "Timer", Timer)
    found = clock.torch_way(random.Random(0), clock.Budget(2.5)).found
    assert found["0 %"] == Found(1.0, SAME)
    assert found["0.3 %"] == Found(1.0, CANNOT_TELL)
    assert found["3 %"] == Found(1.03, "slower")


def test_the_methods_take_turns_and_torch_gets_its_share_of_time(monkeypatch):
    calls = []

    def fake(name):
        def way(rng, budget):
            calls.append((name, budget))
            return Answer({planted: Found(1.0, SAME) for planted in LAYERS}, Budget(calls=7))

        return way

    for name, function in zip(METHODS, ("interleaved", "timm_way", "torch_way"), strict=True):
        monkeypatch.setattr(clock, function, fake(name))
    found, seconds = clock.repeat(30, random.Random(0))
    assert {name: len(mine) for name, mine in found.items()} == dict.fromkeys(METHODS, 30)
    assert all(len(mine) == 30 for mine in seconds.values())
    orders = [tuple(name for name, _ in calls[i : i + 3]) for i in range(0, 90, 3)]
    assert orders[0] == METHODS and len(set(orders)) == 6
    assert all(set(order) == set(METHODS) for order in orders)
    assert all(budget.seconds > 0 and budget.calls == 7 for _, budget in calls[1:])


def test_there_are_as_many_builds_as_in_latency():
    assert clock.BUILDS == latency.BUILDS * latency.PROCESSES
    assert latency.BUILDS * latency.MOST_PROCESSES["cpu"] == clock.MOST_BUILDS


@pytest.mark.parametrize("after", [clock.BUILDS, clock.BUILDS + latency.BUILDS, None])
def test_ours_goes_on_until_it_is_settled(monkeypatch, after):
    monkeypatch.setattr(clock, "ROUNDS", 2)
    asked = []

    def settled(records, kind):
        asked.append(len(records))
        return len(records) == after

    monkeypatch.setattr(latency, "settled", settled)
    with torch.inference_mode():
        answer = clock.interleaved(random.Random(0))
    builds = after or clock.MOST_BUILDS
    assert {found.builds for found in answer.found.values()} == {builds}
    assert asked == list(
        range(clock.BUILDS, min(builds, clock.MOST_BUILDS - 1) + 1, latency.BUILDS)
    )


def test_a_reader_calls_more_than_one_percent_a_difference():
    ratios = (0.97, 0.995, 1.0, 1.009, 1.011)
    assert [read(ratio) for ratio in ratios] == ["faster", SAME, SAME, SAME, "slower"]


def test_a_summary_counts_verdicts_and_keeps_the_spread():
    words = ["slower"] * 95 + [SAME] * 2 + ["faster"] + [stats.NOISY, CANNOT_TELL]
    ratios = [1.03] * 90 + [1.05] * 10
    values = summary([Found(r, w) for r, w in zip(ratios, words, strict=True)], 1.03)
    counted = ("slower", "same", "faster", "cannot_tell", "within")
    assert [values[name] for name in counted] == [95, 2, 1, 2, 90]
    assert values["ratio_median"] == 1.03 and values["ratio_q975"] == 1.05
    assert values["repetitions"] == 100


def test_cells_are_every_way_difference_and_load_and_the_row_has_its_columns(monkeypatch):
    bench = ClockBenchmark()
    cells = list(bench.cells(Selection("cpu")))
    assert len({cell.key for cell in cells}) == len(cells) == 18
    assert list(bench.cells(Selection("quick"))) == []
    assert list(bench.cells(Selection("cpu", modules=(SE,)))) == []
    assert {bench.group(cell) for cell in cells} == {"quiet", "two bursts"}

    def fake(repetitions, rng):
        one = {planted: Found(LAYERS[planted] / 333, SAME) for planted in LAYERS}
        answers = [Answer(one, Budget(1.5, 96, 0.002))] * repetitions
        return dict.fromkeys(METHODS, answers), dict.fromkeys(METHODS, [1.5])

    monkeypatch.setattr(clock, "repeat", fake)
    rows = dict(bench.measure_group(cells[:9]))
    assert list(rows) == cells[:9]
    names = {column.name for column in ClockBenchmark.columns}
    for cell, row in rows.items():
        assert set(row) == names
        assert (row["method"], row["load"], row["within"]) == (cell.recipe, "quiet", 100)
        assert row["sample_ms"] == (2.0 if cell.recipe == METHODS[0] else None)


def test_bursts_use_about_half_a_processor_each_and_end():
    me = psutil.Process()
    with bursts((1, 2)):
        children = [p for p in me.children() if "benchmarks.burst" in p.cmdline()]
        assert len(children) == 2
        before = [sum(p.cpu_times()[:2]) for p in children]
        time.sleep(2.0)
        used = [sum(p.cpu_times()[:2]) - b for p, b in zip(children, before, strict=True)]
    assert all(0.1 < seconds < 1.7 for seconds in used)
    assert not any(p.is_running() for p in children)


def test_a_burst_ends_with_whoever_started_it():
    command = [sys.executable, "-m", "benchmarks.burst", "1"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT)
    time.sleep(0.3)
    assert child.poll() is None
    child.stdin.close()
    assert child.wait(20) == 0
