"""Mechanism: tasks in which the reason that a paper gives for its module can show itself.

Each task is made of real Fashion-MNIST images (`scenes`) and asks for something that one of the
modules is said to see. All arms are trained on each task, so that a module can also turn out to
help where nobody said so. The test scenes are made of test images only. How hard the tasks are, and
the recipe, were set with the bare backbone alone, on scenes of training images that were held out
(`Images.split`); no module and no test image had a part in it, but for the choice of `LONG_TASKS`.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any

from benchmarks.accuracy import build, layers, run_seed
from benchmarks.cells import Benchmark, Cell, Column, Diverged, Selection, choose
from benchmarks.recipes import RECIPES

if TYPE_CHECKING:
    from torch import Tensor

SOURCE, BACKBONE = "fashion-mnist", "resnet10_narrow_os8"
RECIPE, LONG, PREVIEW = "mechanism", "mechanism-long", "mechanism-preview"
SEEDS = 10
SIZES = {RECIPE: (2700, 2000), LONG: (2700, 2000), PREVIEW: (640, 500)}
"""Training and test scenes by recipe."""

LONG_TASKS = ("position", "pair")
"""Tasks that are trained for longer too. They were chosen after the result of `RECIPE` was known:
in these two, the mean of the modules with a gate was farthest behind none."""

SHOWN = 4
"""Test scenes that one row of a task keeps."""

GARMENTS = (
    *("T-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
"""The classes of Fashion-MNIST."""


@dataclass(frozen=True)
class Task:
    """What a task asks for, and the modules whose papers' reason it is made for."""

    question: str
    named: tuple[str, ...]


TASKS = {
    "position": Task("in which row and column is the object?", ("coord",)),
    "mark": Task("what is in the marked row or column?", ("coord",)),
    "scale": Task("what is it, large or small?", ("sk",)),
    "clutter": Task("which object is whole?", ("cbam",)),
    "channels": Task("what does the clean channel show?", ("se", "eca")),
    "pair": Task("are two distant objects alike?", ("pam", "danet")),
}


class Mechanism(Benchmark):
    """Accuracy of every arm on scenes that are made for one of the modules."""

    name = "mechanism"
    title = "Does each mechanism do what its paper says?"
    trained = True
    default_seconds = 12.0
    code = (
        "benchmarks/accuracy.py::build",
        "benchmarks/accuracy.py::run_seed",
        "benchmarks/data.py::Images",
        "benchmarks/data.py::_fashion_mnist",
        "benchmarks/data.py::_idx",
        "benchmarks/mechanism.py::composed",
        "benchmarks/mechanism.py::label",
        "benchmarks/mechanism.py::pictures",
        "benchmarks/mechanism.py::png",
        "benchmarks/mechanism.py::train_arm",
        "benchmarks/narrow.py",
        "benchmarks/scenes.py",
        "benchmarks/training.py",
    )
    columns = (
        Column("top1", "number", "%", "test scenes classified correctly, after the last epoch"),
        Column("test_loss", "number", "nat", "mean cross-entropy on the test scenes"),
        Column("train_loss", "number", "nat", "mean training loss of the last epoch"),
        Column("classes", "integer", "", "labels of the task, all equally likely"),
        Column("train_images", "integer", "scenes", "size of the training set"),
        Column("test_images", "integer", "scenes", "size of the test set"),
        Column("epochs", "integer", "", "passes over the training set"),
        Column("params", "integer", "", "trainable parameters"),
        Column(
            "scenes",
            "string",
            "",
            "the first test scenes as label=image, between them a semicolon; the images are PNG "
            "in base64, with 16 greys and the channels beside and below each other; kept for the "
            "bare backbone's first seed",
        ),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """Seed by seed all tasks; a preview has only the arms that a task is made for."""
        if want.suite not in ("quick", "cpu") or want.device != "cpu" or want.backbones:
            return
        plan = [(RECIPE, SEEDS, tuple(TASKS)), (LONG, SEEDS, LONG_TASKS)]
        if want.suite == "quick":
            plan = [(PREVIEW, 1, tuple(TASKS))]
        few = want.suite == "quick" and want.modules is None
        for recipe, seeds, tasks in plan:
            for seed, data, (module, variant) in product(range(seeds), tasks, want.arms()):
                if few and module not in ("none", *TASKS[data].named):
                    continue
                yield Cell(
                    self.name,
                    BACKBONE,
                    module,
                    variant,
                    data,
                    recipe,
                    seed,
                    batch_size=RECIPES[recipe].batch_size,
                    threads=1,
                )

    def check(self, cells: Sequence[Cell]) -> None:
        """ValueError for a task that there is not, DataError if the images can't be had."""
        from benchmarks import data

        for cell in cells:
            choose(cell.data, tuple(TASKS), "task")
        data.load(SOURCE)

    def same_machine(self, cell: Cell) -> bool:
        """A preview is for the reader's own eyes: it is measured on the reader's machine."""
        return cell.recipe == PREVIEW

    def guess(self, cell: Cell) -> float:
        """A preview takes a second."""
        times = RECIPES[cell.recipe].epochs / RECIPES[RECIPE].epochs
        return 1.0 if cell.recipe == PREVIEW else times * self.default_seconds

    def configuration(self, cell: Cell) -> Any:
        """The recipe, the number of scenes and the layers of the model."""
        model = layers(cell.backbone, cell.module, cell.variant)
        return asdict(RECIPES[cell.recipe]), SIZES[cell.recipe], model

    def measure(self, cell: Cell) -> dict[str, Any]:
        """Train one arm. Raises Diverged, with what is known by then, when the loss blows up."""
        return train_arm(cell)


def train_arm(cell: Cell) -> dict[str, Any]:
    """Compose the scenes, train and test the model of a cell."""
    import torch

    from benchmarks import training

    torch.set_num_threads(cell.threads or 1)
    images = composed(cell)
    model = build(cell, images.num_classes, images.train_x.shape[1])
    facts = {
        "classes": images.num_classes,
        "train_images": len(images.train_y),
        "test_images": len(images.test_y),
        "params": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }
    if cell.module == "none" and cell.seed == 0:
        facts["scenes"] = pictures(cell.data, images.test_x[:SHOWN], images.test_y[:SHOWN])
    try:
        outcome = training.train(model, images, RECIPES[cell.recipe], seed=run_seed(cell))
    except Diverged as diverged:
        raise Diverged(str(diverged), {**facts, **diverged.values}) from diverged
    kept = ("top1", "test_loss", "train_loss", "epochs")
    return facts | {name: getattr(outcome, name) for name in kept}


def composed(cell: Cell) -> Any:
    """Scenes of a cell's task as a data set, of training and of test images; by seed.

    Equal seeds give equal scenes, whatever the module.
    """
    from benchmarks import scenes
    from benchmarks.data import Images

    source, seed = _source(), run_seed(cell)
    train, test = SIZES[cell.recipe]
    train_x, train_y = scenes.compose(cell.data, source.train_x, source.train_y, train, seed)
    test_x, test_y = scenes.compose(cell.data, source.test_x, source.test_y, test, seed + 1)
    classes = scenes.TASKS[cell.data].classes
    return Images(cell.data, train_x, train_y, test_x, test_y, classes, flip=False)


@lru_cache(maxsize=1)
def _source() -> Any:
    from benchmarks import data

    return data.load(SOURCE)


def label(task: str, y: int) -> str:
    """A label in words."""
    if task == "position":
        from benchmarks.scenes import GRID

        return f"row {y // GRID + 1}, column {y % GRID + 1}"
    if task == "pair":
        return "alike" if y else "not alike"
    return GARMENTS[y]


def pictures(task: str, x: Tensor, y: Tensor) -> str:
    """The column ``scenes``: (N, C, H, W) uint8 and (N,); more channels than one in two lines."""
    lines = 1 if x.shape[1] == 1 else 2
    drawn = []
    for scene, answer in zip((x.float() / 17).round().byte(), y.tolist(), strict=True):
        levels = scene.unflatten(0, (lines, -1)).permute(0, 2, 1, 3).flatten(2).flatten(0, 1)
        image = base64.b64encode(png(levels.tolist())).decode()
        drawn.append(f"{label(task, answer)}={image}")
    return ";".join(drawn)


def png(levels: Sequence[Sequence[int]]) -> bytes:
    """Rows of greys from 0 to 15 as a PNG of four bits a pixel (https://www.w3.org/TR/png-3/)."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    width = len(levels[0])
    padded = [[*row, 0] if width % 2 else row for row in levels]
    lines = (bytes(16 * a + b for a, b in zip(r[::2], r[1::2], strict=True)) for r in padded)
    packed = zlib.compress(b"".join(b"\0" + line for line in lines), 9)
    header = struct.pack(">IIBBBBB", width, len(levels), 4, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", packed), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def drawings(text: str) -> list[tuple[str, str]]:
    """Label and base64 PNG of each scene of a column ``scenes``."""
    return [tuple(one.split("=", 1)) for one in text.split(";") if one]  # pyright: ignore
