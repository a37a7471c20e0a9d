"""The page about timing shows what the rows say, and says when there are none."""

from dataclasses import replace

import pytest
import trial
from rendered import lines, plain, unbroken

from benchmarks.cells import Cell, Selection
from benchmarks.clock import LAYERS, ClockBenchmark, Found, read, summary
from benchmarks.site import clock, memory
from benchmarks.store import Store, row


def rows(store, good=95, machine="here", day=1, fixed=False):
    """``good`` ratios at the truth, the rest a twentieth above it, from every way of timing."""
    for cell in ClockBenchmark().cells(Selection("cpu")):
        truth = LAYERS[cell.variant] / LAYERS["0 %"]
        ratios = [truth] * good + [1.05 * truth] * (100 - good)
        values = summary([Found(r, read(r), 0.0042) for r in ratios], truth)
        named = {"method": cell.recipe, "load": cell.data, "measurement_s": 1.5, "sample_ms": 2.5}
        if cell.recipe == "interleaved":
            named |= {"builds": 12} if fixed else {"builds": 12, "builds_mean": 17.4}
        made = row(cell, {**values, **named}, "f" * 12, seconds=1.0)
        made |= {"machine": machine, "measured_at": f"2026-01-0{day}T00:00:00+00:00"}
        store.append("clock", made)
    store.fold()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_without_rows_the_facts_say_so(store):
    found = clock.facts(store)
    assert found["clock.least"] == found["clock.test_half_width"] == "not measured"
    assert found["clock.latency_half_width"] == "not measured"


def test_the_width_of_the_latencies_stands_beside_that_of_the_test(store):
    ends = {"ratio": 1.1, "ratio_low": 1.1 / 1.02, "ratio_high": 1.1 * 1.02, "clock": "thread"}
    cell = Cell("latency", "resnet18", "se", image_size=224, batch_size=1, threads=1)
    trial.append(store, cell, ends)
    assert clock.facts(store)["clock.latency_half_width"] == "±2.00 %"


def test_sessions_whose_copies_differ_are_counted(store):
    assert "not measured" in clock.facts(store)["clock.copies"]
    bare = Cell("latency", "resnet18", image_size=224, batch_size=1, threads=1)
    for threads, low, processes in ((1, 0.99, 5), (2, 1.005, 8)):
        ends = {"ratio": 1.0, "floor_low": low, "floor_high": 1.02, "processes": processes}
        cell = replace(bare, threads=threads)
        store.append("latency", row(cell, ends, "f" * 12, seconds=1.0))
        store.append("latency", row(replace(cell, module="se"), ends, "f" * 12, seconds=1.0))
    first = clock.facts(store)
    assert first["clock.copies"].startswith("In 1 of 2 sessions of the latencies on processors")
    assert first["clock.copies"].endswith("nominally one in 20.")
    assert first["clock.latency_processes"] == "5 to 8"
    elsewhere = row(bare, {**ends, "floor_low": 0.99, "processes": 4}, "f" * 12, seconds=1.0)
    store.append("latency", {**elsewhere, "machine": "elsewhere"})
    found = clock.facts(store)
    assert found["clock.copies"].startswith("In 1 of 3 sessions of the latencies on processors")
    assert found["clock.latency_processes"] == "4 to 8"


def test_few_cases_that_were_right_least_often_are_named(store, monkeypatch):
    rows(store)
    monkeypatch.setattr(clock, "FEW_CASES", 4)
    assert clock.facts(store)["clock.least"].startswith(
        "95 of 100 (Copy within 1 %, quiet, here; 0.3 % called no difference, quiet, here; "
    )


def test_the_page_counts_how_often_each_way_was_right(store):
    rows(store)
    found = clock.facts(store)
    assert found["clock.least"] == "95 of 100 (in 4 of 6 cases)"
    assert found["clock.test_half_width"] == "±0.42 % (quiet), ±0.42 % (two bursts)"
    assert found["clock.test_sample_ms"] == "2.5 ms (quiet), 2.5 ms (two bursts)"
    assert (found["clock.small_exact"], found["clock.large_exact"]) == ("0.300 %", "3.003 %")
    text = unbroken(clock.clock(store))
    assert text.index("Quiet") < text.index("Two bursts")
    assert text.index("ours, interleaved") < text.index("torch.utils.benchmark")
    drawn = clock.figure(store)
    assert len(drawn.values) == 18 and {v["truth"] for v in drawn.values} == {1.0, 1.003, 1.03}


def test_every_machine_has_lines_of_its_own_the_newest_first(store):
    rows(store)
    rows(store, good=80, machine="there", day=2)
    text = clock.right(store)
    shown = lines(text)
    assert len(shown) == 6 and text.count(", 18 rows)") == 2
    built = "12 to 24 builds"
    assert shown[0].startswith(f"ours, interleaved there {built} 80 80 80 80 100 100")
    assert shown[3].startswith(f"ours, interleaved here {built} 95 95 95 95 100 100")
    assert "benchmark.py here 95" in shown[4]
    assert clock.facts(store)["clock.least"] == "80 of 100 (in 4 of 12 cases)"


def test_rows_of_a_fixed_number_of_builds_are_told_from_those_of_now(store):
    rows(store)
    rows(store, good=80, machine="there", day=2, fixed=True)
    text = plain(clock.right(store))
    assert text.count("there 12 builds (earlier code)") == 1
    assert clock.facts(store)["clock.least"] == "95 of 100 (in 4 of 6 cases)"


def test_memory_is_compared_with_the_bare_backbone_of_the_same_mode(store):
    for mode, mib in (("inference", 50.0), ("training", 200.0)):
        for module, times in (("none", 1.0), ("se", 1.25)):
            cell = Cell("memory", "resnet18", module, recipe=mode, image_size=224, batch_size=8)
            values = {"mode": mode, "model_mib": 44.6, "step_mib": mib * times}
            trial.append(store, cell, values)
    text = memory.memory(store)
    assert text.count("1.250") == 2 and ">62.5<" in text and ">250.0<" in text
    assert "cpu, batch 8, 224 px" in text


def test_memory_of_a_gpu_has_tables_of_its_own(store):
    for device, mib in (("cpu", 50.0), ("cuda", 70.0)):
        cell = Cell("memory", "resnet18", recipe="training", device=device, batch_size=8)
        trial.append(store, cell, {"step_mib": mib})
    text = memory.memory(store)
    first, second = text.split("### resnet18 on a GPU")
    assert ">50.0<" in first and ">70.0<" not in first
    assert ">70.0<" in second
