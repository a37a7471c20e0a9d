"""The table of recipes: what each step gives on held-out training images."""

from __future__ import annotations

import pandas as pd

from benchmarks import display, tables
from benchmarks.recipes import LADDER
from benchmarks.site.html import Entry, Head, absent, table, value
from benchmarks.site.origin import origin
from benchmarks.store import Store


def ladder(store: Store) -> str:
    """One table a backbone: accuracy of each step, its gain over the one before, its time."""
    rows = store.table("ladder")
    if rows.empty:
        return absent("The steps of the recipe")
    return "\n".join(_ladder(store, str(name), mine) for name, mine in rows.groupby("backbone"))


def _ladder(store: Store, backbone: str, rows: pd.DataFrame) -> str:
    heads = (
        Head("Step", number=False),
        Head("Held-out images", "top-1, %, mean"),
        Head("Gain", "points over the step above"),
        Head("Deviation", "between seeds"),
        Head("Seeds"),
        Head("Epochs"),
        Head("Time of a run", "s, one thread"),
    )
    body, before = [], None
    for step in LADDER:
        mine = rows[rows["recipe"] == step.recipe.name]
        done = tables.ok(mine)
        lost = f"without a value: {len(mine) - len(done)}" if len(done) < len(mine) else ""
        top1 = done["top1"].mean()
        gain = top1 - before if before is not None else None
        body.append(
            (
                Entry(step.what),
                value(display.percent, top1),
                value(display.points, gain) if before is not None else Entry(display.REFERENCE),
                value(display.percent, done["top1"].std()),
                Entry(str(len(done)), len(done), word=lost),
                value(display.whole, step.recipe.epochs),
                value(display.whole, done["seconds"].mean()),
            )
        )
        before = top1
    note = "each step is the one above it and one change; the bare backbone"
    places = origin(store, tables.ok(rows), "ladder")
    return table(f"Steps of the recipe on {backbone}", note, heads, body, places)
