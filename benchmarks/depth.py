"""Depth: the same budget spent on wide or on deep networks, plain and residual.

Networks of one to sixteen equal hidden layers learn a part of Fashion-MNIST, each at its own best
rate. A budget says what a network of several layers has in common with the one of a single layer
of 256 units: the number of units, of parameters, of multiply-adds spent in training, or the time.
Beside them stands a function for which depth is made: how often a line of ReLUs can fold.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import product
from typing import Any

from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.latency import one_timing_job
from benchmarks.provenance import versions

UNITS, BATCH, STEPS, IMAGES, SEEDS = 256, 64, 500, 6400, 10
"""Of the network of one layer: units, images of a batch, steps. Images; repetitions."""

DEPTHS = (1, 2, 4, 8, 16)
REFERENCE = "reference"
BUDGETS = ("equal units", "equal parameters", "equal multiply-adds", "equal time")
KINDS = ("plain", "residual")

FOLDS, FOLDED = "sawtooth", 16
"""A function that is made for depth, and the units that draw it; nothing is trained."""


def layers(depth: int) -> str:
    """A depth as a cell's variant."""
    return f"{depth} hidden layer{'s' * (depth > 1)}"


class DepthBenchmark(Benchmark):
    """Accuracy by depth for a budget of units, parameters, multiply-adds or time."""

    name = "depth"
    title = "Wider or deeper, for the same budget"
    trained = True
    exclusive = True
    plugs = False
    default_seconds = 2.0
    code = (
        "benchmarks/data.py::Images",
        "benchmarks/data.py::_fashion_mnist",
        "benchmarks/depth.py",
        "benchmarks/notes/dense.py",
        "benchmarks/notes/tuned.py",
    )
    columns = (
        Column("accuracy", "number", "%", "test images that are right"),
        Column("train_accuracy", "number", "%", "training images that are right"),
        Column("held_accuracy", "number", "%", "held-out training images that are right"),
        Column(
            "gradient",
            "number",
            "",
            "log10 of the gradient's norm at the first hidden layer over the last, untrained",
        ),
        Column("width", "integer", "units", "units of a hidden layer"),
        Column("params", "integer", "", "trainable parameters"),
        Column("macs", "integer", "MAC", "multiply-adds of a forward pass of one image"),
        Column("steps", "integer", "", "steps of the training"),
        Column("pieces", "integer", "", f"straight pieces that {FOLDED} units draw; not trained"),
        Column("lr", "number", "", "learning rate, the best on the held-out images"),
        Column("tried", "string", "", "rates tried with a seed of their own: held-out accuracy, %"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """The reference first, then budget by budget."""
        if want.suite not in ("quick", "cpu") or want.modules is not None or want.backbones:
            return
        quick = want.suite == "quick"
        arms = [(REFERENCE, 1, "plain")]
        if quick:
            arms.append((BUDGETS[0], DEPTHS[-1], "plain"))
        else:
            arms += product(BUDGETS, DEPTHS[1:], KINDS)
        for (budget, depth, kind), seed in product(arms, range(1 if quick else SEEDS)):
            where = (kind, "none", layers(depth), "fashion-mnist")
            yield Cell(self.name, *where, budget, seed, threads=1)
        for depth in DEPTHS:
            yield Cell(self.name, FOLDS, "none", layers(depth), recipe=BUDGETS[0], threads=1)

    def check(self, cells: Sequence[Cell]) -> None:
        """DataError before any training if the images can't be had."""
        from benchmarks import data

        for name in {cell.data for cell in cells if cell.data}:
            data.load(name)

    def same_machine(self, cell: Cell) -> bool:
        """How many steps a time is depends on the machine."""
        return cell.recipe == BUDGETS[3]

    def configuration(self, cell: Cell) -> Any:
        """The library that draws and trains."""
        return versions("torch")

    def group(self, cell: Cell) -> Hashable:
        """An arm: its seeds share the rate."""
        return cell.backbone, cell.variant, cell.recipe

    def measure_group(
        self, cells: Sequence[Cell]
    ) -> Iterator[tuple[Cell, dict[str, Any] | Exception]]:
        import torch

        from benchmarks import data
        from benchmarks.notes import dense, tuned

        arm = cells[0]
        torch.set_num_threads(arm.threads or 1)
        depth = int(arm.variant.split()[0])
        if arm.backbone == FOLDS:
            width = FOLDED // depth
            yield arm, {"width": width, "pieces": dense.pieces(depth, width)}
            return
        width = width_of(depth, arm.recipe)

        images = data.load(arm.data)

        def fit(seed: int, lr: float) -> tuned.Fit:
            part = tuned.sample(images, IMAGES, seed)
            torch.manual_seed(seed)
            model = dense.Dense(depth, width, arm.backbone == "residual")
            cost = 1.0
            if arm.recipe == "equal multiply-adds":
                cost = dense.weights(depth, width) / dense.weights(1, UNITS)
            elif arm.recipe == "equal time":
                one, first = dense.Dense(1, UNITS), slice(BATCH)
                with one_timing_job():
                    cost = dense.step_ratio(model, one, part.x[first], part.y[first])
            steps = round(STEPS / cost)
            before = {
                "gradient": dense.gradient_ratio(model, part.x[:256], part.y[:256]),
                "width": width,
                "params": sum(p.numel() for p in model.parameters()),
                "macs": dense.weights(depth, width),
                "steps": steps,
            }
            rights = tuned.train(model, part.x, part.y, lr, steps, BATCH)
            return tuned.Fit(model, part, before, rights)

        yield from tuned.rows(cells, fit, lambda made: {})


def width_of(depth: int, budget: str) -> int:
    """Units of a layer: an equal share of all, or as many as give the parameters of one layer."""
    from benchmarks.notes import dense

    if budget == "equal parameters":
        return dense.width_for(depth, dense.parameters(1, UNITS))
    return UNITS // depth
