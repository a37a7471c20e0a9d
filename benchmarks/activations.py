"""Activations: what depth gives with none, what x^2 cannot do, and how networks go on outside.

Spirals of four classes with fewer points than `spiral` has, and a narrow network of one to eight
hidden layers, trained by Adam. Every number but the accuracies is a property of the trained
function, calculated in float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.provenance import versions

ACTIVATIONS = ("none", "relu", "tanh", "square")
DEPTHS = (1, 2, 4, 8)
SEEDS, CLASSES, EVERY = 5, 4, 4
HIGHEST = 8
"""Degrees of a polynomial that are told apart."""


class ActivationsBenchmark(Benchmark):
    """Accuracy, distance from an affine map, degree and bend of trained networks."""

    name = "activations"
    title = "Depth with and without an activation"
    trained = True
    plugs = False
    default_seconds = 2.0
    code = (
        "benchmarks/activations.py",
        "benchmarks/notes/affine.py",
        "benchmarks/spiral.py::spiral",
    )
    columns = (
        Column("accuracy", "number", "", "share of training points that are right at the end"),
        Column("fresh_accuracy", "number", "", "share that is right of points drawn afresh"),
        Column("off_affine", "number", "", "largest distance from an affine map over the range"),
        Column(
            "bend", "number", "", "second difference far outside, over the change from the centre"
        ),
        Column("degree", "integer", "", f"degree along a line; {HIGHEST + 1} is above {HIGHEST}"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        if want.suite not in ("quick", "cpu") or want.modules is not None or want.backbones:
            return
        quick = want.suite == "quick"
        arms = product(DEPTHS[:2] if quick else DEPTHS, ACTIVATIONS[:2] if quick else ACTIVATIONS)
        for (depth, activation), seed in product(arms, range(1 if quick else SEEDS)):
            recipe = f"{depth} hidden layer{'s' * (depth > 1)}"
            yield Cell(self.name, "mlp", "none", activation, "spiral 4", recipe, seed, threads=1)

    def configuration(self, cell: Cell) -> Any:
        """The library that draws and trains."""
        return versions("torch")

    def measure(self, cell: Cell) -> dict[str, Any]:
        import torch

        from benchmarks.notes import affine
        from benchmarks.spiral import spiral

        assert cell.seed is not None
        torch.set_num_threads(cell.threads or 1)
        torch.manual_seed(cell.seed)
        x, y = (part[::EVERY] for part in spiral(CLASSES))
        fresh, truth = spiral(CLASSES)
        model = affine.Deep(cell.variant, int(cell.recipe.split()[0]), CLASSES)
        return {
            "accuracy": affine.train(model, x, y),
            "fresh_accuracy": affine.right(model, fresh, truth),
            "off_affine": affine.off_affine(model, x),
            "bend": affine.bend(model),
            "degree": affine.degree(model, HIGHEST),
        }
