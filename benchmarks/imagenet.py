"""Accuracy on ImageNet: the same comparison with large images and wide nets, on a GPU.

The images are those of the folder that ``ATTN_BENCH_IMAGENET`` names. The suite ``gpu`` has them
only where it names one: nobody can download them for it, and they take months.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.accuracy import Accuracy, as_text, build, check_compiler, compiled, run_seed
from benchmarks.cells import Cell, Column, Diverged, Selection
from benchmarks.recipes import RECIPES

DATA = RECIPE = "imagenet"
BACKBONES = ("resnet50", "mobilenetv2_100")
CLASSES = 1000
SEEDS = 10
IMAGE_SIZE = 224
VARIABLE = "ATTN_BENCH_IMAGENET"


class ImageNet(Accuracy):
    """Train each arm on ImageNet with the same recipe and seeds; last-epoch accuracy on `val`."""

    name = "imagenet"
    title = "Accuracy on ImageNet after training with one recipe and paired seeds"
    exclusive = True
    default_seconds = 50_000.0  # an epoch on a processor: of no use, and told before it begins
    gpu_seconds = 900.0
    limit_seconds = 30 * 24 * 3600.0
    needs = f"set {VARIABLE} to the folder that holds train and val, and ask for --suite gpu"
    code = (
        "benchmarks/accuracy.py::as_text",
        "benchmarks/accuracy.py::build",
        "benchmarks/accuracy.py::compiled",
        "benchmarks/accuracy.py::run_seed",
        "benchmarks/folders.py",
        "benchmarks/imagenet.py::train_arm",
        "benchmarks/training.py",
    )
    columns = (
        *Accuracy.columns,
        Column("top5", "number", "%", "test images whose class is among the five likeliest"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """Seed by seed, all arms of a seed together, so that what is finished is paired."""
        if want.suite != "gpu" or not os.environ.get(VARIABLE):
            return
        backbones = want.backbones or BACKBONES
        for seed, backbone, (module, variant) in product(range(SEEDS), backbones, want.arms()):
            yield Cell(
                self.name,
                backbone,
                module,
                variant,
                data=_data(),
                recipe=RECIPE,
                seed=seed,
                device=want.device,
                precision="bf16",
                layout="nhwc",
                image_size=IMAGE_SIZE,
                batch_size=RECIPES[RECIPE].batch_size,
            )

    def check(self, cells: Sequence[Cell]) -> None:
        """List the images once: DataError before any training if they are not as they should be."""
        from benchmarks import folders

        if cells:
            folders.load(place())
            check_compiler(cells)
            require_shared_memory(cells)

    def measure(self, cell: Cell) -> dict[str, Any]:
        """Train one arm. Raises Diverged, with what is known by then, when the loss blows up."""
        return train_arm(cell)


def require_shared_memory(cells: Sequence[Cell], folder: str = "/dev/shm") -> None:
    """ValueError where the processes that read images for a GPU can't hand over two batches each.

    So many are under way: torch's DataLoader has each process prepare two ahead.
    """
    from benchmarks.resources import cores

    on_gpu = [cell for cell in cells if cell.device.startswith("cuda")]
    if not on_gpu or not os.path.isdir(folder):
        return
    batch = max(4 * 3 * (c.image_size or IMAGE_SIZE) ** 2 * (c.batch_size or 1) for c in on_gpu)
    there, needed = shutil.disk_usage(folder).total, 2 * batch * cores()
    if there < needed:
        raise ValueError(
            f"{folder}, through which {cores()} processes hand batches of images over, has "
            f"{there / 2**20:,.0f} MiB; they need {needed / 2**20:,.0f}. In a container: "
            f"--ipc=host, or --shm-size={-(-needed // 2**30)}g"
        )


def place() -> Path:
    """The folder with ``train`` and ``val``. Raises ValueError where none is named."""
    named = os.environ.get(VARIABLE)
    if not named:
        raise ValueError(f"no images: set {VARIABLE} to the folder that holds train and val")
    return Path(named).expanduser()


def _data() -> str:
    """What the images are called: a part of the classes is other data, ``imagenet-10``.

    A folder that can't be read has the name of the whole; `check` says what is wrong with it.
    """
    try:
        classes = sum(entry.is_dir() for entry in os.scandir(place() / "train"))
    except OSError:
        return DATA
    return DATA if classes == CLASSES else f"{DATA}-{classes}"


def train_arm(cell: Cell) -> dict[str, Any]:
    """Build, train and test the model of a cell."""
    from benchmarks import folders
    from benchmarks.resources import cores

    images = folders.load(place())
    model = build(cell, len(images.train.classes), 3)
    facts = {
        "params": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "train_images": len(images.train),
        "test_images": len(images.test),
        **compiled(model, cell.device),
    }
    how = folders.How(
        cell.image_size or IMAGE_SIZE,
        cell.device,
        cell.precision,
        cell.layout,
        0 if cell.device == "cpu" else cores(),
    )
    try:
        outcome, top5 = folders.train(model, images, RECIPES[cell.recipe], run_seed(cell), how)
    except Diverged as diverged:
        raise Diverged(str(diverged), {**facts, **diverged.values}) from diverged
    losses = " ".join(f"{loss:.4f}" for loss in outcome.losses)
    bits = as_text(outcome.correct)
    return {**facts, **asdict(outcome), "top5": top5, "losses": losses, "correct": bits}
