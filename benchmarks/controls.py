"""Controls: does a gate do something, or only its size?

The recipe of the main table starts the last norm of a residual block where it was best for the bare
backbone. A gate multiplies that: SE's and ECA's are 1/2 before training, in the mean over channels,
the two of CBAM and of coordinate attention together 1/4. So a gated arm starts with smaller
residual branches than the recipe was chosen for, and a step of the norm's weight changes them less.
A control is a constant factor of that size in the same slot, trained as the main table's arms are,
with their seeds. Control less the bare backbone is what the factor does; module less control is
everything else, looking at the image included. A *rescaled* gate is multiplied by one over that
factor: less the bare backbone it is what a gate does where its size is no handicap, and less the
gate as published what the size does.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from benchmarks import pairing, tables
from benchmarks.accuracy import Accuracy, beside
from benchmarks.cells import Cell, Selection
from benchmarks.pairing import Comparison
from benchmarks.store import Store

CONSTANT = "benchmarks.constant:ConstantGate"
HALF, QUARTER = (CONSTANT, "start=0.5"), (CONSTANT, "start=0.25")
FACTORS = {"se": 2, "eca": 2, "cbam": 4, "coord": 4}
"""What a gate is multiplied by; a test compares them with those of `rescaled`."""

RESCALED = {gate: ("benchmarks.rescaled:Rescaled", f"gate='{gate}'") for gate in FACTORS}
NAMES = {tables.arm(*HALF): "constant 1/2", tables.arm(*QUARTER): "constant 1/4"}
NAMES |= {tables.arm(*arm): f"{gate} × {FACTORS[gate]}" for gate, arm in RESCALED.items()}
"""Controls by their arm, as people read them."""

TRAINED = ((HALF, QUARTER), tuple(RESCALED.values()))
"""The arms that are trained, family by family."""

PAIRS = {
    "half": (tables.arm(*HALF), "none"),
    "quarter": (tables.arm(*QUARTER), "none"),
    "se": ("se", tables.arm(*HALF)),
    "eca": ("eca", tables.arm(*HALF)),
    "cbam": ("cbam", tables.arm(*QUARTER)),
    "coord": ("coord", tables.arm(*QUARTER)),
}
"""What is compared with what, by the name of its fact: one family for Holm's correction."""

RESCALED_PAIRS = {gate: (tables.arm(*arm), "none") for gate, arm in RESCALED.items()}
"""The same of the rescaled gates: another family."""

FREED_PAIRS = {gate: (tables.arm(*arm), gate) for gate, arm in RESCALED.items()}
"""Each rescaled gate and itself as published: the test of whether its size matters, a third."""

FAMILIES = {"constants": PAIRS, "rescaled": RESCALED_PAIRS, "freed": FREED_PAIRS}
"""The three families by the name of their table."""

ARMS = {arm for pair in (*PAIRS.values(), *RESCALED_PAIRS.values()) for arm in pair}


class Controls(Accuracy):
    """Train the controls as the arms of the main table; last-epoch test accuracy."""

    name = "controls"
    title = (
        "Controls: constants in place of gates, and rescaled gates, trained as the main table is"
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """A family first and seed by seed in it; `accuracy` trains what a reader asks for."""
        return beside(super().cells, want, TRAINED)


def comparisons(store: Store) -> list[Comparison]:
    """The comparisons with rows of controls, in the order of the pages."""
    return pairing.comparisons(store, name="controls")


def every_row(store: Store, which: Comparison) -> pd.DataFrame:
    """The rows of controls and of what they are compared with, those of older code too."""
    return pairing.of(pairing.beside(store, "accuracy", "controls", ARMS, NAMES), which)


def rows(store: Store, which: Comparison) -> pd.DataFrame:
    """Of `every_row` one an arm and seed, of each arm's newest code.

    A seed's rows are of one machine where they can be, see `pairing.accuracy_rows`.
    """
    return pairing.chosen(store, every_row(store, which), which)
