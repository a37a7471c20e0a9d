"""The table of suites, from their definition."""

from __future__ import annotations

from benchmarks.cells import SUITES
from benchmarks.site.html import Entry, Head, table
from benchmarks.store import Store


def suites(store: Store) -> str:
    """The suites by name; the same for every store."""
    heads = [Head(title, number=False) for title in ("Suite", "What it measures", "Device")]
    body = [[Entry(s.name), Entry(s.description), Entry(s.device)] for s in SUITES.values()]
    return table("Suites", "", heads, body, "Options add to a suite or narrow it, see below.")
