"""Gates beside constants of the size that they start with: a table, and facts."""

from __future__ import annotations

import pandas as pd

from benchmarks import compare, controls, display, power, tables
from benchmarks.controls import PAIRS
from benchmarks.pairing import Comparison
from benchmarks.site import paired
from benchmarks.site.accuracy import how, judged
from benchmarks.site.html import Entry, Head, absent, table
from benchmarks.site.origin import origin
from benchmarks.site.words import comparison
from benchmarks.store import Store


def judge(rows: pd.DataFrame) -> pd.DataFrame:
    """One line a pair of `PAIRS`: Holm's family is all of them."""
    return paired.judge(rows, PAIRS, controls.title)


def constants(store: Store) -> str:
    """What a gate's start alone does, and what the gate does beside it, in every comparison."""
    heads = (
        Head("Arms", number=False),
        Head("Difference", "top-1, points [95 %]"),
        Head("Bootstrap", "BCa [95 %]"),
        Head("p", "sign-flip, Holm"),
        Head("Seeds ahead", "P(A > B)"),
        Head("Could show", f"points, {100 * power.POWER:.0f} times in 100"),
    )
    parts = []
    for which in controls.comparisons(store):
        rows = controls.rows(store, which)
        frame = judge(rows)
        body = [(Entry(row.arm), *judged(row)) for row in tables.records(frame)]
        start = compare.preview_words(frame, which)
        note = ", ".join([*([start] if start else []), *how(rows, which)])
        places = origin(store, rows, "accuracy", "controls")
        parts.append(table(which.title, f"{note}; {paired.ADJUSTED}", heads, body, places))
    return "\n".join(parts) or absent("Constants in place of gates")


def facts(store: Store) -> dict[str, str]:
    """The lines of the first comparison, in words."""
    found = {f"controls.{key}": display.MISSING for key in PAIRS}
    ranked: list[Comparison] = controls.comparisons(store)
    for which in ranked[:1]:
        frame = judge(controls.rows(store, which))
        start = compare.preview_words(frame, which)
        for row in tables.records(frame):
            text = comparison(row)
            unfinished = start and text != display.MISSING
            found[f"controls.{row.key}"] = f"{start}: {text}" if unfinished else text
    return found
