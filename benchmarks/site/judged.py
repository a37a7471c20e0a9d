"""Columns that tables of trained arms share: the difference with its tests, accuracy, seeds."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from benchmarks import display, power, tables
from benchmarks.pairing import Comparison
from benchmarks.recipes import RECIPES
from benchmarks.site import paired
from benchmarks.site.html import LOST, Entry, Head, table, value
from benchmarks.site.paired import difference


def how(rows: pd.DataFrame, which: Comparison) -> list[str]:
    """Recipe, epochs, device and images of a comparison, in words."""
    done = tables.ok(rows)
    words = [f"recipe {which.recipe}", which.device]
    if which.recipe in RECIPES:
        words.insert(1, display.many(RECIPES[which.recipe].epochs, "epoch"))
    if len(done):
        words.append(f"{display.whole(done['train_images'].iloc[0])} training images")
        words.append(f"{display.whole(done['test_images'].iloc[0])} test images")
    return words


def older(rows: int) -> list[str]:
    """Words about rows of older code, if there are any."""
    return [f"{display.many(rows, 'row')} of older code left out"] if rows else []


def top1(row: Any) -> Entry:
    return value(display.percent, row.top1) if display.given(row.top1) else Entry(row.no_value)


def seeds(row: Any) -> Entry:
    words = [f"{LOST}: {row.failed}"] if row.failed else []
    if display.given(row.pairs) and row.pairs < row.seeds:
        words.append(f"paired: {row.pairs:.0f}")
    return Entry(str(row.seeds), row.seeds, word=", ".join(words))


def judged_heads(value: str, other: str = "none") -> tuple[Head, ...]:
    """The titles over `judged`, of a value in percent; ``other`` is what is taken from it.

    It is "" where every line has another.
    """
    return (
        Head(f"Difference to {other}" if other else "Difference", f"{value}, points [95 %]"),
        Head("Bootstrap", "BCa [95 %]"),
        Head("p", "sign-flip, Holm"),
        Head("Seeds ahead", f"of {other}, P(A > B)" if other else "P(A > B)"),
        Head("Could show", f"points, {power.OFTEN}"),
    )


def judged(row: Any) -> list[Entry]:
    """Difference, the bootstrap's ends, p, share of seeds ahead, what the seeds could have shown.

    ``row`` is one of `compare.judged`.
    """
    if row.arm == "none":
        return [Entry(display.REFERENCE, sort) for sort in (0.0, 0.0, 1.0, 0.5, 0.0)]
    return [difference(row), *tested(row)]


def tested(row: Any) -> list[Entry]:
    """Of `judged` all but the difference."""
    ends = f"[{display.points(row.bca_low)}, {display.points(row.bca_high)}]"
    return [
        Entry(ends, row.bca_low)
        if display.given(row.bca_low)
        else Entry("too few seeds" if row.pairs > 0 else display.MISSING),
        value(_p, row.p_holm),
        value(_share, row.ahead),
        smallest(row.could_show),
    ]


def of_pairs(
    title: str, note: str, frame: pd.DataFrame, words: tuple[str, str], places: str
) -> str:
    """A table of `compare.judge`; ``words`` say what is compared in which measure, in percent."""
    what, measure = words
    heads = (Head(what, number=False), *judged_heads(measure, other=""))
    body = [(Entry(row.arm), *judged(row)) for row in tables.records(frame)]
    return table(title, f"{note}; {paired.ADJUSTED}", heads, body, places)


def smallest(effect: Any) -> Entry:
    """A smallest difference that can be shown: a number, or that it is nothing."""
    if display.given(effect) and math.isinf(effect):
        return Entry("nothing")
    return value(display.hundredth, effect)


def _p(number: Any) -> str:
    return "below 0.001" if number < 0.001 else f"{number:.3f}"


def _share(number: Any) -> str:
    return f"{100 * number:.0f} %"
