"""Segmentation: DANet's own task, heads with and without attention on one dilated backbone.

Scenes of clothes (`benchmarks.canvas`) on a processor, VOC 2012 on a GPU. The heads of one seed
start from the same backbone, see the same images in the same order, and mirrored alike; those of
one branch start with the same convolutions too. What is compared is attention alone: the head
without it has the same two convolutions (that of DANet's code has one), and DANet's own head, which
has two branches and three losses, stands beside the same head without its attention.

The scenes' difficulty, the optimiser and the size of its batches were set on validation scenes,
which are made of training images, with the head that has no attention. No other head and no test
image had a part in it. The training is as long as lets the first five heads of the suite `cpu` end
within an hour of one thread. The two heads that add the mean of the map were planned when the
result of the others was known: they ask whether it takes attention to see the scene at once. VOC's
recipe is a guess from DANet's code and was not tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import cache, lru_cache
from typing import Any

from benchmarks import models
from benchmarks.accuracy import run_seed
from benchmarks.cells import Benchmark, Cell, Column, Diverged, Selection

TWO = "two branches"
"""The variant of DANet's head without its attention."""

UNIFORM = "benchmarks.uniform:UniformAttention"

FCN, PAM, CAM, DANET, BRANCHES, MEAN, MEAN_BRANCHES = HEADS = (
    ("none", ""),
    ("pam", ""),
    ("cam", ""),
    ("danet", ""),
    ("none", TWO),
    (UNIFORM, ""),
    (UNIFORM, TWO),
)
"""The heads as module and variant: one branch with nothing, PAM or CAM in it, DANet's own with both
branches, and that without attention; then those that see all of the scene at once without
attention, one branch and two."""

SCENES = Cell(
    "segmentation",
    "resnet10_small",
    data="clothes",
    recipe="segmentation",
    layout="nhwc",
    batch_size=8,
    threads=1,
)
PREVIEW = replace(SCENES, data="clothes-preview", recipe="segmentation-preview")
VOC = Cell(
    "segmentation",
    "resnet50",
    data="voc2012",
    recipe="voc",
    device="cuda",
    precision="bf16",
    layout="nhwc",
    batch_size=16,
)
PLANS = {"quick": (PREVIEW, 1), "cpu": (SCENES, 10), "gpu": (VOC, 10)}
"""The cell without attention of each suite, and its number of seeds."""

SECONDS = {"segmentation-preview": 1.5, "segmentation": 60.0, "voc": 1200.0}


class Segmentation(Benchmark):
    """Train each head with the same recipe and seeds; last-epoch test of every pixel."""

    name = "segmentation"
    title = "Segmentation with DANet's attentions, one recipe and paired seeds"
    trained = True
    plugs = False
    default_seconds = SECONDS["segmentation"]
    code = (
        "attn/danet.py::DANetHead",
        "benchmarks/accuracy.py::run_seed",
        "benchmarks/canvas.py",
        "benchmarks/data.py::Images",
        "benchmarks/data.py::_fashion_mnist",
        "benchmarks/data.py::_idx",
        "benchmarks/scenery.py",
        "benchmarks/segmentation.py::head_on",
        "benchmarks/segmentation.py::train_head",
        "benchmarks/segmenters.py",
        "benchmarks/segmenting.py",
        "benchmarks/training.py::lr_factor",
    )
    columns = (
        Column("miou", "number", "%", "mean over classes of intersection over union, all pixels"),
        Column("pixel_accuracy", "number", "%", "test pixels whose class is right"),
        Column("ious", "string", "%", "intersection over union of each class, in their order"),
        Column(
            "gammas", "string", "", "weights of what PAM, CAM or a mean adds, after the training"
        ),
        Column("train_loss", "number", "nat", "mean training loss of the last epoch"),
        Column("losses", "string", "nat", "mean training loss of each epoch, of the prediction"),
        Column("train_images", "integer", "images", "size of the training set"),
        Column("test_images", "integer", "images", "size of the test set"),
        Column("epochs", "integer", "", "passes over the training set"),
        Column("params", "integer", "", "trainable parameters of backbone and head"),
        Column("images_per_second", "number", "images/s", "training speed; not a benchmark"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """Seed by seed, all heads of a seed together, so that what is finished is paired."""
        start, seeds = PLANS[want.suite]
        on_gpu = want.device != "cpu"
        start = replace(
            start,
            device=want.device,
            precision="bf16" if on_gpu else "fp32",
            threads=None if on_gpu else 1,
        )
        heads = HEADS if want.modules is None else want.arms()
        backbones = (start.backbone,)
        if want.backbones:
            backbones = tuple(filter(dilates, want.backbones))
        for seed in range(seeds):
            for backbone in backbones:
                for module, variant in heads:
                    head = {"backbone": backbone, "module": module, "variant": variant}
                    yield replace(start, **head, seed=seed)

    def same_machine(self, cell: Cell) -> bool:
        """A preview is for the reader's own eyes: it is measured on the reader's machine."""
        return cell.recipe == PREVIEW.recipe

    def guess(self, cell: Cell) -> float:
        """Seconds by recipe."""
        return SECONDS[cell.recipe]

    def check(self, cells: Sequence[Cell]) -> None:
        """Build each head and load each data set once: errors come before any training.

        ValueError for a backbone that can't be dilated or an unknown module, DataError for images
        or pretrained weights that can't be had.
        """
        for words in {(c.backbone, c.module, c.variant) for c in cells}:
            layers(*words)
        for backbone, recipe in {(c.backbone, c.recipe) for c in cells}:
            _weights(backbone, recipe)
        for name in {cell.data for cell in cells}:
            _images(name)

    def configuration(self, cell: Cell) -> Any:
        """The recipe and the layers: what a changed backbone or module would change."""
        from benchmarks.segmenting import RECIPES

        return asdict(RECIPES[cell.recipe]), layers(cell.backbone, cell.module, cell.variant)

    def measure(self, cell: Cell) -> dict[str, Any]:
        """Train one head. Raises Diverged, with what is known by then, when the loss blows up."""
        return train_head(cell)


def train_head(cell: Cell) -> dict[str, Any]:
    """Build, train and test the network of a cell."""
    import torch

    from benchmarks import segmenters, segmenting

    if cell.threads:
        torch.set_num_threads(cell.threads)
    images, recipe = _images(cell.data), segmenting.RECIPES[cell.recipe]
    torch.manual_seed(run_seed(cell))
    body = segmenters.dilated(cell.backbone, images.train_x.shape[1], recipe.pretrained)
    model = head_on(body, cell.module, cell.variant, len(images.classes))
    facts = {
        "params": sum(p.numel() for p in model.parameters()),
        "train_images": len(images.train_y),
        "test_images": len(images.test_y),
    }
    device, precision = cell.device, cell.precision
    try:
        done = segmenting.train(
            model,
            images,
            recipe,
            seed=run_seed(cell),
            device=device,
            precision=precision,
            layout=cell.layout,
        )
    except Diverged as diverged:
        raise Diverged(str(diverged), {**facts, **diverged.values}) from diverged
    return {
        **facts,
        **segmenting.evaluate(model, images, device, precision),
        "gammas": segmenters.gammas(model),
        "train_loss": done.losses[-1],
        "losses": " ".join(f"{loss:.4f}" for loss in done.losses),
        "epochs": recipe.epochs,
        "images_per_second": done.images_per_second,
    }


def head_on(body: Any, module: str, variant: str, num_classes: int) -> Any:
    """A backbone with the head that a cell's module and variant name."""
    import attn
    from benchmarks import segmenters

    if variant == TWO:
        return segmenters.network(body, module, {}, num_classes, branches=2)
    branches = 2 if module == "danet" else 1
    options = attn.parse_options(variant)
    return segmenters.network(body, module, options, num_classes, branches=branches)


@cache
def layers(backbone: str, module: str, variant: str) -> str:
    """The layers of a network as torch prints them, of one class and one input channel."""
    import torch

    from benchmarks import segmenters

    with torch.device("meta"):
        return models.printed(head_on(segmenters.dilated(backbone, 1), module, variant, 1))


@cache
def dilates(backbone: str) -> bool:
    """Whether a head can be put on a backbone of timm: of others the benchmark has no cells."""
    try:
        layers(backbone, "none", "")
    except (ValueError, RuntimeError):
        return False
    return True


def _weights(backbone: str, recipe: str) -> None:
    from benchmarks import segmenters, segmenting

    if segmenting.RECIPES[recipe].pretrained:
        segmenters.dilated(backbone, 3, True)


@lru_cache(maxsize=1)
def _images(name: str) -> Any:
    from benchmarks import canvas

    return canvas.load(name)
