"""Learned: what the modules of the main table do once they are trained, and what it is good for.

Runs of the main table are made again, and the network is kept. Training images, as they are, show
how large its gates are and how far they go from image to image. Then every gate is held at its mean
over these images, the same for every image, and the network is tested again: what it loses is what
the module's look at the image is good for, in a network that was trained with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.accuracy import ALL, Accuracy, beside, build, run_seed
from benchmarks.cells import Cell, Column, Selection
from benchmarks.recipes import RECIPES
from benchmarks.widths import BACKBONE

SEEDS = 2
LOOKED_AT = 10_000
"""Training images, the first, whose gates are looked at."""

PLACES = "one a gate, in the order in which an image meets them"


class Learned(Accuracy):
    """Train arms of the main table again; their gates, and the test without a look at the image."""

    name = "learned"
    title = (
        "What trained modules do: their gates, and the accuracy with every gate held at its mean"
    )
    code = (
        *Accuracy.code,
        "benchmarks/learned.py",
        "benchmarks/segmenters.py::gammas",
        "benchmarks/taps.py",
    )
    columns = (
        Column("top1", "number", "%", "test images classified correctly, after the last epoch"),
        Column("test_loss", "number", "nat", "mean cross-entropy on the test set"),
        Column("top1_held", "number", "%", "the same with every gate held at its mean"),
        Column("test_loss_held", "number", "nat", "the same with every gate held at its mean"),
        Column("looked_at", "integer", "images", "training images that the statistics are of"),
        Column(
            "kinds",
            "string",
            "",
            f"what PAM and CAM add is a residual, SK's choice a branch, all else a gate; {PLACES}",
        ),
        Column(
            "levels",
            "string",
            "",
            "mean of a gate; of a residual its size over that of the map, as root mean squares; "
            "in the order of `kinds`, as all that follow",
        ),
        Column(
            "between_entries",
            "string",
            "",
            "deviation between the means of channels, places or branches",
        ),
        Column(
            "between_images",
            "string",
            "",
            "deviation of a channel, place or branch from image to image",
        ),
        Column("gammas", "string", "", "weights of what PAM and CAM add, after the training"),
        Column("train_images", "integer", "images", "size of the training set"),
        Column("test_images", "integer", "images", "size of the test set"),
        Column("epochs", "integer", "", "passes over the training set"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """Seed by seed all modules of the main table; none for who asks for modules."""
        for cell in beside(super().cells, want, (ALL,)):
            if cell.backbone == BACKBONE and (cell.seed or 0) < SEEDS:
                yield cell

    def measure(self, cell: Cell) -> dict[str, Any]:
        """Train one arm, look at it, test it twice. Raises Diverged when the loss blows up."""
        import torch

        from benchmarks import data, segmenters, taps, training

        if cell.threads:
            torch.set_num_threads(cell.threads)
        images, recipe = data.load(cell.data), RECIPES[cell.recipe]
        model = build(cell, images.num_classes, images.train_x.shape[1])
        how = {"device": cell.device, "precision": cell.precision, "layout": cell.layout}
        done = training.train(model, images, recipe, seed=run_seed(cell), **how)
        train_x, test_x = (x.to(cell.device) for x in images.normalised())
        test_y, moments = images.test_y.to(cell.device), taps.Moments()
        with torch.autocast(cell.device, torch.bfloat16, enabled=cell.precision == "bf16"):
            looked_at = train_x[:LOOKED_AT]
            with taps.tapped(model, moments):
                training.evaluate(model, looked_at, images.train_y[:LOOKED_AT].to(cell.device))
            with taps.tapped(model, taps.held(moments.means)):
                correct, loss = training.evaluate(model, test_x, test_y)
        return {
            "top1": done.top1,
            "test_loss": done.test_loss,
            "top1_held": 100 * int(correct.sum()) / len(correct),
            "test_loss_held": loss,
            "looked_at": len(looked_at),
            "kinds": " ".join(moments.kinds),
            "levels": _text(moments.levels()),
            "between_entries": _text(moments.between_entries()),
            "between_images": _text(moments.between_images()),
            "gammas": segmenters.gammas(model),
            "train_images": len(images.train_y),
            "test_images": len(images.test_y),
            "epochs": done.epochs,
        }


def _text(numbers: list[float]) -> str:
    return " ".join(f"{number:.4g}" for number in numbers)
