"""What else the budget could buy: tables of the modules beside the wider backbone."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks import compare, display, equal_cost, tables
from benchmarks.pairing import Comparison
from benchmarks.site import paired
from benchmarks.site.html import Entry, Head, absent, deviation, runs, table, value
from benchmarks.site.origin import origin
from benchmarks.site.words import after, listed, verdict_counts
from benchmarks.store import Store
from benchmarks.widths import BACKBONE, WIDTHS

WORDS = {"params": "parameters", "macs": "multiply-adds", "latency_ms": "latency"}
"""The kinds of cost as people read them."""


def by_arm(frame: pd.DataFrame, kind: str) -> dict[str, Any]:
    """The rows of `equal_cost.table` of one kind of cost, by arm."""
    return {row.arm: row for row in tables.records(frame[frame["cost"] == kind])}


def modules(store: Store) -> str:
    """Every module less the bare backbone of as many parameters, multiply-adds, milliseconds."""
    heads = [Head("Module", number=False)]
    heads += [Head(f"At equal {word}", "top-1, points [95 %]") for word in WORDS.values()]
    heads += [Head(word.capitalize(), "times none") for word in WORDS.values()]
    parts = []
    for which in equal_cost.comparisons(store):
        frame = equal_cost.table(store, which)
        kinds = [by_arm(frame, kind) for kind in WORDS]
        body = [
            [
                Entry(arm),
                *(paired.difference(rows[arm]) for rows in kinds),
                *(value(display.ratio, rows[arm].times) for rows in kinds),
            ]
            for arm in kinds[0]
        ]
        rows = equal_cost.rows(store, which)
        note = "less the bare backbone at the width of equal cost, the mean of paired seeds; "
        note += paired.ADJUSTED_BY_COLUMN
        title = f"At equal cost: {which.title}"
        note = "; ".join([note, *paired.across_none(rows)])
        note = after(preview(frame, which), note)
        parts.append(table(title, note, heads, body, _origins(store, which, rows)))
    return "\n".join(parts) or absent("Modules at equal cost")


def preview(frame: pd.DataFrame, which: Comparison) -> str:
    """What a table that is no result begins with; of the kind of cost with the most pairs."""
    pairs = frame.groupby("cost")["pairs"].count()
    most = frame[frame["cost"] == pairs.idxmax()]
    return compare.preview_words(most, which)


def facts(store: Store) -> dict[str, str]:
    """Verdicts against the bare backbone of equal cost, one fact a kind of cost."""
    widths = listed([f"{width:g}" for width in WIDTHS.values()])
    found = {"equal.backbone": BACKBONE, "equal.widths": widths}
    found |= {f"equal.{kind}": display.NOT_YET for kind in equal_cost.COSTS}
    for which in equal_cost.comparisons(store)[:1]:
        frame = equal_cost.table(store, which)
        for kind, mine in frame.dropna(subset="verdict").groupby("cost"):
            start = preview(frame, which)
            counts = verdict_counts(mine["verdict"].tolist())
            beyond = int((frame[frame["cost"] == kind]["gap"] == equal_cost.OUTSIDE).sum())
            counts += f" {beyond} more: {equal_cost.OUTSIDE}." if beyond else ""
            found[f"equal.{kind}"] = after(start, counts, ". ")
    return found


def widths(store: Store) -> str:
    """The bare backbone at every width: costs and accuracy."""
    heads = (
        Head("Channels", "times those of the backbone"),
        Head("Parameters"),
        Head("Multiply-adds", "one image"),
        Head("Latency", "ms"),
        Head("Top-1", "%, mean of the seeds"),
        Head("Deviation", "between seeds"),
        Head("Seeds"),
    )
    parts = []
    for which in equal_cost.comparisons(store):
        rows = equal_cost.rows(store, which)
        spent = equal_cost.costs(store, which, rows)
        body = [_width(arm, rows, spent) for arm in sorted(equal_cost.CURVE, key=channels)]
        places = _origins(store, which, rows[rows["arm"].isin(equal_cost.CURVE)])
        parts.append(table(f"Widths: {which.title}", "the bare backbone", heads, body, places))
    return "\n".join(parts) or absent("The bare backbone at other widths")


def _origins(store: Store, which: Comparison, rows: pd.DataFrame) -> str:
    """Where accuracies, multiply-adds and times come from."""
    places = [origin(store, rows, "accuracy")]
    counted = tables.counted(store, "widths")
    if len(counted):
        places.append(f"Multiply-adds: {origin(store, counted, 'widths')}")
    setting = compare.latency_setting(store, which)
    if setting:
        nets = [{**setting, "backbone": name} for name in (which.backbone, *WIDTHS)]
        times = pd.concat([tables.latency_table(store, net) for net in nets])
        words = tables.setting_words(setting)
        places.append(f"Latency ({words}): {origin(store, times, 'latency')}")
    return "<br>".join(places)


def channels(arm: str) -> float:
    """Channels of an arm of the curve over those of the backbone."""
    return WIDTHS.get(arm, 1.0)


def _width(arm: str, rows: pd.DataFrame, spent: pd.DataFrame) -> list[Entry]:
    mine = rows[rows["arm"] == arm]
    top1 = tables.ok(mine)["top1"].astype(float)
    lost = len(mine) - len(top1)
    form = {"params": display.whole, "macs": display.count, "latency_ms": display.milliseconds}
    return [
        Entry(f"{channels(arm):g}", channels(arm)),
        *(value(form[kind], spent[kind].get(arm)) for kind in WORDS),
        value(display.percent, top1.mean()),
        deviation(top1.std(), len(top1)),
        runs(len(top1), lost),
    ]
