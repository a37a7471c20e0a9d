"""The arms of an ablation against their module's default, and against the bare backbone.

Rows of `ablation` are paired with those of `accuracy` of the same comparison and seed, by the
rules of `compare`. The options less the default are one family for Holm's correction, those less
the bare backbone another.
"""

from __future__ import annotations

import pandas as pd

from benchmarks import compare, pairing
from benchmarks.ablation import Family
from benchmarks.accuracy import PLANS, SUITE, Runs
from benchmarks.cells import SUITES
from benchmarks.pairing import Comparison
from benchmarks.recipes import RECIPES
from benchmarks.store import Store


def planned(main: Runs = PLANS[SUITE][0]) -> Comparison:
    """What the suite trains: the comparison of its main table, or of other runs of one backbone."""
    how = (SUITES[SUITE].device, main.precision, main.layout, RECIPES[main.recipe].batch_size)
    return Comparison(main.data, main.backbones[0], main.recipe, *how)


def comparisons(store: Store) -> list[Comparison]:
    """The comparisons with rows of options, in the order of the pages."""
    return pairing.comparisons(store, name="ablation")


def every_row(store: Store, which: Comparison, family: Family) -> pd.DataFrame:
    """The rows of a family's arms, its default and the bare backbone, those of older code too."""
    arms = ("none", family.module, *family.names)
    return pairing.of(pairing.beside(store, "accuracy", "ablation", arms, family.names), which)


def rows(store: Store, which: Comparison, family: Family) -> pd.DataFrame:
    """Of `every_row` one an arm and seed, by code that the default's is not newer than.

    A seed's rows are of one machine where they can be, see `pairing.accuracy_rows`.
    """
    found = every_row(store, which, family)
    return pairing.chosen(store, found, which, reference=family.module)


def options(rows: pd.DataFrame) -> pd.DataFrame:
    """Of these rows those of options: neither the default's nor the bare backbone's."""
    return rows[rows["benchmark"] == "ablation"]


def against_default(rows: pd.DataFrame, family: Family) -> pd.DataFrame:
    """`compare.judged` of the family's arms less its default, in the family's order."""
    lines = [family.module, *family.names]
    modules = rows[rows["arm"] != "none"]
    table = compare.judged(modules, expected=lines, reference=family.module)
    return _ordered(table, lines)


def against_none(rows: pd.DataFrame, family: Family) -> pd.DataFrame:
    """`compare.judged` of the family's arms less the bare backbone, and the default's line.

    The default has no verdict here: the main table judges the same pairs, in its own family.
    """
    default = rows["arm"] == family.module
    arms = compare.judged(rows[~default], expected=["none", *family.names])
    both = rows[default | (rows["arm"] == "none")]
    line = compare.judged(both, expected=["none", family.module]).iloc[[1]]
    line = line.assign(verdict=None, p_holm=float("nan"), could_show=float("nan"))
    return _ordered(
        pd.concat([arms, line], ignore_index=True), ["none", family.module, *family.names]
    )


def _ordered(table: pd.DataFrame, lines: list[str]) -> pd.DataFrame:
    return table.set_index("arm", drop=False).loc[lines].reset_index(drop=True)
