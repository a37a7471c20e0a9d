"""What the suite itself costs: planning, running and storing cells that measure nothing.

A benchmark whose cells do nothing goes through the real planner, engine and store in a temporary
folder. Half of the cells run first, the plan is then made again against those rows, the rest runs,
and a last plan finds nothing to do: what a run that was stopped in the middle goes through.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks import cells, surroundings
from benchmarks.cells import MODULES, Benchmark, Cell, Column, Selection
from benchmarks.latency import one_timing_job

RUNS = (1_000, 10_000)
"""Numbers of cells in a run."""

STORES = (1_000, 10_000, 100_000)
"""Numbers of rows in a store."""

SYNCED = 1_000
"""Rows in a store where each is on the disk before the next is appended."""

ROW_S = {"store": 0.0, "synced store": 1.0}
"""Seconds that a row says it took to measure: a store waits for the disk after each row of a
second, and after many rows that took none."""


class NoOp(Benchmark):
    """Cells that measure nothing. It has no name of its own, so the suite does not know it."""

    title = "Nothing"
    code = ("benchmarks/overhead.py", "benchmarks/engine.py")
    plugs = False
    columns = (
        Column("value", "number", "", "a third of the number of the cell"),
        Column("word", "string", "", "text"),
    )

    def __init__(self, count: int) -> None:
        self.name = "noop"  # type: ignore[misc]
        self.count = count

    def cells(self, want: Selection) -> Iterator[Cell]:
        return (noop_cell(number) for number in range(self.count))

    def configuration(self, cell: Cell) -> Any:
        return {"seed": cell.seed}

    def measure(self, cell: Cell) -> dict[str, Any]:
        return values(cell)


def noop_cell(number: int) -> Cell:
    """The cell with this number; numbers differ, so keys do."""
    module = MODULES[number % len(MODULES)]
    return Cell("noop", f"net{number % 100}", module, recipe="none", seed=number)


def values(cell: Cell) -> dict[str, Any]:
    """What such a cell "measures"."""
    return {"value": (cell.seed or 0) / 3, "word": cell.module}


class OverheadBenchmark(Benchmark):
    """Time that the suite adds to each cell, and how the time of its store grows."""

    name = "overhead"
    title = "What the suite costs"
    code = (
        "benchmarks/cells.py",
        "benchmarks/datapackage.py",
        "benchmarks/engine.py",
        "benchmarks/fresh.py",
        "benchmarks/overhead.py",
        "benchmarks/own_modules.py",
        "benchmarks/progress.py",
        "benchmarks/provenance.py",
        "benchmarks/reproduced.py",
        "benchmarks/runner.py",
        "benchmarks/schema.py",
        "benchmarks/store.py",
        "benchmarks/tables.py::Rows",
        "benchmarks/tables.py::here",
        "benchmarks/tables.py::records",
        "benchmarks/watch.py",
    )
    exclusive = True
    plugs = False
    default_seconds = 20.0
    columns = (
        Column("count", "integer", "", "cells of the run, or rows of the store"),
        Column("plan_s", "number", "s", "three plans: of nothing, of half, of all that is stored"),
        Column("run_s", "number", "s", "measuring and storing all cells, one process at a time"),
        Column(
            "append_s",
            "number",
            "s",
            "appending all rows: in a synced store each waits for the disk, in a store few do",
        ),
        Column("fold_s", "number", "s", "folding the journal into the sorted table"),
        Column("read_s", "number", "s", "reading the sorted table"),
        Column("total_s", "number", "s", "all of these"),
        Column("ms_each", "number", "ms", "total_s for each cell or row"),
        *surroundings.COLUMNS,
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        if want.suite != "cpu" or want.backbones or want.modules:
            return
        for recipe, counts in (("run", RUNS), ("store", STORES), ("synced store", (SYNCED,))):
            for count in counts:
                yield Cell(self.name, "none", data=f"{count} {_UNITS[recipe]}", recipe=recipe)

    def same_machine(self, cell: Cell) -> bool:
        return True

    @one_timing_job()
    def measure(self, cell: Cell) -> dict[str, Any]:
        beside = surroundings.of_processor()
        count = int(cell.data.partition(" ")[0])
        seconds = ROW_S.get(cell.recipe)
        parts = time_run(count) if seconds is None else time_store(count, seconds)
        total = sum(parts.values())
        rounded = {name: round(seconds, 4) for name, seconds in parts.items()}
        each = round(1000 * total / count, 4)
        return {"count": count, **rounded, "total_s": round(total, 4), "ms_each": each} | beside


_UNITS = {"run": "cells", "store": "rows", "synced store": "rows"}


class Clock:
    """Adds up the seconds of named parts."""

    def __init__(self, *names: str) -> None:
        self.seconds = dict.fromkeys(names, 0.0)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - begin


def time_run(count: int) -> dict[str, float]:
    """Seconds of planning and running `count` cells that do nothing, in two halves."""
    from rich.console import Console

    from benchmarks import runner
    from benchmarks.progress import Show
    from benchmarks.store import Store

    clock = Clock("plan_s", "run_s", "fold_s")
    want = Selection()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        for cells_so_far in (count // 2, count):
            with planted(NoOp(cells_so_far)):
                with clock("plan_s"):
                    work = runner.plan(want, store, only=["noop"])
                with clock("run_s"), Show(work, 1, Console(file=io.StringIO())) as show:
                    runner.run(work, store, jobs=1, show=show)
                with clock("fold_s"):
                    store.fold()
        with planted(NoOp(count)), clock("plan_s"):
            left = runner.plan(want, store, only=["noop"])
        if left.todo or left.current != count:
            raise RuntimeError(f"{left.current} of {count} cells have their row after the run")
    return clock.seconds


def time_store(count: int, row_s: float = 0.0) -> dict[str, float]:
    """Seconds of appending, folding and reading `count` rows that each took ``row_s`` to measure.

    That time decides how many rows share a wait for the disk.
    """
    from benchmarks.store import Store, row

    clock = Clock("append_s", "fold_s", "read_s")
    with tempfile.TemporaryDirectory() as folder, planted(NoOp(count)):
        store = Store(folder)
        with clock("append_s"):
            for number in range(count):
                cell = noop_cell(number)
                store.append("noop", row(cell, values(cell), "f" * 12, seconds=row_s))
        with clock("fold_s"):
            store.fold()
        with clock("read_s"):
            rows = len(store.table("noop"))
        if rows != count:
            raise RuntimeError(f"{count} rows were stored, {rows} came back")
    return clock.seconds


@contextmanager
def planted(benchmark: Benchmark) -> Iterator[None]:
    """The benchmark is one of the suite's, in this process, for as long as this lasts."""
    cells._BENCHMARKS[benchmark.name] = benchmark
    try:
        yield
    finally:
        del cells._BENCHMARKS[benchmark.name]
