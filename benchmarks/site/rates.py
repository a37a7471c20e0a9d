"""The table of peaks of the learning rate, and what it says of each backbone."""

from __future__ import annotations

import pandas as pd

from benchmarks import display, pairing, tables
from benchmarks.nets import MOBILE
from benchmarks.rates import BACKBONES, NEEDED, SEEDS, cell
from benchmarks.recipes import PEAKS
from benchmarks.site.html import Entry, Head, absent, deviation, runs, table, value
from benchmarks.site.origin import origin
from benchmarks.store import Store
from benchmarks.widths import BACKBONE

OWN = "full"
"""The recipe whose peak is in question."""

FACTS = {BACKBONE: "rates.resnet", MOBILE: "rates.mobile"}


def rates(store: Store) -> str:
    """One line a backbone and peak: accuracy on held-out images, and less the recipe's own peak."""
    title = "Other peaks of the learning rate"
    if store.table("rates").empty:
        return absent(title)
    heads = (
        Head("Network", number=False),
        Head("Peak"),
        Head("Held-out images", "top-1, %, mean"),
        Head("Difference", "points, to the recipe's own"),
        Head("Deviation", "between seeds"),
        Head("Seeds"),
    )
    body, shown = [], []
    for backbone in BACKBONES:
        mine = {recipe: _runs(store, backbone, recipe) for recipe in PEAKS.values()}
        shown += mine.values()
        means = {recipe: _top1(rows).mean() for recipe, rows in mine.items()}
        for peak, recipe in PEAKS.items():
            top1, lost = _top1(mine[recipe]), len(tables.failed(mine[recipe]))
            gap = value(display.points, means[recipe] - means[OWN])
            body.append(
                (
                    Entry(backbone),
                    Entry(f"{peak:g}", peak),
                    value(display.percent, means[recipe]),
                    Entry(display.REFERENCE, 0.0) if recipe == OWN else gap,
                    deviation(top1.std(), len(top1)),
                    runs(len(top1), lost),
                )
            )
    note = (
        "the recipe of the main tables with another peak, the bare backbone. The seeds of two "
        "peaks share a number only, and so few give a mean no useful interval"
    )
    return table(title, note, heads, body, origin(store, pd.concat(shown), "rates"))


def facts(store: Store) -> dict[str, str]:
    """In words what becomes of each network's peak."""
    found = {name: _said(store, backbone) for backbone, name in FACTS.items()}
    return found | {"rates.needed": f"{NEEDED:g}", "rates.seeds": str(SEEDS)}


def _said(store: Store, backbone: str) -> str:
    tried = {recipe: _runs(store, backbone, recipe) for recipe in PEAKS.values()}
    if any(len(rows) < SEEDS for rows in tried.values()):
        return display.MISSING
    means = {peak: _top1(tried[recipe]).mean() for peak, recipe in PEAKS.items()}
    own = next(peak for peak, recipe in PEAKS.items() if recipe == OWN)
    if not display.given(means[own]):
        return f"no run with {own:g} ended with a value"
    others = {peak: mean for peak, mean in means.items() if peak != own and display.given(mean)}
    if not others:
        return f"no run with a peak other than {own:g} ended with a value"
    best = max(others, key=lambda peak: others[peak])
    gap = others[best] - means[own]
    side = "above" if gap >= 0 else "below"
    words = (
        f"the best other peak, {best:g}, is {display.percent(abs(gap))} points {side} the recipe's "
        f"{own:g}"
    )
    if gap >= NEEDED:
        return f"{words}, which is enough for a change"
    return f"{words}; a change takes a lead of {NEEDED:g} points, so {own:g} stays"


def _runs(store: Store, backbone: str, recipe: str) -> pd.DataFrame:
    """The runs of a backbone and peak as they are planned, one a seed, of their newest code."""
    wanted = cell(backbone, recipe, 0)
    same = {name: getattr(wanted, name) for name in ("backbone", "recipe", "precision", "layout")}
    return pairing.runs_of(store, "rates", f"{backbone}, {recipe}", **same)


def _top1(rows: pd.DataFrame) -> pd.Series:
    return tables.ok(rows)["top1"].astype(float)
