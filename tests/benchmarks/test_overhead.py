"""The suite adds little to a cell and its store grows in a straight line."""

import os

import pytest

from benchmarks import cells, runner
from benchmarks.cells import Selection
from benchmarks.overhead import NoOp, OverheadBenchmark, noop_cell, planted, time_run, time_store
from benchmarks.store import Store, row

OVERHEAD = OverheadBenchmark()


def processor_s(function, *arguments):
    """Processor time of a call, that of processes it waited for included: no load lengthens it."""
    before = os.times()[:4]
    function(*arguments)
    return sum(os.times()[:4]) - sum(before)


def test_a_cell_costs_less_than_20_ms_of_the_processor_with_the_start_of_the_run_in_it():
    seconds = {}
    assert processor_s(lambda: seconds.update(time_run(1000))) / 1000 < 0.020
    assert set(seconds) == {"plan_s", "run_s", "fold_s"}


def test_eight_times_the_rows_take_about_eight_times_as_long():
    few, many = (processor_s(time_store, count) for count in (500, 4000))
    assert many < 2.5 * 8 * few


def test_each_row_of_a_synced_store_waits_for_the_disk(monkeypatch):
    monkeypatch.setattr("benchmarks.store.AT_RISK_S", 0.5)
    monkeypatch.setattr("benchmarks.store.time.monotonic", lambda: 0.0)
    waits = {}
    for row_s in (0.0, 1.0):
        waits[row_s] = []
        monkeypatch.setattr("benchmarks.store.os.fsync", waits[row_s].append)
        time_store(20, row_s)
    assert len(waits[1.0]) - len(waits[0.0]) == 19  # the first row of a store always waits


def test_planning_is_linear_in_the_stored_rows(tmp_path, monkeypatch):
    """Each row is looked at a fixed number of times: the keys that are worked out tell."""
    worked_out = []
    key = cells.Cell.key.fget
    counted = property(lambda cell: worked_out.append(cell) or key(cell))
    per_cell = {}
    for count in (100, 400):
        store = Store(tmp_path / str(count))
        with planted(NoOp(count)):
            for number in range(count):
                store.append("noop", row(noop_cell(number), {}, "f" * 12, seconds=0.0))
            with monkeypatch.context() as patched:
                patched.setattr(cells.Cell, "key", counted)
                worked_out.clear()
                runner.plan(Selection(), store, only=["noop"])
        per_cell[count] = len(worked_out) / count
    assert per_cell[100] == per_cell[400] <= 3


def test_the_planted_benchmark_leaves_no_trace():
    with planted(NoOp(3)):
        assert "noop" in cells.benchmarks()
    assert "noop" not in cells.benchmarks()


def test_a_run_that_loses_a_row_is_no_measurement(monkeypatch):
    monkeypatch.setattr(NoOp, "cells", lambda self, want: iter([noop_cell(0)]))
    with pytest.raises(RuntimeError, match="1 of 2 cells"):
        time_run(2)


def test_a_row_has_every_column_of_its_kind():
    cells = [c for c in OVERHEAD.cells(Selection("cpu")) if c.data.startswith("1000 ")]
    assert [c.recipe for c in cells] == ["run", "store", "synced store"]
    store = cells[1]
    values = OVERHEAD.measure(store)
    assert values["count"] == 1000
    parts = [values[f"{part}_s"] for part in ("append", "fold", "read")]
    assert values["total_s"] == pytest.approx(sum(parts), abs=1e-3)
    assert values["ms_each"] == pytest.approx(values["total_s"], rel=1e-2)
    assert set(values) <= {column.name for column in OVERHEAD.columns}


def test_suites():
    counts = [cell.data for cell in OVERHEAD.cells(Selection("cpu"))]
    assert counts == [
        "1000 cells",
        "10000 cells",
        "1000 rows",
        "10000 rows",
        "100000 rows",
        "1000 rows",
    ]
    assert not list(OVERHEAD.cells(Selection("quick")))
    assert not list(OVERHEAD.cells(Selection("cpu", modules=(("se", ""),))))
