"""Gates together, and by an earlier recipe whose blocks add nothing before training.

Are they behind as a class, and there too?
"""

from __future__ import annotations

import pandas as pd

from benchmarks import ablated, compare, display, pairing, stats, tables
from benchmarks.cells import MODULES
from benchmarks.controls import FACTORS
from benchmarks.recipes import RECIPES
from benchmarks.site.words import listed
from benchmarks.store import Store

OTHERS = [module for module in MODULES[1:] if module not in FACTORS]


def facts(store: Store) -> dict[str, str]:
    """Both as sentences."""
    return {"accuracy.gates": _together(store), "accuracy.zero_start": _zero_start(store)}


def _together(store: Store) -> str:
    """The mean of the gates less none in the main table, and of the other modules."""
    wide = _wide(store, ablated.planned())
    gates, others = (_less_none(wide, modules) for modules in (list(FACTORS), OTHERS))
    gaps = {
        f"The mean of {listed(list(FACTORS))} less none": gates,
        f"that of {listed(OTHERS)} less none": others,
        "the first less the second": (gates - others).dropna(),
    }
    if min(map(len, gaps.values())) < compare.FEWEST_FOR_INTERVAL:
        return display.NOT_YET
    made = {what: stats.student_interval(gap.tolist()) for what, gap in gaps.items()}
    parts = [
        f"{what}: {display.interval(display.points, one.value, one.low, one.high)}"
        for what, one in made.items()
    ]
    seeds = display.span(map(len, gaps.values()))
    return f"{'; '.join(parts)} points, 95 % intervals of {seeds} paired seeds."


def _zero_start(store: Store) -> str:
    """The mean of the gates, and of the other modules, less none, by seed, as a sentence.

    Of a ResNet alone: `Recipe.last_gain` of zero leaves a norm as timm has it, at zero only there.
    """
    for which in pairing.comparisons(store):
        how = RECIPES.get(which.recipe)
        if which.preview or not pairing.retired(which) or how is None or how.last_gain:
            continue
        if not which.backbone.startswith("resnet"):
            continue
        wide = _wide(store, which)
        gates, others = (_less_none(wide, modules) for modules in (list(FACTORS), OTHERS))
        if len(gates) and len(others):
            epochs = display.many(how.epochs, "epoch")
            return (
                f"There the mean of {listed(list(FACTORS))} less none is {_words(gates)}, that "
                f"of {listed(OTHERS)} {_words(others)}. It is no verdict: the net was "
                f"`{which.backbone}`, trained for {epochs}."
            )
    return display.NOT_YET


def _wide(store: Store, which: pairing.Comparison) -> pd.DataFrame:
    """Accuracies in percent: a line a seed, a column an arm."""
    rows = tables.ok(pairing.accuracy_rows(store, which))
    return rows.pivot(index="seed", columns="arm", values="top1").astype("float64")


def _less_none(wide: pd.DataFrame, modules: list[str]) -> pd.Series:
    """The mean of modules less none, for each seed that has all of them."""
    columns = wide.reindex(columns=["none", *modules]).dropna()
    return columns[modules].mean(axis=1) - columns["none"]


def _words(differences: pd.Series) -> str:
    least, most = display.points(differences.min()), display.points(differences.max())
    seeds = display.many(len(differences), "seed")
    return f"{display.points(differences.mean())} points ({seeds}: {least} to {most})"
