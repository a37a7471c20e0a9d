"""AlexNet: from LeNet-5 to a scaled AlexNet, one change at a time, each at its own best rate.

Fashion-MNIST; nearly every training is 640 steps of 32 images, some images seen often or many seen
once. `benchmarks.notes.tuned` says how the rate of an arm is chosen.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.provenance import versions

BATCH, SEEDS = 32, 5
FEW, SOME, MANY = 512, 2560, 20_480
"""Training images, which `LONG`, `STEPS` and `STEPS` see eighty times, eight times and once."""

SHORT, STEPS, LONG = 80, 640, 1280
"""Steps of the suite `quick`, of nearly everything else, and of few images until they are known."""

LONG_SEEDS = 8
"""Few images differ more from one sample to the next."""

REACHED = 0.75
"""AlexNet's paper compares activations by the time to a training error of a quarter."""


@dataclass(frozen=True)
class Arm:
    """One network and the data that it learns from."""

    convolutions: int
    activation: str
    initial: str = "xavier"
    pool: str = "average"
    dropout: bool = False
    images: int = SOME
    steps: int = STEPS

    @property
    def passes(self) -> int:
        """How often each image is seen."""
        return self.steps * BATCH // self.images

    @property
    def network(self) -> str:
        """The network without its convolutions, as a cell's variant: ``relu he max``."""
        return f"{self.activation} {self.initial} {self.pool}" + " dropout" * self.dropout

    def cell(self, seed: int) -> Cell:
        """The cell of a repetition."""
        recipe = f"{self.images} images, {self.passes} pass{'es' * (self.passes > 1)}"
        where = (f"{self.convolutions} convolutions", "none", self.network, "fashion-mnist")
        return Cell(AlexNetBenchmark.name, *where, recipe, seed, threads=1)


def arm_of(cell: Cell) -> Arm:
    """The arm that a cell is a repetition of."""
    activation, initial, pool, *dropout = cell.variant.split()
    images, _, passes, _ = cell.recipe.split()
    steps = int(passes) * int(images) // BATCH
    network = (int(cell.backbone[0]), activation, initial, pool, bool(dropout))
    return Arm(*network, int(images), steps)


ACTIVATIONS = ("tanh", "logistic", "relu")
GRID = (
    *(Arm(2, activation) for activation in ACTIVATIONS),
    *(Arm(5, *pair) for pair in product(ACTIVATIONS, ("xavier", "default"))),
    *(Arm(5, "logistic", "xavier*4"), Arm(5, "relu", "he")),
)
"""Activations and initial values; the last two have weights that suit their activation."""

PATH = (
    Arm(2, "tanh"),
    Arm(5, "tanh"),
    Arm(5, "relu"),
    Arm(5, "relu", "he"),
    Arm(5, "relu", "he", "max"),
    Arm(5, "relu", "he", "max", dropout=True),
    Arm(5, "relu", "he", "max", dropout=True, images=MANY),
)
"""LeNet-5, then depth, ReLU, its initial values, pooling, dropout and data, one after the other."""

DATA = ((FEW, LONG), (SOME, STEPS), (MANY, STEPS))
LENET = tuple(Arm(2, "tanh", images=images, steps=steps) for images, steps in DATA)
DROPOUT = tuple(
    Arm(5, "relu", "he", "max", dropout, images, steps)
    for (images, steps), dropout in product(DATA, (False, True))
)
"""LeNet-5, and AlexNet without dropout and with it, by the number of images."""

ARMS = tuple(dict.fromkeys((*PATH, *GRID, *DROPOUT, *LENET)))
PREVIEW = (Arm(2, "tanh", steps=SHORT), Arm(5, "logistic", steps=SHORT))


class AlexNetBenchmark(Benchmark):
    """Accuracy of LeNet-5, of a scaled AlexNet, and of what lies between."""

    name = "alexnet"
    title = "From LeNet-5 to AlexNet, one change at a time"
    trained = True
    plugs = False
    default_seconds = 6.0
    code = (
        "benchmarks/alexnet.py",
        "benchmarks/data.py::Images",
        "benchmarks/data.py::_fashion_mnist",
        "benchmarks/notes/convolutional.py",
        "benchmarks/notes/tuned.py",
    )
    columns = (
        Column("accuracy", "number", "%", "test images that are right"),
        Column("train_accuracy", "number", "%", "training images that are right, no dropout"),
        Column("held_accuracy", "number", "%", "held-out training images that are right"),
        Column(
            "reached",
            "integer",
            "steps",
            f"first step whose last 20 batches were right to {100 * REACHED:.0f} %, as trained",
        ),
        Column(
            "gradient",
            "number",
            "",
            "log10 of the gradient's norm at the first layer's weights over the last's, untrained",
        ),
        Column("params", "integer", "", "trainable parameters"),
        Column("lr", "number", "", "learning rate, the best on the held-out images"),
        Column("tried", "string", "", "rates tried with a seed of their own: held-out accuracy, %"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """Arm by arm, the way from LeNet-5 to AlexNet first."""
        if want.suite not in ("quick", "cpu") or want.modules is not None or want.backbones:
            return
        if want.suite == "quick":
            yield from (arm.cell(0) for arm in PREVIEW)
            return
        for arm in ARMS:
            seeds = LONG_SEEDS if arm.steps == LONG else SEEDS
            yield from (arm.cell(seed) for seed in range(seeds))

    def check(self, cells: Sequence[Cell]) -> None:
        """DataError before any training if the images can't be had."""
        from benchmarks import data

        for name in {cell.data for cell in cells}:
            data.load(name)

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
        from benchmarks.notes import convolutional, tuned

        torch.set_num_threads(cells[0].threads or 1)
        arm = arm_of(cells[0])
        images = data.load(cells[0].data)

        def fit(seed: int, lr: float) -> tuned.Fit:
            part = tuned.sample(images, arm.images, seed)
            torch.manual_seed(seed)
            model = convolutional.network(
                arm.convolutions, arm.activation, arm.initial, arm.pool, 0.5 * arm.dropout
            )
            before = {
                "params": sum(p.numel() for p in model.parameters()),
                "gradient": convolutional.gradient_ratio(model, part.x[:256], part.y[:256]),
            }
            rights = tuned.train(model, part.x, part.y, lr, arm.steps, BATCH)
            return tuned.Fit(model, part, before, rights)

        yield from tuned.rows(
            cells, fit, lambda made: {"reached": tuned.first_reach(made.rights, REACHED)}
        )
