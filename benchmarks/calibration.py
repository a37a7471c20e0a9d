"""Calibration: whether the largest output of a network is the probability that it is right.

LeNet on the first 10 000 training images of Fashion-MNIST, looked at after a few epochs and after
more. The temperature is fitted on the 5000 training images that follow, and changes no prediction.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import product
from typing import Any

from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.provenance import versions

HEADS = ("softmax", "sigmoids")
EPOCHS = (2, 6, 20)
SEEDS, TRAINED_ON, FITTED_ON = 5, 10_000, 5_000


class CalibrationBenchmark(Benchmark):
    """Accuracy beside confidence, over training, with and without a temperature."""

    name = "calibration"
    title = "Confidence and accuracy over training"
    trained = True
    plugs = False
    default_seconds = 10.0
    code = (
        "benchmarks/calibration.py",
        "benchmarks/data.py::Images",
        "benchmarks/data.py::_fashion_mnist",
        "benchmarks/notes/softmax.py",
    )
    columns = (
        Column("accuracy", "number", "%", "test images that are right"),
        Column("confidence", "number", "%", "mean of the largest output over the test images"),
        Column("ece", "number", "%", "expected calibration error, 15 bins of equal width"),
        Column("test_loss", "number", "nat", "loss of the head on the test images"),
        Column("temperature", "number", "", "divisor of the logits with the least held-out loss"),
        Column("ece_cooled", "number", "%", "expected calibration error at that temperature"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """One group a head and seed: a training gives a row at each number of epochs."""
        if want.suite not in ("quick", "cpu") or want.modules is not None or want.backbones:
            return
        quick = want.suite == "quick"
        groups = product(range(1 if quick else SEEDS), HEADS[:1] if quick else HEADS)
        for (seed, head), number in product(groups, EPOCHS[:2] if quick else EPOCHS):
            yield Cell(
                self.name,
                "lenet",
                "none",
                head,
                "fashion-mnist",
                f"{number} epochs",
                seed,
                threads=1,
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
        return cell.variant, cell.seed

    def measure_group(
        self, cells: Sequence[Cell]
    ) -> Iterator[tuple[Cell, dict[str, Any] | Exception]]:
        import torch

        from benchmarks import data
        from benchmarks.notes import softmax

        first = cells[0]
        assert first.seed is not None
        torch.set_num_threads(first.threads or 1)
        torch.manual_seed(first.seed)
        images = data.load(first.data)
        train_x, test_x = images.normalised()
        held = slice(TRAINED_ON, TRAINED_ON + FITTED_ON)
        wanted = {int(cell.recipe.split()[0]): cell for cell in cells}
        model = softmax.LeNet()
        steps = softmax.epochs(
            model,
            train_x[:TRAINED_ON],
            images.train_y[:TRAINED_ON],
            first.variant,
            max(wanted),
        )
        for epoch in steps:
            if epoch in wanted:
                with torch.no_grad():
                    test, fit = model(test_x), model(train_x[held])
                yield (
                    wanted[epoch],
                    judged(test, images.test_y, fit, images.train_y[held], first.variant),
                )


def judged(test: Any, test_y: Any, fit: Any, fit_y: Any, head: str) -> dict[str, Any]:
    """All columns, from logits and classes of the test images and of those that are fitted on."""
    from benchmarks.notes import softmax

    sure, answer = softmax.confidence(test, head)
    right = answer == test_y
    warm = softmax.temperature(fit, fit_y, head)
    cooled, _ = softmax.confidence(test / warm, head)
    return {
        "accuracy": 100 * right.double().mean().item(),
        "confidence": 100 * sure.double().mean().item(),
        "ece": 100 * softmax.expected_calibration_error(sure, right),
        "test_loss": softmax.loss(test, test_y, head).item(),
        "temperature": warm,
        "ece_cooled": 100 * softmax.expected_calibration_error(cooled, right),
    }
