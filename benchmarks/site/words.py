"""Verdicts as clauses and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks import display, stats

COUNTED = {
    "higher": ("is higher", "are higher"),
    "lower": ("is lower", "are lower"),
    stats.SAME: ("shows no measurable difference", "show no measurable difference"),
    stats.TOO_FEW: (
        "has not enough seeds for a verdict",
        "have not enough seeds for a verdict",
    ),
}


def after(start: str, text: str, mark: str = "; ") -> str:
    """A text behind what it has to begin with, if there is anything."""
    return f"{start}{mark}{text}" if start else text


def listed(names: Sequence[str]) -> str:
    """``se``, ``se and eca``, ``se, cbam and eca``."""
    *most, last = names or [""]
    return f"{', '.join(most)} and {last}" if most else last


def of_arm(start: str, text: str) -> str:
    """A clause on an arm behind the word for a preview, which one that was not measured lacks."""
    return text if text == display.MISSING else after(start, text, ": ")


def verdict_counts(verdicts: list[str], what: str = "modules") -> str:
    """``Of 8 modules, 2 are higher, 1 is lower, 5 show no measurable difference.``"""
    if not verdicts:
        return f"Accuracy is {display.MISSING}."
    counts = {word: verdicts.count(word) for word in COUNTED if word in verdicts}
    words = [f"{n} {COUNTED[word][n > 1]}" for word, n in counts.items()]
    return f"Of {len(verdicts)} {what}, {', '.join(words)}."


def comparison(row: Any) -> str:
    """One arm against the bare backbone as a clause, with interval, seeds and verdict."""
    if not display.given(row.difference):
        runs = "its only run" if row.failed == 1 else f"all {row.failed} runs"
        return f"{row.gap} in {runs}" if row.failed and not row.seeds else row.gap
    amount = display.points(row.difference)
    seeds = display.many(int(row.pairs), "paired seed")
    if row.failed:
        seeds += f", {display.many(row.failed, 'more run')} {row.no_value}"
    if row.verdict == stats.TOO_FEW:
        return f"not enough seeds for a verdict ({amount} points in the mean of {seeds})"
    ends = f"95 % interval {display.points(row.low)} to {display.points(row.high)}, {seeds}"
    if row.verdict in ("higher", "lower"):
        size = display.percent(abs(row.difference))
        return f"{row.verdict} by {size} points ({ends})"
    if row.low > 0 or row.high < 0:  # the verdict is adjusted for the family, the interval is not
        alone = f"this line alone has the {ends}"
        return f"{row.verdict} once adjusted for all lines of its table ({amount} points; {alone})"
    return f"{row.verdict} ({amount} points, {ends})"
