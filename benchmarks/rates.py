"""Learning rates: is the recipe's peak a fair one for each backbone that a processor trains?

Half and twice the recipe's peak beside the peak itself, all else as the main tables are trained,
with the bare backbones alone and on held-out training images. A net keeps the recipe's peak unless
another's mean is higher by `NEEDED` points or more. The rule was written down before the first run.
With two seeds it finds a peak that ruins training and nothing finer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.accuracy import PLANS, SUITE, Accuracy, train_arm
from benchmarks.cells import Cell, Column, Selection
from benchmarks.ladder import DATA, Ladder
from benchmarks.nets import MOBILE
from benchmarks.recipes import PEAKS, RECIPES
from benchmarks.widths import BACKBONE

SEEDS = 2
NEEDED = 0.3
"""Points of mean held-out accuracy by which another peak has to be better."""

BACKBONES = (MOBILE, BACKBONE)


class Rates(Ladder):
    """Accuracy on held-out training images of the bare backbones, peak by peak."""

    name = "rates"
    title = "The recipe with other peaks of the learning rate"
    code = Accuracy.code
    columns = (
        Column("lr", "number", "", "peak of the learning rate"),
        *(column for column in Ladder.columns if column.name != "step"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """All peaks of a seed together. Only a suite of a processor has them."""
        if want.suite != SUITE or want.device != "cpu" or want.modules:
            return
        for backbone in want.backbones or BACKBONES:
            for seed in range(SEEDS):
                for name in PEAKS.values():
                    yield cell(backbone, name, seed)

    def measure(self, cell: Cell) -> dict[str, Any]:
        """Train the bare backbone. Raises Diverged."""
        return {"lr": RECIPES[cell.recipe].lr, **train_arm(cell)}


def cell(backbone: str, recipe: str, seed: int) -> Cell:
    """A run of a backbone, in the precision and layout of its plan or of the main table's."""
    plan = PLANS[SUITE]
    runs = next((r for r in plan if backbone in r.backbones), plan[0])
    return Cell(
        Rates.name,
        backbone,
        data=DATA,
        recipe=recipe,
        seed=seed,
        precision=runs.precision,
        layout=runs.layout,
        batch_size=RECIPES[recipe].batch_size,
        threads=1,
    )
