"""Gradients: what passes back through a deep network before training, and what training reaches.

Networks of equal layers on Fashion-MNIST, in every combination of depth, activation, initial
values and the way in which layers are linked. Each combination gets its own rate, the best of four
on held-out training images.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from benchmarks.cells import Benchmark, Cell, Column, Diverged, Selection
from benchmarks.provenance import versions

if TYPE_CHECKING:
    from benchmarks.notes.chains import Chain
    from benchmarks.notes.parts import Parts

DEPTHS = (2, 10, 40)
ACTIVATIONS = ("logistic", "tanh", "relu")
INITS = ("default", "xavier", "he")
LINKS = ("plain", "batchnorm", "residual")
RATES = (0.003, 0.01, 0.03, 0.1)
SEEDS, TUNING_SEED, SEEN = 5, 1000, 512
"""Repetitions, the seed of the trials that choose a rate, images that a gradient is of."""

PREVIEW = ("logistic default plain", "tanh xavier plain")


class GradientsBenchmark(Benchmark):
    """Norms of gradients at the start, accuracies at the end."""

    name = "gradients"
    title = "Gradients by layer before training, and accuracy after it"
    trained = True
    plugs = False
    default_seconds = 2.0
    code = (
        "benchmarks/gradients.py",
        "benchmarks/notes/chains.py",
        "benchmarks/notes/parts.py",
        "benchmarks/data.py::Images",
        "benchmarks/data.py::_fashion_mnist",
    )
    columns = (
        Column(
            "error_ratio",
            "number",
            "",
            "log10 of |dL/dh| before the first hidden layer, over "
            "that after the last; before training",
        ),
        Column(
            "weight_ratio",
            "number",
            "",
            "log10 of |dL/dW| of the first hidden layer over that of the last; before training",
        ),
        Column("errors", "string", "", "log10 of |dL/dh| after each layer, from the input on"),
        Column("lr", "number", "", "rate with the best held-out accuracy of a trial of its own"),
        Column("train", "number", "%", "images trained on that are right at the end"),
        Column("held", "number", "%", "held-out training images that are right"),
        Column("test", "number", "%", "test images that are right"),
        Column(
            "moved_first",
            "number",
            "",
            "change of the first hidden layer's weights by training, over their norm",
        ),
        Column("moved_last", "number", "", "the same of the last hidden layer"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """One group a combination: its rate is chosen once for all its seeds."""
        if want.suite not in ("quick", "cpu") or want.modules is not None or want.backbones:
            return
        quick = want.suite == "quick"
        every = (" ".join(words) for words in product(ACTIVATIONS, INITS, LINKS))
        variants = PREVIEW if quick else tuple(every)
        for depth, variant in product(DEPTHS[1:2] if quick else DEPTHS, variants):
            for seed in range(1 if quick else SEEDS):
                recipe = f"{depth} layers"
                yield Cell(
                    self.name, "mlp", "none", variant, "fashion-mnist", recipe, seed, threads=1
                )

    def check(self, cells: Sequence[Cell]) -> None:
        """DataError before any training if the images can't be had."""
        from benchmarks import data

        for name in {cell.data for cell in cells}:
            data.load(name)

    def configuration(self, cell: Cell) -> Any:
        """The library that draws and trains."""
        return versions("torch")

    def group(self, cell: Cell) -> Hashable:
        return cell.variant, cell.recipe

    def measure_group(
        self, cells: Sequence[Cell]
    ) -> Iterator[tuple[Cell, dict[str, Any] | Exception]]:
        import torch

        from benchmarks.notes.parts import parts

        torch.set_num_threads(cells[0].threads or 1)
        images = parts(cells[0].data)
        lr = best_rate(cells[0], images)
        for cell in cells:
            assert cell.seed is not None
            try:
                yield cell, outcome(cell, cell.seed, lr, images)
            except Exception as error:
                yield cell, error


def best_rate(cell: Cell, images: Parts) -> float:
    """The rate with the best held-out accuracy in one trial each; the lowest of equal ones."""
    found = {}
    for lr in RATES:
        model = built(cell, TUNING_SEED)
        try:
            trained(model, images, lr)
            found[lr] = right(model, images.held_x, images.held_y)
        except Diverged:
            found[lr] = -1.0
    return max(found, key=lambda lr: found[lr])


def outcome(cell: Cell, seed: int, lr: float, images: Parts) -> dict[str, Any]:
    """All columns for one training. Diverged carries those that were measured before it."""
    from benchmarks.notes import chains

    model = built(cell, seed)
    seen = images.train_x[:SEEN].flatten(1), images.train_y[:SEEN]
    errors, weights = chains.gradients(model, *seen)
    values = {
        "error_ratio": errors[0] - errors[-1],
        "weight_ratio": weights[0] - weights[-1],
        "errors": " ".join(f"{e:.2f}" for e in errors),
        "lr": lr,
    }
    ends = [model.weights()[i] for i in (0, -1)]
    before = [w.detach().clone() for w in ends]
    try:
        trained(model, images, lr)
    except Diverged as error:
        raise Diverged(str(error), values) from error
    first, last = (chains.moved(w.detach(), b) for w, b in zip(ends, before, strict=True))
    return {
        **values,
        "train": right(model, images.train_x, images.train_y),
        "held": right(model, images.held_x, images.held_y),
        "test": right(model, images.test_x, images.test_y),
        "moved_first": first,
        "moved_last": last,
    }


def built(cell: Cell, seed: int) -> Chain:
    """The network of a cell, drawn from a seed that then orders the images too."""
    import torch

    from benchmarks.notes.chains import Chain

    torch.manual_seed(seed)
    activation, init, link = cell.variant.split()
    return Chain(activation, init, link, int(cell.recipe.split()[0]))


def trained(model: Chain, images: Parts, lr: float) -> None:
    """Train in place on the images that are for it."""
    from benchmarks.notes import chains

    chains.train(model, images.train_x.flatten(1), images.train_y, lr)


def right(model: Chain, x: Any, y: Any) -> float:
    """Percent of images (N, 1, H, W) that are right."""
    from benchmarks.notes import chains

    return chains.accuracy(model, x.flatten(1), y)
