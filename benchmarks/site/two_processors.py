"""The same trainings on two processors: how far they are apart, and their differences to none."""

from __future__ import annotations

import pandas as pd

from benchmarks import ablated, compare, display, pairing, stats, tables
from benchmarks.site.html import Entry, Head, absent, of_interval, table, value
from benchmarks.site.origin import origin, processors, record
from benchmarks.site.words import listed
from benchmarks.store import Store

WHAT = "The same trainings on two processors"
REFERENCE = Entry(display.REFERENCE, 0.0)


def rows_of(store: Store) -> pd.DataFrame:
    """The runs of the main table that machines with two processors have, of the two with most."""
    rows = tables.ok(pairing.current(pairing.every_row(store, ablated.planned())))
    rows = rows[rows.duplicated(["arm", "seed"], keep=False)]
    kinds = {m: record(store, "machines", m).get("processor", m) for m in tables.machines(rows)}
    first_of_each = pd.Series(kinds).drop_duplicates().index[:2]
    rows = rows[rows["machine"].isin(first_of_each)]
    return rows[rows.duplicated(["arm", "seed"], keep=False)]


def _names(store: Store, rows: pd.DataFrame) -> dict[str, str]:
    """What the two are called, first the one with most of the main table."""
    names = processors(store, rows)
    ranked = tables.machines(pairing.every_row(store, ablated.planned()))
    return {machine: names[machine] for machine in ranked if machine in names}


def _wide(rows: pd.DataFrame, machines: list[str], column: str = "top1") -> list[pd.DataFrame]:
    """The column by machine: a line a seed, a column an arm."""
    found = [rows[rows["machine"] == machine] for machine in machines]
    return [mine.pivot(index="seed", columns="arm", values=column) for mine in found]


def trainings(store: Store) -> str:
    """A line an arm: its mean on each, what a run moves by, its difference to none on each."""
    rows = rows_of(store)
    if rows.empty:
        return absent(WHAT)
    names = _names(store, rows)
    short, machines = list(names.values()), list(names)
    one, two = (frame.astype("float64") for frame in _wide(rows, machines))
    bits = _wide(rows, machines, "correct")
    equal = (bits[0] == bits[1]) & bits[0].map(display.given)
    nothing = pd.Series(dtype="float64")
    less = [frame.sub(frame.get("none", nothing), axis=0) for frame in (one, two)]
    heads = [Head("Arm", number=False)]
    heads += [Head(f"Top-1, {name}", "%, mean") for name in short]
    heads += [Head("Second less first", "points [95 %]"), Head("Equal runs", "in every image")]
    heads += [Head(f"Less none, {name}", "points [95 %]") for name in short]
    heads += [Head("Second less first", "of these differences, points [95 %]")]
    body = [
        (
            Entry(arm),
            *(value(display.percent, frame[arm].mean()) for frame in (one, two)),
            _mean(two[arm] - one[arm]),
            Entry(f"{equal[arm].sum()} of {one[arm].count()}", int(equal[arm].sum())),
            *(REFERENCE if arm == "none" else _mean(frame[arm]) for frame in less),
            REFERENCE if arm == "none" else _mean(less[1][arm] - less[0][arm]),
        )
        for arm in tables.in_order(rows["arm"])
    ]
    note = "an interval is of one line alone, and no verdict is made of it"
    return table(WHAT, note, heads, body, origin(store, rows, "accuracy"))


def _mean(points: pd.Series) -> Entry:
    """The mean of points by seed with its interval, from so many seeds as one needs."""
    found = points.dropna().tolist()
    if len(found) < compare.FEWEST_FOR_INTERVAL:
        return Entry("too few seeds")
    return of_interval(display.points, stats.student_interval(found))


def facts(store: Store) -> dict[str, str]:
    """Which arms, how far a run of one seed moves, and the differences to none on both."""
    rows = rows_of(store)
    if rows.empty:
        return dict.fromkeys(("moved.what", "moved.by", "moved.less"), display.MISSING)
    names = _names(store, rows)
    one, two = (frame.astype("float64") for frame in _wide(rows, list(names)))
    gaps = (two - one).stack().dropna().abs()
    both = []
    for arm in tables.in_order(one.columns.drop("none") if "none" in one else ()):
        pairs = zip(names.values(), (one, two), strict=True)
        less = [_on(name, wide[arm] - wide["none"]) for name, wide in pairs]
        if all(less):
            both.append(f"{arm} less none is {' and '.join(less)}")
    arms, seeds = listed(tables.in_order(rows["arm"])), int(rows["seed"].nunique())
    return {
        "moved.what": f"{arms}, {display.many(seeds, 'seed')}, on {' and '.join(names.values())}",
        "moved.by": (
            f"{display.percent(gaps.median())} points in the median, "
            f"{display.percent(gaps.max())} at most"
        ),
        "moved.less": "; ".join(both) or display.MISSING,
    }


def _on(name: str, points: pd.Series) -> str:
    entry = _mean(points)
    return f"{entry.text} {entry.interval} points on {name}" if entry.interval else ""
