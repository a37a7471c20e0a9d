"""Which heads for segmentation are compared with which, and what people call them."""

from __future__ import annotations

import pandas as pd

from benchmarks import pairing, tables
from benchmarks.pairing import Comparison
from benchmarks.segmentation import MEAN, MEAN_BRANCHES, TWO
from benchmarks.store import Store

BRANCHES = f"none {TWO}"
NAMES = {
    "none": "FCN",
    "pam": "PAM",
    "cam": "CAM",
    "danet": "DANet",
    BRANCHES: "two branches",
    tables.arm(*MEAN): "mean of the map",
    tables.arm(*MEAN_BRANCHES): "two branches, mean",
}
"""Heads by their arm, as people read them."""

PAIRS = {
    "pam": ("pam", "none"),
    "cam": ("cam", "none"),
    "danet": ("danet", "none"),
    "branches": (BRANCHES, "none"),
    "attention": ("danet", BRANCHES),
}
"""What is compared with what, by the name of its fact."""

CONTROLS = {
    "mean": (tables.arm(*MEAN), "none"),
    "pam_mean": ("pam", tables.arm(*MEAN)),
    "branches_mean": (tables.arm(*MEAN_BRANCHES), BRANCHES),
    "danet_mean": ("danet", tables.arm(*MEAN_BRANCHES)),
}
"""Attention beside another way to see the whole scene: a family planned after the first."""


def comparisons(store: Store) -> list[Comparison]:
    """Which rows may be compared, results first."""
    return pairing.comparisons(store, name="segmentation")


def rows_of(store: Store, which: Comparison) -> pd.DataFrame:
    """The rows of a comparison, one a head and seed, of each head's newest code."""
    return pairing.accuracy_rows(store, which, name="segmentation")


def pairs_of(rows: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """`PAIRS`, and any other module in the slot against the head without attention."""
    others = [arm for arm in tables.in_order(rows["arm"]) if arm not in NAMES]
    return PAIRS | {arm: (arm, "none") for arm in others}
