"""The figure of equal cost: the modules beside the bare backbone's curve of accuracy over cost."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from benchmarks import compare, display, equal_cost, stats, tables
from benchmarks.cells import MODULES
from benchmarks.pairing import Comparison
from benchmarks.site.charts import (
    CANNOT_TELL,
    LOG,
    MARKS,
    Figure,
    axis,
    module_legend,
    module_scale,
    panels,
)
from benchmarks.site.equal_cost import WORDS, by_arm, channels, preview
from benchmarks.site.words import after
from benchmarks.store import Store
from benchmarks.widths import BACKBONE

TICKS = (0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.6, 8)
"""Costs over the bare backbone's that the figure names: a factor of about the root of 2 apart."""

HOLLOW = f"{CANNOT_TELL} || (datum.module != 'none' && !isValid(datum.difference))"
"""Marks that are drawn hollow."""


def figure(store: Store) -> Figure:
    """Accuracy over each kind of cost: the bare backbone's curve, and the modules beside it."""
    found = equal_cost.comparisons(store)
    values = _points(store, found[0]) if found else []
    title = found[0].title if found else BACKBONE
    begun = _begun(store, found[0], values) if values else ""
    caption = (
        f"Test accuracy over cost, {title}, means of the seeds. A line is the bare backbone at "
        "several widths; the marks are modules, with the 95 % interval of their distance from the "
        "line. Above the line a module buys more than width does. Hollow marks: "
        f"{stats.SAME}, {stats.TOO_FEW}, or a mean without a line to compare it with. The axis of "
        "the cost is logarithmic."
    )
    caption = after(begun, caption, ". ")
    words = [word for word in WORDS.values() if any(v["cost"] == word for v in values)]
    if words:
        caption += (
            " Dashed, the Pareto front: nothing trained has a higher mean at the same cost or less."
        )
    fronts = [f"Pareto front by {word}: {', '.join(front(values, word))}" for word in words]
    alt = "; ".join([*(_said(v) for v in values if v["module"] != "none"), *fronts])
    apart = {"axis": {"x": "independent"}}  # an odd panel leaves no axis without a panel
    size = panels("cost", 2, 250, 300, words, resolve=apart)
    return Figure("equal-cost", caption, alt, values, _layers(values), size)


def _begun(store: Store, which: Comparison, values: list[dict[str, Any]]) -> str:
    """What the figure begins with: the words of its lines, or before there are any of its marks."""
    if any("difference" in v for v in values):
        return preview(equal_cost.table(store, which), which)
    return compare.preview_words(compare.accuracy_table(store, which), which)


def _said(value: dict[str, Any]) -> str:
    """A mark of a module in words."""
    if "difference" not in value:
        top1 = display.percent(value["top1"])
        return f"{value['arm']} {top1} %, no width of equal {value['cost']}"
    gap = display.points(value["difference"])
    return f"{value['arm']} {gap} points at equal {value['cost']}, {value['verdict']}"


def front(values: list[dict[str, Any]], cost: str) -> list[str]:
    """The arms on the Pareto front of a panel, the cheapest first."""
    found = [v for v in values if v["cost"] == cost and v["front"]]
    return [v["arm"] for v in sorted(found, key=lambda v: v["times"])]


def _best(value: dict[str, Any], panel: list[dict[str, Any]]) -> bool:
    """Whether nothing is as cheap or cheaper and better."""
    return not any(o["times"] <= value["times"] and o["top1"] > value["top1"] for o in panel)


def _points(store: Store, which: Comparison) -> list[dict[str, Any]]:
    """The widths and the modules, a point a kind of cost that two arms have or more."""
    rows = equal_cost.rows(store, which)
    spent = equal_cost.costs(store, which, rows)
    top1 = tables.ok(rows).groupby("arm")["top1"].mean()
    judged = equal_cost.table(store, which)
    judged = judged[judged["arm"].isin(MODULES)]
    values = []
    for kind, word in WORDS.items():
        known = [arm for arm in top1.index if display.given(spent[kind].get(arm))]
        if "none" not in known or len(known) < 2:
            continue
        bare = [arm for arm in equal_cost.CURVE if arm in known]
        for arm in bare:
            name = f"width {channels(arm):g}"
            values.append({**_at(word, name, spent[kind], arm, top1[arm]), "module": "none"})
        for arm, row in by_arm(judged, kind).items():
            if arm in known:
                line = _line(spent[kind], top1, bare, arm)
                values.append({**_at(word, arm, spent[kind], arm, top1[arm]), **_place(row, line)})
    panels = {word: [v for v in values if v["cost"] == word] for word in WORDS.values()}
    return [{**v, "front": _best(v, panels[v["cost"]])} for v in values]


def _at(cost: str, name: str, spent: pd.Series, arm: str, top1: float) -> dict[str, Any]:
    return {"cost": cost, "arm": name, "times": _times(spent, arm), "top1": display.clean(top1)}


def _line(spent: pd.Series, top1: pd.Series, bare: list[str], arm: str) -> float:
    """The height of the drawn line at the cost of an arm, NaN beyond the widths."""
    share = equal_cost.weights(spent[bare].tolist(), spent[arm]) if len(bare) > 1 else None
    return math.nan if share is None else float(share @ top1[bare].to_numpy(float))


def _place(row: Any, line: float) -> dict[str, Any]:
    """Where a module lies beside the line, if there is one at its cost.

    Its distance is that of paired seeds, of which there may be fewer than the line is drawn from.
    """
    if not display.given(row.difference):
        return {"module": row.arm}
    ends = {"top1": row.difference, "low": row.low, "high": row.high}
    at = {k: display.clean(line + v) for k, v in ends.items() if display.given(v)}
    at |= {"module": row.arm, "verdict": row.verdict, "difference": display.clean(row.difference)}
    return at


def _times(spent: pd.Series, arm: str) -> float:
    """The cost of an arm over that of the bare backbone."""
    return display.clean(spent[arm] / spent["none"])


def _layers(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The Pareto front, the curve, the intervals of the distances from it, and the marks."""
    legend = {**MARKS, **module_legend(values)}
    x = axis("times", "times none", scale=LOG, axis={"values": list(TICKS), "format": "~g"})
    # A reader's font may be wider than the one that was measured.
    y = axis("top1", "top-1, %", scale={"zero": False}, axis={"minExtent": 46})
    colour = module_scale("color", legend)
    return [
        {
            "mark": {
                "type": "line",
                "interpolate": "step-after",
                "strokeDash": [3, 3],
                "color": "gray",
            },
            "transform": [{"filter": "datum.front"}],
            "encoding": {"x": x, "y": y},
        },
        {
            "mark": {"type": "line", "strokeWidth": 2},
            "transform": [{"filter": "datum.module == 'none'"}],
            "encoding": {"x": x, "y": y, "color": colour},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 2},
            "transform": [{"filter": "isValid(datum.low)"}],
            "encoding": {
                "x": x,
                "y": {**y, "field": "low"},
                "y2": {"field": "high"},
                "color": colour,
            },
        },
        {
            "mark": {"type": "point", "filled": True, "size": 90, "strokeWidth": 2},
            "encoding": {
                "x": x,
                "y": y,
                "color": colour,
                "stroke": module_scale("color"),
                "shape": module_scale("shape", legend),
                "fillOpacity": {"condition": {"test": HOLLOW, "value": 0}, "value": 1},
            },
        },
    ]
