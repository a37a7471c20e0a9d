"""Tables of what a choice between paper and code changes: size, function, and DANet's memory."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks import display, tables
from benchmarks.memory import MIB
from benchmarks.site.html import Entry, Head, absent, estimate, runs, table, value
from benchmarks.site.origin import origin
from benchmarks.site.papers import MAP, rows
from benchmarks.store import Store


def choices(store: Store) -> str:
    """What each disagreement between a paper and its code changes in size."""
    measured = rows(store)
    mine = measured[measured["paper"] == "Choices"]
    if mine.empty:
        return absent("Choices")
    heads = [
        Head("Choice", number=False),
        Head("Network and module", number=False),
        Head("Parameters"),
        Head("Multiply-adds"),
        Head("Said by", number=False),
    ]
    parts = []
    for name, group in mine.groupby("table", sort=False):
        body, noted = [], any(group["note"].fillna("") != "")
        titles = [*heads, *([Head("Note", number=False)] if noted else [])]
        for _, both in group.groupby(["network", "printed_module", "printed_variant"], sort=False):
            found = {row.metric: row for row in tables.records(both)}
            first = next(iter(found.values()))
            numbers = [_count(found.get(metric)) for metric in ("params", "FLOPs")]
            where = f"{first.network} {first.printed_module}".strip()
            said = [Entry(first.basis or "–"), *([Entry(first.note or "–")] if noted else [])]
            body.append([Entry(first.printed_variant), Entry(where), *numbers, *said])
        added = any(str(text).startswith("added") for text in group["counted"])
        note = "added to the bare network" if added else "whole network"
        parts.append(table(str(name), note, titles, body, origin(store, group, "paper")))
    return "\n".join(parts)


def _count(row: Any) -> Entry:
    return Entry("–") if row is None else value(display.whole, row.computed)


def effects(store: Store) -> str:
    """How far the functions of paper and code are apart, over the seeds."""
    measured = tables.ok(store.table("effects"))
    heads = (
        Head("Module", number=False),
        Head("Change of the output", "times what the module adds, mean"),
        Head("Direction", "cosine, mean"),
        Head("Seeds"),
    )
    body = []
    for module, mine in measured.groupby("module", sort=False):
        numbers = [_spread(mine[name]) for name in ("change", "cosine")]
        body.append((Entry(str(module)), *numbers, runs(len(mine))))
    note = "form='code' against form='paper', equal random weights, nothing trained"
    places = origin(store, measured, "effects")
    return table("The function, code against paper", note, heads, body, places)


def _spread(values: pd.Series) -> Entry:
    """The mean, with the smallest and the largest below."""
    return estimate(display.hundredth, values.mean(), values.min(), values.max(), "")


def attention_map(store: Store) -> str:
    """How the memory of position attention's map grows with the crop."""
    measured = rows(store)
    mine = measured[measured["table"] == MAP]
    heads = (
        Head("Crop", number=False),
        Head("Positions", "output stride 8"),
        Head("Elements of the map", "counted"),
        Head("Memory", "MiB an image, float32"),
        Head("Memory", "MiB an image, float16"),
    )
    body = [
        (
            Entry(row.printed_variant),
            value(display.whole, row.input_size**2),
            value(display.whole, row.computed),
            value(display.tenth, row.computed * 4 / MIB),
            value(display.tenth, row.computed * 2 / MIB),
        )
        for row in tables.records(mine.sort_values("input_size"))
    ]
    note = "one softmax of one image; training keeps it for the backward pass"
    return table("Position attention's map", note, heads, body, origin(store, mine, "paper"))
