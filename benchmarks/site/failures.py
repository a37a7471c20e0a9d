"""The table of rows without a value."""

from __future__ import annotations

from benchmarks import tables
from benchmarks.site.html import Entry, Head, table
from benchmarks.store import Store


def failures(store: Store) -> str:
    """Every row without a value, with the reason; coverage has a table of its own."""
    rows = tables.failures(store)
    if rows.empty:
        return "<p>No row outside coverage is without a value.</p>\n"
    titles = ("Benchmark", "Backbone", "Module", "Status", "Reason")
    heads = [Head(title, number=False) for title in titles]
    body = [
        [Entry(str(v)) for v in (r.benchmark, r.backbone, r.arm, r.status, r.reason)]
        for r in tables.records(rows)
    ]
    note = f"{len(rows)} rows"
    return table("Rows without a value", note, heads, body, "From all tables of results/.")
