"""Headroom: how much of the bare network's error on a mechanism task is due to its difficulty.

The bare backbone of `mechanism` learns scenes with the same objects, labels and seeds, but without
what makes the task hard (`eased`). What it gains by that is about what a module could gain that
does what its paper says and nothing else. It was planned when the results of the tasks were known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.accuracy import build, run_seed
from benchmarks.cells import Cell, Selection
from benchmarks.mechanism import RECIPE, SIZES, SOURCE, Mechanism
from benchmarks.recipes import RECIPES

WITHOUT = {
    "mark": "the marked object alone",
    "scale": "every object at its usual size",
    "clutter": "no patches",
    "channels": "nothing in the other channels",
}
"""The tasks that can be made easy, and what is left of them. In *position* and *pair* the question
itself is the difficulty."""


class Headroom(Mechanism):
    """Train the bare backbone of the mechanism tasks on scenes without their difficulty."""

    name = "headroom"
    title = "Mechanism tasks without what makes them hard"
    code = (
        *(part for part in Mechanism.code if not part.startswith("benchmarks/mechanism.py")),
        "benchmarks/eased.py",
        "benchmarks/headroom.py::train_eased",
    )
    columns = tuple(column for column in Mechanism.columns if column.name != "scenes")

    def cells(self, want: Selection) -> Iterator[Cell]:
        """The bare backbone, seed by seed, on each task that can be made easy."""
        if want.modules:
            return
        for cell in super().cells(want):
            if cell.module == "none" and cell.recipe == RECIPE and cell.data in WITHOUT:
                yield cell

    def measure(self, cell: Cell) -> dict[str, Any]:
        """Train one seed. Raises Diverged when the loss blows up."""
        return train_eased(cell)


def train_eased(cell: Cell) -> dict[str, Any]:
    """Compose the easy scenes of a cell, train and test its model as `mechanism.train_arm` does."""
    import torch

    from benchmarks import data, eased, training

    torch.set_num_threads(cell.threads or 1)
    images, seed = data.load(SOURCE), run_seed(cell)
    train, test = SIZES[cell.recipe]
    train_x, train_y = eased.compose(cell.data, images.train_x, images.train_y, train, seed)
    test_x, test_y = eased.compose(cell.data, images.test_x, images.test_y, test, seed + 1)
    classes = images.num_classes
    made = data.Images(cell.data, train_x, train_y, test_x, test_y, classes, flip=False)
    model = build(cell, classes, train_x.shape[1])
    outcome = training.train(model, made, RECIPES[cell.recipe], seed=seed)
    kept = ("top1", "test_loss", "train_loss", "epochs")
    return {name: getattr(outcome, name) for name in kept} | {
        "classes": classes,
        "train_images": train,
        "test_images": test,
        "params": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }
