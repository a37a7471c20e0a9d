"""How the rows of a benchmark stand to its code: current, stale, missing, without a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from benchmarks import runner, tables
from benchmarks.cells import CELL_COLUMNS, Benchmark, Cell, Selection
from benchmarks.own_modules import is_own
from benchmarks.store import Store


@dataclass(frozen=True)
class Standing:
    """Cells of a selection by what their rows are; ``others`` are rows of none of these cells."""

    current: int = 0
    stale: int = 0
    """Their rows were measured by older code."""
    missing: int = 0
    """They have no row, or none of this machine where only such a row counts."""
    valueless: int = 0
    """Their rows are of the present code and have no value."""
    others: int = 0
    others_stale: int = 0
    others_unknown: int = 0
    """Rows of a module, backbone or recipe that is not here: their code can't be compared."""

    def __add__(self, other: Standing) -> Standing:
        names = [field.name for field in fields(self)]
        return Standing(**{name: getattr(self, name) + getattr(other, name) for name in names})

    def words(self) -> str:
        """The cells of the selection, as people read it."""
        counts = f"{self.current} current, {self.stale} stale, {self.missing} missing"
        return f"{counts}, {self.valueless} without a value" if self.valueless else counts

    def other_words(self) -> str:
        """The rows beside the selection; "" if there are none."""
        if not self.others:
            return ""
        unknown = f", {self.others_unknown} of code that is not here" * bool(self.others_unknown)
        return f"{self.others} other rows, {self.others_stale} of them stale{unknown}"


def standing(benchmark: Benchmark, want: Selection, store: Store) -> Standing:
    """Compare the rows of a benchmark with a selection and with the code."""
    rows = tables.Rows(benchmark, store)
    others = dict(rows.by_place)
    counts: Counter[str] = Counter()
    for cell in dict.fromkeys(benchmark.cells(want)):
        row = rows.find(cell)
        if row is not None:
            others.pop((row.key, row.machine), None)
        counts[_state(rows, cell, row)] += 1
    return Standing(**counts) + _others(rows, others.values())


def _state(rows: tables.Rows, cell: Cell, row: Any) -> str:
    if row is None:
        return "missing"
    if not rows.codes.gives(row, runner.fingerprint(rows.benchmark, cell)):
        return "stale"
    return "current" if row.status == "ok" else "valueless"


def _others(rows: tables.Rows, others: Iterable[Any]) -> Standing:
    """Rows of another suite, another machine or a user's own modules."""
    found = stale = unknown = 0
    for row in others:
        found += 1
        if is_own(row.module):  # what a table names is not run for a count
            unknown += 1
            continue
        try:
            stale += _state(rows, cell_of(row), row) == "stale"
        except Exception:  # whatever a module or recipe that is gone raises, by its benchmark
            unknown += 1
    return Standing(others=found, others_stale=stale, others_unknown=unknown)


def cell_of(row: Any) -> Cell:
    """The cell that a row measured."""
    values: dict[str, Any] = {}
    for column in CELL_COLUMNS:
        value = getattr(row, column.name)
        if column.type == "integer":
            value = None if pd.isna(value) else int(value)
        values[column.name] = value
    return Cell(**values)
