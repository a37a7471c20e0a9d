"""Optimisers: five rules on one small network, each with the same nine rates.

Which rate a rule is judged by is chosen on held-out training images (`notes.grids`); the test
images decide nothing. The rates are constant, so that nothing else is tuned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.provenance import versions

RULES = ("sgd", "momentum", "nesterov", "adam", "adamw")
RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
SEEDS = 5
WITHIN = 2.0
"""Points of held-out accuracy below a rule's best that still count as good."""

PREVIEW = (("sgd", 0.001), ("adam", 0.001), ("momentum", 0.03))


def recipe(lr: float) -> str:
    """A rate as a recipe is called: ``lr=0.001``."""
    return f"lr={lr:g}"


class OptimisersBenchmark(Benchmark):
    """Accuracy and training loss of one rule at one rate."""

    name = "optimisers"
    title = "Five optimisers with the same nine rates"
    trained = True
    plugs = False
    default_seconds = 3.0
    code = (
        "benchmarks/optimisers.py",
        "benchmarks/notes/parts.py",
        "benchmarks/notes/small.py",
        "benchmarks/notes/rules.py",
        "benchmarks/data.py::Images",
        "benchmarks/data.py::_fashion_mnist",
    )
    columns = (
        Column("held", "number", "%", "held-out training images that are right at the end"),
        Column("test", "number", "%", "test images that are right at the end"),
        Column("train", "number", "%", "images trained on that are right at the end"),
        Column("first_loss", "number", "nat", "mean training loss during the first epoch"),
        Column("last_loss", "number", "nat", "mean training loss during the last epoch"),
        Column("losses", "string", "nat", "mean training loss during each epoch"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """Seed by seed, so that a run cut short has whole grids."""
        if want.suite not in ("quick", "cpu") or want.modules is not None or want.backbones:
            return
        quick = want.suite == "quick"
        arms = PREVIEW if quick else tuple(product(RULES, RATES))
        for seed, (rule, lr) in product(range(1 if quick else SEEDS), arms):
            yield Cell(self.name, "cnn", "none", rule, "fashion-mnist", recipe(lr), seed, threads=1)

    def check(self, cells: Sequence[Cell]) -> None:
        """DataError before any training if the images can't be had."""
        from benchmarks import data

        for name in {cell.data for cell in cells}:
            data.load(name)

    def configuration(self, cell: Cell) -> Any:
        """The library that draws and trains."""
        return versions("torch")

    def measure(self, cell: Cell) -> dict[str, Any]:
        import torch

        from benchmarks.notes import small
        from benchmarks.notes.parts import parts

        assert cell.seed is not None
        torch.set_num_threads(cell.threads or 1)
        images = parts(cell.data)
        torch.manual_seed(cell.seed)
        model = small.network()
        lr = float(cell.recipe.removeprefix("lr="))
        losses = small.train(model, images.train_x, images.train_y, cell.variant, lr)
        return {
            "held": small.accuracy(model, images.held_x, images.held_y),
            "test": small.accuracy(model, images.test_x, images.test_y),
            "train": small.accuracy(model, images.train_x, images.train_y),
            "first_loss": losses[0],
            "last_loss": losses[-1],
            "losses": " ".join(f"{loss:.4g}" for loss in losses),
        }
