"""Tables of trained arms: the leaderboard, and every comparison with its tests."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from benchmarks import compare, display, equal_cost, pairing, power, tables
from benchmarks.accuracy import PLANS
from benchmarks.pairing import Comparison
from benchmarks.site import paired
from benchmarks.site.equal_cost import WORDS, by_arm, preview
from benchmarks.site.html import Entry, Head, absent, deviation, table, value
from benchmarks.site.judged import how, judged, judged_heads, older, seeds, tested, top1
from benchmarks.site.latency import kept, time
from benchmarks.site.origin import origin
from benchmarks.site.paired import difference
from benchmarks.site.words import after, listed
from benchmarks.store import Store


def about(store: Store, which: Comparison, name: str = "accuracy") -> str:
    """One line on how the runs of a comparison were trained; a preview begins with the word.

    ``name`` is the table that has them.
    """
    rows = pairing.accuracy_rows(store, which, name=name)
    words = how(rows, which)
    words += older(pairing.left_out(pairing.every_row(store, which, name)))
    words += paired.across_none(rows)
    if name == "accuracy" and pairing.retired(which):
        words.append("an earlier recipe, which no suite trains any more")
    frame = compare.judged(rows)
    if (frame["pairs"] < frame.loc[frame["arm"] == "none", "seeds"].max()).any():
        words.append("differences are of the seeds that an arm and none have both")
    return after(compare.preview_words(frame, which), ", ".join(words))


def correlation(row: Any) -> Entry:
    """How alike an arm and none vary from seed to seed."""
    if row.arm == "none":
        return Entry(display.REFERENCE, 1.0)
    if not display.given(row.correlation):
        return Entry("too few pairs" if display.given(row.pairs) else row.gap)
    return value(display.hundredth, row.correlation)


def resolution(frame: pd.DataFrame) -> str:
    """How large a difference the seeds of a table find, as a sentence; "" before there are pairs.

    ``frame`` is that of `compare.judged`.
    """
    known = frame[frame["could_show"].notna()]
    if known.empty:
        return ""
    if known["could_show"].min() == math.inf:
        return "These seeds are too few to find a difference of any size."
    finite = known[known["could_show"] < math.inf].sort_values("could_show", kind="stable")
    found = [f"{display.percent(r.could_show)} points ({r.arm})" for r in tables.records(finite)]
    none = listed(known[known["could_show"] == math.inf]["arm"].tolist())
    return (
        "As the differences vary from seed to seed, so many seeds find a true difference of "
        f"{' to '.join(dict.fromkeys((found[0], found[-1])))} {power.OFTEN}"
        f"{f', for {none} of no size' * bool(none)}. From so few seeds these sizes are rough, "
        "and which module has which says little."
    )


def _at_equal_cost(arm: str, equal: dict[str, Any]) -> Entry:
    """An arm of a leaderboard less the curve at its multiply-adds, ``equal`` by arm."""
    if arm == "none":
        return Entry(display.REFERENCE, 0.0)
    return difference(equal[arm]) if arm in equal else Entry(display.MISSING)


def board(
    store: Store, which: Comparison, frame: pd.DataFrame
) -> tuple[list[dict[str, Entry]], list[str], dict[str, Any] | None]:
    """Accuracy and costs of every arm of ``frame``, the comparison's `compare.accuracy_table`.

    Then where its multiply-adds were counted, in words, and the setting of its times, if any. It
    is the comparison's own backbone if it has rows, else the first of `tables.references` that has.
    """
    backbone = tables.reference(tables.cost_rows(store), which.backbone)
    counts = tables.cost_table(store, backbone)
    setting = compare.latency_setting(store, which)
    untimed = {"backbone": which.backbone, "device": which.device}
    times = tables.latency_table(store, setting or untimed)
    costs, clock = tables.by_arm(counts), tables.by_arm(times)
    mine = costs if backbone == which.backbone else {}
    bare = frame.set_index("arm")["params"]["none"]
    lines = [
        {
            "arm": Entry(row.arm),
            "difference": difference(row),
            "top1": top1(row),
            "seeds": seeds(row),
            "params": _params(row.params - bare, mine.get(row.arm)),
            "macs": _macs(costs.get(row.arm)),
            "time": time(clock.get(row.arm)),
        }
        for row in tables.records(frame)
    ]
    return lines, list(filter(None, (backbone, tables.pixels(counts)))), setting


def _params(trained: Any, row: Any) -> Entry:
    """Parameters that a trained arm has more than none; untrained, what is counted for it."""
    if display.given(trained) or row is None:
        return value(display.added, trained)
    return value(display.added, row.params_added, row.status)


def _macs(row: Any) -> Entry:
    """Multiply-adds that a row of `tables.cost_table` adds; None is not measured."""
    if row is None:
        return Entry(display.MISSING)
    return value(display.added, row.macs_added, row.status)


def leaderboard(store: Store, which: Comparison) -> str:
    """Accuracy, size, operations and time of every arm in one table."""
    lines, counted, setting = board(store, which, compare.accuracy_table(store, which))
    equal = by_arm(equal_cost.table(store, which), "macs")
    priced = any(display.given(row.difference) for row in equal.values())
    places = origin(store, pairing.accuracy_rows(store, which), "accuracy")
    clock = f"{which.backbone}, {display.MISSING}"
    if setting:
        timed = tables.latency_table(store, setting)
        places += f"<br>Latency: {origin(store, timed, 'latency')}"
        words = [setting["backbone"], *tables.setting_words(setting).split(", ")[:-2]]
        words += [
            f"batch {setting['batch_size']}",
            f"noise floor {tables.noise_floor(timed)}{kept([timed])}",
        ]
        clock = ", ".join(words)
    heads = (
        Head("Module", number=False),
        Head("Difference to none", "top-1, points [95 %]"),
        *(
            [Head("At equal multiply-adds", "top-1, points less none of equal cost [95 %]")]
            * priced
        ),
        Head("Top-1", "%, mean of the seeds"),
        Head("Seeds"),
        Head("Parameters added", which.backbone),
        Head("Multiply-adds added", ", one image of ".join(counted)),
        Head("Latency, times none [95 %, one session]", clock),
    )
    body = []
    for line in lines:
        arm, less, *others = line.values()
        body.append((arm, less, *([_at_equal_cost(arm.text, equal)] * priced), *others))
    note = f"{about(store, which)}; {paired.ADJUSTED_BY_COLUMN}; one on latency is not adjusted"
    return table(which.title, note, heads, body, places)


def shown(store: Store) -> list[Comparison]:
    """The comparisons that a suite still trains and that are no preview of a few epochs.

    Where there is none, the first of the others stands in.
    """
    found = compare.main_first(store)
    return [c for c in found if not (c.preview or pairing.retired(c))] or found[:1]


def leaderboards(store: Store) -> str:
    """One a comparison of `shown`."""
    return "\n".join(leaderboard(store, c) for c in shown(store)) or absent("Accuracy")


def main_leaderboard(store: Store) -> str:
    """The leaderboard of the first comparison alone."""
    found = compare.main_first(store)
    return leaderboard(store, found[0]) if found else absent("Accuracy")


def accuracy(store: Store) -> str:
    """Every comparison: difference, interval, corrected p and verdict, and what failed."""
    heads = (
        Head("Module", number=False),
        *judged_heads("top-1"),
        Head("Top-1", "%, mean"),
        Head("Deviation", "between seeds"),
        Head("Correlation", "with none, over the seeds"),
        Head("Seeds"),
        Head("Parameters"),
    )
    parts = []
    found = [
        (name, which)
        for name in ("accuracy", "imagenet")
        for which in compare.main_first(store, name=name)
    ]
    for name, which in found:
        rows = pairing.accuracy_rows(store, which, name=name)
        body = [
            (
                Entry(row.arm),
                *judged(row),
                top1(row),
                deviation(row.top1_sd, row.seeds),
                correlation(row),
                seeds(row),
                value(display.whole, row.params),
            )
            for row in tables.records(compare.judged(rows))
        ]
        note = f"{about(store, which, name)}; {paired.ADJUSTED}"
        parts.append(f"\n### {which.title}\n")
        parts.append(table(which.title, note, heads, body, origin(store, rows, name)))
    return "\n".join([*parts, *(absent(what) for what in _unmeasured(store))])


def at_equal_cost(store: Store) -> str:
    """The tests of `equal_cost.modules`: a line an arm and kind of cost that has a curve there."""
    heads = (
        Head("Module", number=False),
        Head("At equal", number=False),
        *judged_heads("top-1", "none of equal cost"),
        Head("Pairs"),
    )
    parts = []
    for which in equal_cost.comparisons(store):
        frame = equal_cost.table(store, which)
        kinds = frame["cost"].map(WORDS)
        compared = frame.assign(kind=kinds)[frame["difference"].notna()]
        body = [
            (
                Entry(row.arm),
                Entry(row.kind),
                difference(row),
                *tested(row),
                value(display.whole, row.pairs),
            )
            for row in tables.records(compared)
        ]
        rows = equal_cost.rows(store, which)
        words = ["each kind of cost is a family of its own"]
        words += paired.across_none(rows)
        note = after(preview(frame, which), "; ".join(words))
        if body:
            title = f"Tests at equal cost: {which.title}"
            parts.append(table(title, note, heads, body, origin(store, rows, "accuracy")))
    return "\n".join(parts) or absent("Tests at equal cost")


def _unmeasured(store: Store) -> list[str]:
    rows = store.table("accuracy")
    there = set(zip(rows["data"], rows["backbone"], rows["recipe"], strict=True))
    missing = [
        f"{backbone} on {runs.data}, {runs.recipe}, {runs.precision}{where}"
        for suite, where in (("cpu", ""), ("gpu", ", on a GPU"))
        for runs in PLANS[suite]
        for backbone in runs.backbones
        if len(runs.arms) > 1 and (runs.data, backbone, runs.recipe) not in there
    ]
    return missing if len(store.table("imagenet")) else [*missing, "ImageNet"]
