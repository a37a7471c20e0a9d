"""Floors: what is right on a task without the ability that it asks for.

Guessing is not the least that a network can have. On each mechanism task the floor is what the
brightness of the whole scene tells; on *mark* it is also what the three objects tell to who does
not read the mark; in the scenes of clothes it is what calling everything canvas gives. Nothing is
trained but a table of brightness.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchmarks import mechanism
from benchmarks.accuracy import run_seed
from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.mechanism import BACKBONE, RECIPE, SIZES, SOURCE, TASKS

if TYPE_CHECKING:
    from torch import Tensor

BRIGHTNESS, UNREAD, CANVAS = "brightness", "mark unread", "all canvas"
"""What is known, as the column ``recipe`` says it."""

LEVELS = 32
"""Levels of brightness that are told apart, with as many training scenes in each."""

SCENES = "clothes"


class Floors(Benchmark):
    """What is right without the ability that a task asks for."""

    name = "floors"
    title = "What is right on a task without the ability that it asks for"
    plugs = False
    default_seconds = 2.0
    code = (
        "benchmarks/accuracy.py::run_seed",
        "benchmarks/canvas.py",
        "benchmarks/data.py::Images",
        "benchmarks/data.py::_fashion_mnist",
        "benchmarks/data.py::_idx",
        "benchmarks/eased.py::shown",
        "benchmarks/floors.py",
        "benchmarks/mechanism.py::composed",
        "benchmarks/scenery.py",
        "benchmarks/scenes.py",
    )
    columns = (
        Column("top1", "number", "%", "test scenes whose label is right"),
        Column("pixel_accuracy", "number", "%", "test pixels whose class is right"),
        Column("miou", "number", "%", "mean over classes of intersection over union"),
        Column("test_images", "integer", "scenes", "size of the test set"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """Every task with the scenes of every seed; only a suite of a processor has them."""
        if want.suite != "cpu" or want.device != "cpu" or want.modules or want.backbones:
            return
        for task in TASKS:
            for known in (BRIGHTNESS, UNREAD) if task == "mark" else (BRIGHTNESS,):
                for seed in range(mechanism.SEEDS):
                    yield Cell(self.name, "", data=task, recipe=known, seed=seed)
        yield Cell(self.name, "", data=SCENES, recipe=CANVAS)

    def check(self, cells: Sequence[Cell]) -> None:
        """DataError if the images can't be had."""
        from benchmarks import data

        if cells:
            data.load(SOURCE)

    def configuration(self, cell: Cell) -> Any:
        """How many scenes there are."""
        return SIZES[RECIPE]

    def measure(self, cell: Cell) -> dict[str, Any]:
        """One floor."""
        from benchmarks import data

        if cell.recipe == CANVAS:
            return canvas_everywhere()
        trained = replace(cell, benchmark="mechanism", backbone=BACKBONE, recipe=RECIPE)
        scenes = mechanism.composed(trained)
        if cell.recipe == UNREAD:
            right = unread(data.load(SOURCE).test_y, scenes.test_y, run_seed(trained) + 1)
        else:
            right = by_brightness(scenes.train_x, scenes.train_y, scenes.test_x, scenes.test_y)
        return {"top1": 100 * right, "test_images": len(scenes.test_y)}


def by_brightness(train_x: Tensor, train_y: Tensor, test_x: Tensor, test_y: Tensor) -> float:
    """The share of test scenes whose label is the commonest of scenes as bright in all.

    Scenes are (N, C, H, W), labels (N,). Levels of brightness have as many training scenes each.
    """
    import torch

    train, test = (x.flatten(1).sum(1, dtype=torch.float64) for x in (train_x, test_x))
    steps = torch.arange(1, LEVELS, dtype=torch.float64) / LEVELS
    edges = train.quantile(steps)
    classes = int(train_y.max()) + 1
    place = torch.bucketize(train, edges) * classes + train_y
    counts = torch.bincount(place, minlength=LEVELS * classes).view(LEVELS, classes)
    answer = counts.argmax(1)[torch.bucketize(test, edges)]
    return float((answer == test_y).double().mean())


def unread(y: Tensor, test_y: Tensor, seed: int) -> float:
    """What to expect on *mark* from who names the commonest class of a scene's objects.

    ``y`` are the labels of the images, ``test_y`` those of the scenes that ``seed`` makes of them.
    Among classes that are equally common one is drawn. RuntimeError if the scenes are others.
    """
    import torch

    from benchmarks.eased import shown

    kinds = y[shown(len(y), len(test_y), torch.Generator().manual_seed(seed))]
    if not torch.equal(kinds[:, 0], test_y):
        raise RuntimeError("the scenes of mark draw their objects in another way than eased.shown")
    times = (kinds[:, :, None] == kinds[:, None, :]).sum(2)  # of each object's class in its scene
    most = times.amax(1)
    equally = (times == most[:, None]).sum(1) // most  # classes that are the commonest
    return float(((times[:, 0] == most).double() / equally).mean())


def canvas_everywhere() -> dict[str, Any]:
    """What calling every pixel of the scenes of clothes canvas gives."""
    from benchmarks import canvas
    from benchmarks.scenery import CLASSES

    labels = canvas.load(SCENES).test_y
    share = 100 * float((labels == 0).double().mean())
    # It is right on the canvas, of all pixels; no other class is predicted, and all are there.
    there = int(labels.unique().numel())
    if there != len(CLASSES[SCENES]):
        raise RuntimeError(f"the test scenes have {there} of {len(CLASSES[SCENES])} classes")
    return {"pixel_accuracy": share, "miou": share / there, "test_images": len(labels)}
