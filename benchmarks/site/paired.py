"""What pages of trained runs share: means, paired differences, and marks with their ends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from benchmarks import display, pairing, stats, tables
from benchmarks.site.html import OFF_SCALE, Entry, estimate, of_interval, runs, value
from benchmarks.store import Store


def adjusted(lines: str) -> str:
    """Why there may be no measurable difference beside an interval without zero."""
    return f"an interval is of one line alone, a verdict is adjusted for {lines}"


ADJUSTED = adjusted("all lines of the table")

LESS = "a less b: the accuracy of a minus that of b"
"""What the names of lines say that compare two arms."""

HOLLOW = "Hollow marks: no verdict of higher or lower."
ADJUSTED_MARKS = (
    "An interval is of one line alone, a verdict is adjusted for all of them: one can leave zero "
    f"out beside no measurable difference. {HOLLOW}"
)
"""Beneath a figure with intervals."""

ADJUSTED_BY_COLUMN = adjusted("all lines of its column")
"""The same of a table whose columns are families of their own."""


def rows_of(store: Store, name: str) -> pd.DataFrame:
    """The rows of one machine, failed ones included."""
    return tables.one_machine(store.table(name))


def three(share: float) -> str:
    """A share to three decimals, as the notes print accuracies."""
    return f"{display.clean(share):.3f}"


def mean(rows: pd.DataFrame, column: str, form: Any = three, most: float = math.inf) -> Entry:
    """The mean over the seeds with its 95 % interval; a word if runs have no value.

    ``most`` is the largest value that there can be where the smallest is zero, if there is one; an
    interval that leaves these bounds has a word too.
    """
    done = tables.ok(rows)[column].dropna()
    words = ", ".join(sorted(set(tables.failed(rows)["status"])))
    if done.empty:
        return Entry(words or display.MISSING)
    found = float(done.mean())
    ends, said = "", []
    if len(done) > 1:
        interval = stats.student_interval(done.tolist())
        shown = form(interval.low), form(interval.high)
        ends = f"[{', '.join(shown)}]"
        low, high = (float(end.replace(display.MINUS, "-")) for end in shown)
        if most < math.inf and (low < 0 or high > most):
            said.append(OFF_SCALE)
    if lost := len(rows) - len(done):
        said.append(f"without a value: {lost} {words}")
    return Entry(form(found), found, ends, "; ".join(said))


def difference(row: Any, reference: str = "none") -> Entry:
    """The paired difference of a row of `compare.family`, or the word in its place."""
    if row.arm == reference:
        return Entry(display.REFERENCE, 0.0)
    if not display.given(row.difference):
        return Entry(row.gap)
    return estimate(display.points, row.difference, row.low, row.high, row.verdict)


def across(rows: pd.DataFrame, pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Words about pairs whose two runs are of different machines or library versions, if any."""
    kinds = {"machine": "two machines", "environment": "two sets of library versions"}
    two_arms = [(rows[rows["arm"].isin(pair)], pair[1]) for pair in pairs]
    counts = {kind: sum(pairing.crossed(*pair, kind) for pair in two_arms) for kind in kinds}
    return [f"{display.many(n, 'pair')} across {kinds[kind]}" for kind, n in counts.items() if n]


def across_none(rows: pd.DataFrame) -> list[str]:
    """The same of every arm and the bare backbone."""
    return across(rows, with_none(rows))


def with_none(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Every arm and the bare backbone, as pairs."""
    return [(arm, "none") for arm in dict.fromkeys(rows["arm"]) if arm != "none"]


def with_tasks(made: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows of all tasks together; an arm of each is one of its own: ``none, scale``."""
    named = [r.assign(arm=[f"{arm}, {task}" for arm in r["arm"]]) for task, r in made.items()]
    return pd.concat(named, ignore_index=True)


def differences(one: pd.DataFrame, other: pd.DataFrame, column: str) -> list[float]:
    """One less the other, for each seed that both have."""
    both = [tables.ok(rows).set_index("seed")[column].astype(float) for rows in (one, other)]
    return (both[0] - both[1]).dropna().tolist()


def drawn(frame: pd.DataFrame, digits: int = 9, **more: Any) -> list[dict[str, Any]]:
    """The values of a chart of differences: one a line of `compare.family` that has one.

    Numbers are rounded to ``digits``, as `display.clean` does; ``more`` is in every value.
    """
    values = []
    for row in frame[frame["difference"].notna()].to_dict("records"):
        words = {"arm": row["arm"], "module": row.get("module", row["arm"].split()[0])}
        given = {k: row[k] for k in ("difference", "low", "high") if display.given(row[k])}
        numbers = {k: round(float(number), digits) for k, number in given.items()}
        values.append({**more, **words, "verdict": row["verdict"], **numbers})
    return values


def said(value: dict[str, Any]) -> str:
    """One of the values of `drawn` in words."""
    return f"{value['arm']} {display.points(value['difference'])}, {value['verdict']}"


def change(one: pd.DataFrame, other: pd.DataFrame, column: str) -> Entry:
    """Mean difference in points, paired by seed, with its 95 % interval."""
    found = differences(one, other, column)
    if not found:
        return Entry(display.MISSING)
    return of_interval(display.points, stats.student_interval(found))


def percent(rows: pd.DataFrame, column: str = "accuracy") -> Entry:
    """The mean over the seeds with its interval, in percent."""
    return mean(rows, column, display.percent, most=100)


def rate_and_seeds(rows: pd.DataFrame) -> tuple[Entry, Entry]:
    """The rate of an arm and how many seeds were trained."""
    seeds = len(tables.ok(rows))
    return value(lambda lr: f"{lr:g}", rows["lr"].max()), runs(seeds)


def power_of_ten(number: float) -> str:
    """A power of ten with its sign: ``+0.3``."""
    text = f"{display.clean(number):+.1f}"
    return "0.0" if float(text) == 0 else display.signed(text)


def ends(found: list[float]) -> dict[str, float]:
    """Mean and interval without the digits in which two versions of a library may differ."""
    made = stats.student_interval(found)
    numbers = {"mean": made.value, "low": made.low, "high": made.high}
    return {name: display.clean(number) for name, number in numbers.items() if number == number}


def marks(encoding: dict[str, Any], along: str = "x") -> list[dict[str, Any]]:
    """Points, and a line from the low to the high end of each interval."""
    reach = {along: {**encoding[along], "field": "low"}, f"{along}2": {"field": "high"}}
    rule = {k: v for k, v in encoding.items() if k != "shape"} | reach
    return [
        {
            "mark": {"type": "rule", "strokeWidth": 2},
            "transform": [{"filter": "isValid(datum.low)"}],
            "encoding": {"color": {"value": "@ink"}, **rule},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 70},
            "encoding": {"color": {"value": "@ink"}, **encoding},
        },
    ]
