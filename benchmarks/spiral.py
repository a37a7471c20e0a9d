"""Spiral: the first classifier of the notes, with every activation under every optimiser.

The notes compare two networks that differ in the activation *and* in the optimiser. Here all pairs
of the two are trained. The protocol is that of the course's notebook, `03_Spiral_Classification`
of OUCTheoryGroup/colab_demo, made from NYU-DLSP20's `04-spiral_classification`: Linear(2, 100), an
activation, Linear(100, classes); cross-entropy; all points at once, 1000 steps; the accuracy is
that of the training points before the last step. With the recipe ``notebook`` the random numbers
are drawn in the notebook's order too: data, first network, second network.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from benchmarks.cells import Benchmark, Cell, Column, Diverged, Selection
from benchmarks.provenance import versions

if TYPE_CHECKING:
    from torch import Tensor

POINTS, HIDDEN, STEPS = 1000, 100, 1000
"""Points of a class, units of the hidden layer, steps of a training."""

NOTES_SEED, SEEDS, PAIR_SEEDS = 12345, 10, 20
DRAWN_SEEDS = (NOTES_SEED, 0)
CLASSES = (4, 3, 5)
"""The notes' number of classes, whose networks are drawn, the notebook's, and one more."""

WEIGHT_DECAY = 1e-5
NOTEBOOK = "notebook"

GRID, EXTENT, EVERY = 64, 1.2, 25
"""Side of the grid of answers, how far it reaches, and which of the points a row keeps."""


@dataclass(frozen=True)
class Optimiser:
    """A rule and its rate."""

    kind: str
    lr: float
    momentum: float = 0.0

    @property
    def name(self) -> str:
        """As a recipe is called: ``sgd lr=0.1 momentum=0.9``."""
        return f"{self.kind} lr={self.lr:g}" + f" momentum={self.momentum:g}" * bool(self.momentum)


OPTIMISERS = {
    o.name: o
    for o in (
        Optimiser("sgd", 1e-3),
        Optimiser("sgd", 0.1),
        Optimiser("sgd", 1.0),
        Optimiser("sgd", 0.1, 0.9),
        Optimiser("adam", 1e-3),
        Optimiser("adam", 1e-2),
    )
}
PAIR = {"none": Optimiser("sgd", 1e-3), "relu": Optimiser("adam", 1e-3)}
"""The notes' two networks, in the order in which the notebook draws them."""

ACTIVATIONS = ("none", "relu", "tanh", "logistic", "square")
PREVIEW = (("none", "adam lr=0.001"), ("relu", "sgd lr=1"))
"""What tells the two changes of the pair apart, for the suite `quick`."""


class SpiralBenchmark(Benchmark):
    """Accuracy of two layers on spirals, for each activation and optimiser."""

    name = "spiral"
    title = "Two layers on spirals: activation and optimiser"
    trained = True
    plugs = False
    default_seconds = 3.0
    code = ("benchmarks/spiral.py",)
    columns = (
        Column("accuracy", "number", "", "share of training points that are right, last step"),
        Column("fresh_accuracy", "number", "", "share that is right of points drawn afresh"),
        Column("loss", "number", "nat", "cross-entropy of the training points, last step"),
        Column(
            "grid",
            "string",
            "",
            f"class that the network gives at {GRID} by {GRID} places, from -{EXTENT} to {EXTENT}, "
            "x quickest: one digit each, packed by zlib, in base64; kept for one seed",
        ),
        Column("points", "string", "", "some training points, x y class, in hundredths; one seed"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """The notes' pair first, then the table of the notes' number of classes."""
        if want.suite not in ("quick", "cpu") or want.modules is not None or want.backbones:
            return
        quick = want.suite == "quick"
        for activation in PAIR:
            yield self._cell(CLASSES[0], activation, NOTEBOOK, NOTES_SEED)
        if quick:
            for activation, recipe in PREVIEW:
                yield self._cell(CLASSES[0], activation, recipe, 0)
            return
        for seed, activation in product(range(PAIR_SEEDS), PAIR):
            yield self._cell(CLASSES[0], activation, NOTEBOOK, seed)
        for classes, activation, recipe in product(CLASSES, ACTIVATIONS, OPTIMISERS):
            for seed in range(SEEDS):
                yield self._cell(classes, activation, recipe, seed)

    def _cell(self, classes: int, activation: str, recipe: str, seed: int) -> Cell:
        data = f"spiral {classes}"
        return Cell(self.name, "mlp", "none", activation, data, recipe, seed, threads=1)

    def configuration(self, cell: Cell) -> Any:
        """The library that draws and trains."""
        return versions("torch")

    def measure(self, cell: Cell) -> dict[str, Any]:
        import torch

        torch.set_num_threads(cell.threads or 1)
        assert cell.seed is not None
        classes = int(cell.data.split()[1])
        torch.manual_seed(cell.seed)
        x, y = spiral(classes)
        if cell.recipe == NOTEBOOK:
            optimiser = PAIR[cell.variant]
            before = list(PAIR).index(cell.variant)
        else:
            optimiser, before = OPTIMISERS[cell.recipe], 0
        for _ in range(before):
            network(classes)
        layers = network(classes)
        accuracy, loss = train(x, y, layers, cell.variant, optimiser)
        fresh, truth = spiral(classes, torch.Generator().manual_seed(10**6 + cell.seed))
        right = (answers(fresh, layers, cell.variant) == truth).double().mean().item()
        values = {"accuracy": accuracy, "fresh_accuracy": right, "loss": loss}
        if classes == CLASSES[0] and cell.seed in DRAWN_SEEDS:
            values |= {"grid": drawn(layers, cell.variant), "points": some(x, y)}
        return values


def spiral(classes: int, generator: Any = None) -> tuple[Tensor, Tensor]:
    """Points of each class on an arm of two `classes`-ths of a turn, and their classes.

    For class c, with r from 0 to 1, (x, y) = r (sin a, cos a), where a goes from 2 pi c / classes
    to 2 pi (c + 2) / classes with normal noise of 0.2. Shapes (classes * 1000, 2) and
    (classes * 1000,).
    """
    import torch

    turn, radius = 2 * math.pi / classes, torch.linspace(0, 1, POINTS)
    arms = []
    for c in range(classes):
        noise = 0.2 * torch.randn(POINTS, generator=generator)
        angle = torch.linspace(turn * c, turn * (c + 2), POINTS) + noise
        arms.append(radius[:, None] * torch.stack((angle.sin(), angle.cos()), dim=1))
    return torch.cat(arms), torch.arange(classes).repeat_interleave(POINTS)


def network(classes: int) -> tuple[Any, Any]:
    """The two layers, with PyTorch's initial values: 2 -> 100 and 100 -> classes."""
    from torch import nn

    return nn.Linear(2, HIDDEN), nn.Linear(HIDDEN, classes)


def forward(x: Tensor, layers: tuple[Any, Any], activation: str) -> Tensor:
    """Logits: (N, 2) -> (N, classes)."""
    import torch

    between = {
        "none": lambda h: h,
        "relu": torch.relu,
        "tanh": torch.tanh,
        "logistic": torch.sigmoid,
        "square": torch.square,
    }
    first, second = layers
    return second(between[activation](first(x)))


def train(
    x: Tensor, y: Tensor, layers: tuple[Any, Any], activation: str, rule: Optimiser
) -> tuple[float, float]:
    """Train in place; accuracy and loss of the training points before the last step.

    Raises Diverged when the loss leaves the finite numbers.
    """
    import torch
    from torch.nn import functional as F

    parameters = [p for layer in layers for p in layer.parameters()]
    if rule.kind == "adam":
        optimiser: Any = torch.optim.Adam(parameters, rule.lr, weight_decay=WEIGHT_DECAY)
    else:
        optimiser = torch.optim.SGD(parameters, rule.lr, rule.momentum, weight_decay=WEIGHT_DECAY)
    accuracy = loss = math.nan
    for step in range(STEPS):
        logits = forward(x, layers, activation)
        cost = F.cross_entropy(logits, y)
        loss = cost.item()
        if not math.isfinite(loss):
            raise Diverged(f"the loss left the finite numbers at step {step + 1}")
        if step == STEPS - 1:
            accuracy = (logits.argmax(1) == y).double().mean().item()
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
    return accuracy, loss


def answers(x: Tensor, layers: tuple[Any, Any], activation: str) -> Tensor:
    """The class that the network gives: (N, 2) -> (N,)."""
    import torch

    with torch.no_grad():
        return forward(x, layers, activation).argmax(1)


def drawn(layers: tuple[Any, Any], activation: str) -> str:
    """The column ``grid``; `boundaries` reads it."""
    import torch

    side = torch.linspace(-EXTENT, EXTENT, GRID)
    places = torch.cartesian_prod(side, side).flip(1)  # the second coordinate is the slower one
    digits = "".join(map(str, answers(places, layers, activation).tolist()))
    return base64.b64encode(zlib.compress(digits.encode(), 9)).decode()


def boundaries(grid: str) -> list[str]:
    """The rows of a grid from the lowest y up, one digit a place."""
    digits = zlib.decompress(base64.b64decode(grid)).decode()
    return [digits[i : i + GRID] for i in range(0, len(digits), GRID)]


def some(x: Tensor, y: Tensor) -> str:
    """The column ``points``: one point of 25, ``"12 -7 0;..."``."""
    places = (100 * x[::EVERY]).round().long().tolist()
    classes = y[::EVERY].tolist()
    return ";".join(f"{a} {b} {c}" for (a, b), c in zip(places, classes, strict=True))
