"""The table of recipes: what each step gives on held-out training images."""

from __future__ import annotations

import pandas as pd

from benchmarks import display, pairing, stats, tables
from benchmarks.ladder import SEEDS
from benchmarks.recipes import LADDER, Step
from benchmarks.site.html import Entry, Head, absent, deviation, of_interval, runs, table, value
from benchmarks.site.origin import origin
from benchmarks.store import Store
from benchmarks.widths import BACKBONE


def ladder(store: Store) -> str:
    """One table a backbone: accuracy of each step, its gain over the one before, its time."""
    backbones = sorted(store.table("ladder")["backbone"].unique())
    if not backbones:
        return absent("The steps of the recipe")
    return "\n".join(_ladder(store, name) for name in backbones)


def _ladder(store: Store, backbone: str) -> str:
    heads = (
        Head("Step", number=False),
        Head("Held-out images", "top-1, %, mean"),
        Head("Gain", "points over the step above [95 %]"),
        Head("Deviation", "between seeds"),
        Head("Seeds"),
        Head("Epochs"),
        Head("Fastest run", "s, one thread"),
    )
    title = f"Steps of the recipe on {backbone}"
    steps = [_step(store, step, backbone) for step in LADDER]
    body, before = [], None
    for step, mine in zip(LADDER, steps, strict=True):
        done = tables.ok(mine)
        top1 = done["top1"].astype(float).tolist()
        gain = Entry(display.REFERENCE)
        if before is not None:
            gain = of_interval(display.points, stats.welch_interval(top1, before))
        body.append(
            (
                Entry(step.what),
                value(display.percent, done["top1"].mean()),
                gain,
                deviation(done["top1"].std(), len(done)),
                runs(len(done), len(mine) - len(done)),
                value(display.whole, step.recipe.epochs),
                value(display.whole, done["seconds"].min()),
            )
        )
        before = top1
    note = (
        "each step is the one above it and one change; the bare backbone. The seeds of two steps "
        "share a number only, so a gain has Welch's interval of two separate means. Runs go on "
        "beside other work, which makes them longer: the fastest one says most of a step's time. "
        "Gains are of unrounded means"
    )
    return table(title, note, heads, body, origin(store, tables.ok(pd.concat(steps)), "ladder"))


def facts(store: Store) -> dict[str, str]:
    """Which steps so many seeds can tell from the one before, in the net of the main table."""
    steps = [_step(store, step, BACKBONE) for step in LADDER]
    top1 = [tables.ok(mine)["top1"].astype(float).tolist() for mine in steps]
    if any(len(values) < SEEDS for values in top1):
        return {"ladder.shown": display.MISSING}
    pairs = zip(LADDER[1:], top1[1:], top1[:-1], strict=True)
    gaps = {step.what: stats.welch_interval(mine, before) for step, mine, before in pairs}
    seen = [what for what, gap in gaps.items() if gap.low > 0 or gap.high < 0]
    words = f"{len(seen)} of {len(gaps)} steps"
    return {"ladder.shown": f"{words} ({'; '.join(seen)})" if seen else words}


def _step(store: Store, step: Step, backbone: str) -> pd.DataFrame:
    """The runs of a step, one a seed, of its newest code."""
    same = {"recipe": step.recipe.name, "layout": step.layout, "precision": step.precision}
    title = f"{backbone}, {step.recipe.name}"
    return pairing.runs_of(store, "ladder", title, backbone=backbone, **same)
