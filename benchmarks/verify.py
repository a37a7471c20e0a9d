"""Measure a few rows of the tables again and compare every value, to the bit.

A spot-check takes rows of present code, of each benchmark that times nothing. It changes no table.

With ``stale`` it takes trained rows of older code: a change of code makes rows stale even if it
changes no value, and a table of trained rows takes hours. Of the rows that differ by their seed
alone and that one code had measured, the first is measured again, on the machine that measured it.
If all its values are equal, these rows count as those of the present code (`reproduced`); if not,
they stay stale, and the row stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from benchmarks import engine, preflight, runner, schema, tables
from benchmarks.cells import Benchmark, Cell, Selection, benchmarks, choose
from benchmarks.runner import Plan
from benchmarks.status import cell_of
from benchmarks.store import Store

VARYING = ("images_per_second", "resident_mib", "malloc")
"""Columns that two measurements need not have in common."""

LOST = "lost"
"""Status of a row that could not be measured again: nothing was compared."""

ROWS = 3
"""Rows of a benchmark that a spot-check takes, unless the reader asks for more."""


def spot_check(
    want: Selection, store: Store, rows: int | None = None, *, only: Sequence[str] = ()
) -> Plan:
    """So many rows of each benchmark (`ROWS`), those of this machine first; keys, hashes, choose.

    Raises ValueError for an unknown benchmark and for one that times what it measures.
    """
    untimed = _untimed()
    for name in only:
        choose(name, list(benchmarks()), "benchmark")
        if name not in untimed:
            raise ValueError(
                f"benchmark {name!r} was asked for, but it measures times, which never come out "
                f"equal; choose from {', '.join(untimed)}, or measure yours: "
                f"python -m benchmarks run --only {name}"
            )
    result = Plan()
    for name in only or untimed:
        benchmark = benchmarks()[name]
        found = tables.Rows(benchmark, store)
        good: dict[Cell, Any] = {}
        for cell in benchmark.cells(want):
            row = found.find(cell)
            if row is None or row.status != "ok":
                continue
            if found.codes.gives(row, runner.fingerprint(benchmark, cell)):
                good[cell] = row
        first = sorted(good, key=lambda cell: (good[cell].machine != found.here, cell.key))[
            : rows or ROWS
        ]
        if first:
            result.todo[name] = first
            result.seconds |= {cell: good[cell].seconds for cell in first}
    return result


def _untimed() -> list[str]:
    """The benchmarks whose values can come out equal."""
    return [name for name, benchmark in benchmarks().items() if not benchmark.exclusive]


def of_keys(keys: Sequence[str], store: Store) -> Plan:
    """The rows with these keys, whatever suite they are of and however old their code is.

    Raises ValueError for a key that no row has, one whose row has no value, is a time or a preview
    of another machine, and for a device that is not here.
    """
    result, left = Plan(), dict.fromkeys(keys)
    for name, benchmark in benchmarks().items():
        rows = tables.Rows(benchmark, store)
        named = rows.table[rows.table["key"].isin(list(left))]
        for row in tables.records(named.drop_duplicates("key")):
            cell = cell_of(row)
            found = rows.find(cell)
            what = f"the row of the key {row.key!r}, {cell.title},"
            if name not in _untimed():
                raise ValueError(
                    f"{what} is a time, which never comes out equal; verify compares rows of "
                    f"{', '.join(_untimed())}"
                )
            if found is None:
                raise ValueError(
                    f"{what} is a preview of another machine, or what another GPU measured of "
                    "itself, which this one need not repeat; choose a row of a training of the "
                    "suite cpu or gpu"
                )
            if found.status != "ok":
                raise ValueError(
                    f"{what} has no value to compare with ({found.status}: {found.reason}); "
                    "run --retry measures it again"
                )
            preflight.check_device(cell.device)
            result.todo.setdefault(name, []).append(cell)
            result.seconds[cell] = found.seconds
            del left[row.key]
    if left:
        raise ValueError(
            f"no row of {store.root} has the key {', '.join(map(repr, left))}; a key is what the "
            "column `key` of a table holds, 12 hexadecimal digits"
        )
    return result


def stale(want: Selection, store: Store, *, only: Sequence[str] = ()) -> Plan:
    """Of stale trained cells the first of each kind and older code that this machine measured.

    Not of those that a time decides, such as the steps of so many seconds: they come out otherwise.
    """
    every = runner.plan(want, store, only=only)
    result = Plan(current=every.current)
    older = _rows(store, every.stale)
    codes = {name: store.codes(name) for name in {cell.benchmark for cell in every.stale}}
    seen = set()
    for cell in every.stale:
        benchmark, row = benchmarks()[cell.benchmark], older.get(cell)
        timed = benchmark.exclusive and benchmark.same_machine(cell)
        if timed or row is None or row.machine != tables.here() or row.status != "ok":
            result.stale.append(cell)
            continue
        kind = (replace(cell, seed=None), codes[cell.benchmark].code(row))
        if kind in seen:
            result.stale.append(cell)
            continue
        seen.add(kind)
        result.todo.setdefault(cell.benchmark, []).append(cell)
        result.seconds[cell] = row.seconds
    return result


def _rows(store: Store, cells: Iterable[Cell]) -> dict[Cell, Any]:
    """The row of each cell that has one, that of this machine first."""
    read: dict[str, tables.Rows] = {}
    found = {}
    for cell in cells:
        name = cell.benchmark
        if name not in read:
            read[name] = tables.Rows(benchmarks()[name], store)
        found[cell] = read[name].find(cell)
    return {cell: row for cell, row in found.items() if row is not None}


@dataclass
class Judge:
    """Compares new rows with those that a plan took; see `runner.run`.

    With ``keep`` an equal row takes the place of the older one, and the code of both is written
    down. ``values`` counts what was compared and equal.
    """

    store: Store
    work: Plan
    keep: bool
    values: int = 0
    _older: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        cells = [cell for todo in self.work.todo.values() for cell in todo]
        self._older = {cell.key: row for cell, row in _rows(self.store, cells).items()}

    def __call__(self, new: dict[str, Any]) -> tuple[str, str]:
        """What became of a row, and why: ``ok`` and ``equal``, ``differs``, or `LOST`."""
        if new["status"] in (*engine.ENDED, engine.BUSY):
            return LOST, f"{new['status']}: {new['reason']}"
        if new["status"] != "ok":
            return "differs", new["reason"]
        benchmark, old = benchmarks()[new["benchmark"]], self._older[new["key"]]
        names = [column.name for column in benchmark.columns if column.name not in VARYING]
        now = _typed(benchmark, new)
        differ = [name for name in names if not _equal(getattr(old, name), getattr(now, name))]
        if differ:
            words = "; ".join(_difference(name, old, now) for name in differ)
            return "differs", f"{words}{_excuse(old, new)}"
        self.values += len(names)
        if not self.keep:
            return "equal", ""
        found = {"before": old.fingerprint, "after": new["fingerprint"], "values": len(names)}
        self.store.confirm({**new, **found})
        return "ok", ""


def _typed(benchmark: Benchmark, values: dict[str, Any]) -> Any:
    """A new row as the table gives it."""
    plain = {name: schema.plain(value) for name, value in values.items()}
    frame = pd.DataFrame([plain], dtype=object)
    return tables.records(schema.typed(frame, schema.columns(benchmark)))[0]


def _equal(old: Any, new: Any) -> bool:
    if pd.isna(old) or pd.isna(new):
        return bool(pd.isna(old) and pd.isna(new))
    return bool(old == new)


def _difference(name: str, old: Any, new: Any) -> str:
    before, after = getattr(old, name), getattr(new, name)
    if isinstance(before, str) and isinstance(after, str) and len(before + after) > 80:
        return f"{name} is another"
    return f"{name} is {after}, was {before}"


def _excuse(old: Any, new: dict[str, Any]) -> str:
    """What else may have changed the last digits of a value."""
    other = [what for what in ("machine", "environment") if getattr(old, what) != new[what]]
    words = {"machine": "on another machine", "environment": "with other versions of libraries"}
    measured = " and ".join(words[what] for what in other)
    return f" (it was measured {measured}, which may round otherwise)" if other else ""
