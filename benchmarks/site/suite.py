"""Tables of the page about the suite itself: its overhead, its store, its counting."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks import display, tables
from benchmarks.site.html import Entry, Head, absent, table, value
from benchmarks.site.origin import origin
from benchmarks.store import Store


def overhead(store: Store) -> str:
    """Time that the suite adds to a cell, then how the time of its store grows with the rows."""
    rows = tables.one_machine(store.table("overhead"))
    if rows.empty:
        return absent("What the suite adds to a cell")
    kinds = (
        (
            "run",
            "Runs of cells that measure nothing",
            (Head("Cells"), Head("All", "s"), Head("A cell", "ms")),
            (("Plan", "plan_s"), ("Run", "run_s"), ("Fold", "fold_s")),
        ),
        (
            "store",
            "A store of rows",
            (Head("Rows"), Head("All", "s"), Head("A row", "ms")),
            (("Append", "append_s"), ("Fold", "fold_s"), ("Read", "read_s")),
        ),
        (
            "synced store",
            "A store of rows that each took a second to measure",
            (Head("Rows"), Head("All", "s"), Head("A row", "ms")),
            (("Append and sync", "append_s"), ("Fold", "fold_s"), ("Read", "read_s")),
        ),
    )
    parts = []
    for recipe, title, (what, whole, each), steps in kinds:
        mine = rows[rows["recipe"] == recipe].sort_values("count")
        heads = (what, *(Head(name, "s") for name, _ in steps), whole, each)
        columns = [column for _, column in steps]
        body = [_overhead(row, columns) for row in tables.records(mine)]
        note = "each in a temporary folder, on the disk of the machine"
        parts.append(table(title, note, heads, body, origin(store, mine, "overhead")))
    return "\n".join(parts)


def _overhead(row: Any, columns: list[str]) -> tuple[Entry, ...]:
    def seconds(column: str) -> Entry:
        return value(display.hundredth, getattr(row, column), row.status)

    parts = [seconds(column) for column in (*columns, "total_s")]
    count = value(display.whole, row.count, row.status)
    return (count, *parts, value(display.milliseconds, row.ms_each, row.status))


def counting(store: Store) -> str:
    """Seconds of the same rows on the meta device and by fvcore, and whether they agree."""
    rows = tables.one_machine(store.table("counting"))
    heads = (
        Head("Table", number=False),
        Head("Part", number=False),
        Head("Rows"),
        Head("Meta device", "s"),
        Head("fvcore", "s"),
        Head("Of that its counting", "s"),
        Head("Ratio"),
        Head("Equal", "conv and linear"),
        Head("Equal", "all multiply-adds"),
        Head("No place", "rows"),
    )
    body = [_counting(row) for row in tables.records(rows)]
    body += _together(rows)
    note = "fvcore: create, plug in and count, for each row; equal: rows with equal multiply-adds"
    title = "Counting on the meta device and by fvcore"
    return table(title, note, heads, body, origin(store, rows, "counting"))


def _counting(row: Any) -> tuple[Entry, ...]:
    forms = (
        (display.whole, "rows"),
        (display.hundredth, "seconds_meta"),
        (display.hundredth, "seconds_fvcore"),
        (display.hundredth, "seconds_fvcore_alone"),
        (display.hundredth, "ratio"),
        (display.whole, "equal_conv_linear"),
        (display.whole, "equal_macs"),
        (display.whole, "rows_failed"),
    )
    numbers = (value(form, getattr(row, column), row.status) for form, column in forms)
    return Entry(row.data), Entry(row.recipe), *numbers


def _together(rows: pd.DataFrame) -> list[tuple[Entry, ...]]:
    """Both tables as one, where both were counted."""
    rows = tables.ok(rows)
    if len(rows) < 2:
        return []
    sums: Any = rows.sum(numeric_only=True)
    sums["ratio"] = sums["seconds_fvcore"] / sums["seconds_meta"]
    both = pd.Series({**sums, "data": "both", "recipe": "all of the above", "status": "ok"})
    return [_counting(both)]


def differences(store: Store) -> str:
    """The rows whose multiply-adds differ between the two counters, with the reason."""
    rows = tables.ok(tables.one_machine(store.table("counting")))
    if rows.empty:
        return absent("Rows that differ")
    named = [
        line.partition(": ")
        for words in rows["differences"]
        for line in words.split("; ")
        if ": " in line
    ]
    if not named:
        return '<p class="absent">No row differs.</p>\n'
    heads = (Head("Row", number=False), Head("Why", number=False))
    body = [(Entry(row), Entry(why)) for row, _, why in named]
    return table("Rows that differ", "", heads, body, origin(store, rows, "counting"))
