"""The ladder of recipes: what each step from a plain recipe to that of the main table gives.

Every step is trained and measured on a split of the training set, so that whoever chooses a recipe
by this table has not seen the test set; and with the bare backbone alone, so that no module is
favoured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.accuracy import Accuracy, layers, train_arm
from benchmarks.cells import Benchmark, Cell, Column, Selection, benchmarks
from benchmarks.recipes import LADDER, RECIPES
from benchmarks.widths import BACKBONE

DATA = "fashion-mnist-validation"
SEEDS = 3


class Ladder(Benchmark):
    """Accuracy on held-out training images of the bare backbone, recipe by recipe."""

    name = "ladder"
    title = "What each step of the recipe gives"
    trained = True
    default_seconds = 30.0
    code = (*Accuracy.code, "benchmarks/ladder.py")
    columns = (
        Column("step", "string", "", "what the recipe adds to the one before"),
        *(
            Column(c.name, c.type, c.unit, c.description.replace("test", "held-out"))
            for c in Accuracy.columns
        ),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """All steps of a seed together. Only a suite of a processor has them."""
        if want.suite != "cpu" or want.device != "cpu" or want.modules:
            return
        for seed in range(SEEDS):
            for backbone in want.backbones or (BACKBONE,):
                for step in LADDER:
                    yield Cell(
                        self.name,
                        backbone,
                        data=DATA,
                        recipe=step.recipe.name,
                        seed=seed,
                        precision=step.precision,
                        layout=step.layout,
                        batch_size=step.recipe.batch_size,
                        threads=1,
                    )

    def guess(self, cell: Cell) -> float:
        """So many seconds an epoch."""
        return self.default_seconds * RECIPES[cell.recipe].epochs

    def check(self, cells: Sequence[Cell]) -> None:
        """Load the images: DataError before any training if they are missing."""
        benchmarks()["accuracy"].check(cells)

    def configuration(self, cell: Cell) -> Any:
        """The recipe and the layers of the model."""
        return asdict(RECIPES[cell.recipe]), layers(cell.backbone, cell.module, cell.variant)

    def measure(self, cell: Cell) -> dict[str, Any]:
        """Train the bare backbone. Raises Diverged."""
        (step,) = (step.what for step in LADDER if step.recipe.name == cell.recipe)
        return {"step": step, **train_arm(cell)}
