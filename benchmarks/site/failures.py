"""The table of rows without a value."""

from __future__ import annotations

from typing import Any

from benchmarks import display, tables
from benchmarks.site.html import Entry, Head, table
from benchmarks.store import Store


def failures(store: Store) -> str:
    """Every row without a value, with the reason; coverage has a table of its own."""
    rows = tables.failures(store)
    if rows.empty:
        return "<p>No row outside coverage is without a value.</p>\n"
    titles = ("Benchmark", "Backbone", "Module", "Data", "Recipe", "Seed", "Status", "Reason")
    heads = [Head(title, number=title == "Seed") for title in titles]
    body = [_entries(row) for row in tables.records(rows)]
    note = f"{len(rows)} rows"
    origin = "From all tables of results/."
    return table("Rows without a value", note, heads, body, origin, prose=True)


def _entries(row: Any) -> list[Entry]:
    """What was tried, by which recipe (of a training it names the rate) and seed, and why not."""
    words = (row.benchmark, row.backbone, row.arm, row.data, row.recipe)
    seed = Entry(str(row.seed), row.seed) if display.given(row.seed) else Entry("–")
    named = [Entry(str(word) or "–") for word in words]
    return [*named, seed, Entry(row.status), Entry(display.with_minus(row.reason))]
