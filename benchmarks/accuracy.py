"""Accuracy: paired training runs, tested once, after the last epoch.

The random seed of a run is a hash of data, backbone, recipe and repetition, without the module:
arms of equal ``seed`` start from the same shared weights and see the same images in the same order.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from itertools import product
from typing import Any

import numpy as np

from benchmarks import fresh, models
from benchmarks.cells import MODULES, Benchmark, Cell, Column, Diverged, Selection
from benchmarks.nets import CIFAR, MOBILE
from benchmarks.recipes import RECIPES
from benchmarks.widths import BACKBONE, WIDTHS

Arms = tuple[tuple[str, str], ...]
"""Modules with their variants."""

BARE: Arms = (("none", ""),)
ALL: Arms = tuple((name, "") for name in MODULES)


@dataclass(frozen=True)
class Runs:
    """Some lines of a plan: every arm in every backbone, trained alike, so many seeds each."""

    data: str
    backbones: tuple[str, ...]
    arms: Arms
    recipe: str
    seeds: int
    precision: str = "fp32"
    layout: str = "nchw"


PLANS = {
    "quick": (Runs("fashion-mnist", ("resnet10_small",), ALL, "preview", 2),),
    "cpu": (
        Runs("fashion-mnist", (BACKBONE,), ALL, "full", 10, "bf16", "nhwc"),
        Runs("fashion-mnist", tuple(WIDTHS), BARE, "full", 10, "bf16", "nhwc"),
        Runs("fashion-mnist", (MOBILE,), ALL, "full", 10, "fp32", "nhwc"),
    ),
    "gpu": (
        Runs("cifar100", CIFAR, ALL, "cifar", 10, "bf16", "nhwc"),
        Runs("cifar10", CIFAR[:1], ALL, "cifar", 10, "bf16", "nhwc"),
    ),
}
"""What a suite trains, in this order. Its main table comes first.

The recipe ``full`` has all that the ladder adds, and the epochs that keep two trainings side by
side within five minutes. It was chosen with the bare backbone on held-out training images. The
convolutions of MobileNetV2, one channel each, were slower in bf16 than in fp32 when it was tried.
"""


AIM, AIM_MINUTES = 93.5, 5.0
"""What the recipe ``full`` was to reach with the bare backbone, in percent of the test images, and
how long two trainings side by side were to take on two cores."""


SUITE = "cpu"
"""The suite of the main table, and of what is trained beside it."""


def asked(want: Selection) -> tuple[Runs, ...]:
    """The plan of a suite, or its main table with the arms and backbones that a user asks for.

    A backbone that is in the plan beside the main table is trained as it is there.
    """
    plan = PLANS[want.suite]
    if not want.modules and not want.backbones:
        return plan
    if not want.backbones:
        return (replace(plan[0], arms=want.arms()),)
    known = {backbone: runs for runs in reversed(plan) for backbone in runs.backbones}
    return tuple(
        replace(known.get(backbone, plan[0]), backbones=(backbone,), arms=want.arms())
        for backbone in want.backbones
    )


def beside(
    make: Callable[[Selection], Iterable[Cell]], want: Selection, families: Iterable[Arms]
) -> Iterator[Cell]:
    """Cells of other arms, made as a table's are: family by family, without the bare backbone.

    None for who asks for modules or backbones: `accuracy` or `mechanism` trains these.
    """
    if want.suite == SUITE and not (want.modules or want.backbones):
        for arms in families:
            yield from (c for c in make(replace(want, modules=arms)) if c.module != "none")


def run_seed(cell: Cell) -> int:
    """The random seed of a run: equal for all modules of one data set, backbone and recipe."""
    words = f"{cell.data} {cell.backbone} {cell.recipe} {cell.seed}"
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:4], "big")


class Accuracy(Benchmark):
    """Train each arm with the same recipe and seeds; last-epoch test accuracy."""

    name = "accuracy"
    title = "Test accuracy after training with one recipe and paired seeds"
    trained = True
    default_seconds = 30.0
    gpu_seconds = 10.0
    limit_seconds = 6 * 3600.0
    code = (
        "benchmarks/training.py",
        "benchmarks/accuracy.py::train_arm",
        "benchmarks/accuracy.py::as_text",
        "benchmarks/accuracy.py::build",
        "benchmarks/accuracy.py::compiled",
        "benchmarks/accuracy.py::run_seed",
        "benchmarks/data.py::Images",
        "benchmarks/data.py::_idx",
        "benchmarks/data.py::_fashion_mnist",
        "benchmarks/data.py::_cifar",
    )
    columns = (
        Column("top1", "number", "%", "test images classified correctly, after the last epoch"),
        Column("test_loss", "number", "nat", "mean cross-entropy on the test set"),
        Column("train_loss", "number", "nat", "mean training loss of the last epoch"),
        Column("train_images", "integer", "images", "size of the training set"),
        Column("test_images", "integer", "images", "size of the test set"),
        Column("epochs", "integer", "", "passes over the training set"),
        Column("params", "integer", "", "trainable parameters"),
        Column("images_per_second", "number", "images/s", "training speed, compiling included"),
        Column("losses", "string", "nat", "mean training loss of each epoch"),
        Column(
            "correct",
            "string",
            "",
            "which test images were classified rightly: one bit each, the first of a byte the "
            "highest, the bytes packed by zlib, in base64",
        ),
        Column("compiled", "boolean", "", "torch.compile made its code, as on every GPU"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """Seed by seed, all arms of a seed together, so that what is finished is paired.

        Arms and backbones that a user asks for take the place of those of the suite's main table.
        """
        for runs in asked(want):
            for seed, backbone, (module, variant) in product(
                range(runs.seeds), runs.backbones, runs.arms
            ):
                yield Cell(
                    benchmark=self.name,
                    backbone=backbone,
                    module=module,
                    variant=variant,
                    data=runs.data,
                    recipe=runs.recipe,
                    seed=seed,
                    device=want.device,
                    precision=runs.precision,
                    layout=runs.layout,
                    batch_size=RECIPES[runs.recipe].batch_size,
                    threads=1 if want.device == "cpu" else None,
                )

    def same_machine(self, cell: Cell) -> bool:
        """A preview is for the reader's own eyes: it is measured on the reader's machine."""
        return cell.recipe == "preview"

    def guess(self, cell: Cell) -> float:
        """So many seconds an epoch."""
        seconds = self.default_seconds if cell.device == "cpu" else self.gpu_seconds
        return seconds * RECIPES[cell.recipe].epochs

    def check(self, cells: Sequence[Cell]) -> None:
        """Load each data set once: DataError before any training if it is missing or damaged.

        ValueError if a GPU can't train here what torch has compiled.
        """
        check_compiler(cells)
        for name in {cell.data for cell in cells}:
            _images(name)

    def configuration(self, cell: Cell) -> Any:
        """The recipe and the layers of the model: what a changed slot or backbone would change."""
        return asdict(RECIPES[cell.recipe]), layers(cell.backbone, cell.module, cell.variant)

    def measure(self, cell: Cell) -> dict[str, Any]:
        """Train one arm. Raises Diverged, with what is known by then, when the loss blows up."""
        return train_arm(cell)


def train_arm(cell: Cell) -> dict[str, Any]:
    """Build, train and test the model of a cell."""
    import torch

    from benchmarks import training

    if cell.threads:
        torch.set_num_threads(cell.threads)
    images = _images(cell.data)
    model = build(cell, images.num_classes, images.train_x.shape[1])
    facts = {
        "params": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "train_images": len(images.train_y),
        "test_images": len(images.test_y),
        **compiled(model, cell.device),
    }
    try:
        outcome = training.train(
            model,
            images,
            RECIPES[cell.recipe],
            seed=run_seed(cell),
            device=cell.device,
            precision=cell.precision,
            layout=cell.layout,
        )
    except Diverged as diverged:
        raise Diverged(str(diverged), {**facts, **diverged.values}) from diverged
    losses = " ".join(f"{loss:.4f}" for loss in outcome.losses)
    return {**facts, **asdict(outcome), "losses": losses, "correct": as_text(outcome.correct)}


def compiled(model: Any, device: str, backend: str = "inductor") -> dict[str, Any]:
    """Let torch compile a model that is trained on a GPU; the column that says so.

    It is done in place, when the model first runs. On a processor nothing is, and nothing said.
    """
    import torch

    if not device.startswith("cuda"):
        return {"compiled": None}
    torch._dynamo.reset()  # all models of a process share one cache, of few entries
    torch._dynamo.config.fail_on_recompile_limit_hit = True  # or one would run as it is, unseen
    model.compile(backend=backend)
    return {"compiled": True}


def check_compiler(cells: Sequence[Cell]) -> None:
    """Raise ValueError if a GPU is to train and torch can't compile for it here in its precision.

    It is tried in a fresh process: this one would hold the GPU, and what is timed on it allows no
    other process there.
    """
    on_gpu = {(c.device, c.precision) for c in cells if c.device.startswith("cuda")}
    for device, precision in sorted(on_gpu):
        try:
            _compiles(device, precision)
        except RuntimeError as error:
            raise ValueError(
                f"device {device} was asked for; it trains what torch.compile has made in "
                f"{precision}, which fails here ({error}); install what it needs (triton, a C "
                "compiler such as gcc, Python's headers such as python3-dev, a Python that this "
                "torch can compile for), or choose --device cpu"
            ) from error


@cache
def _compiles(device: str, precision: str) -> None:
    """`compile_once` in a fresh process, once a device; what fails is tried again."""
    fresh.in_fresh_process(compile_once, device, precision)


def compile_once(device: str, precision: str) -> None:
    """Compile two layers for a device, and run them forward and backward.

    RuntimeError for a GPU without bfloat16 of its own, where torch takes slow substitutes and
    leaves out the compiler with no more than a warning.
    """
    import torch

    if precision == "bf16" and device.startswith("cuda"):
        major, minor = torch.cuda.get_device_capability(device)
        if major < 8:
            raise RuntimeError(f"bfloat16 takes compute capability 8.0; it has {major}.{minor}")
    layers = torch.nn.Linear(8, 8), torch.nn.Sigmoid()  # a kernel has to be made for it
    model = torch.compile(torch.nn.Sequential(*layers).to(device))
    model(torch.zeros(2, 8, device=device)).sum().backward()


def as_text(bits: bytes) -> str:
    """Bytes as text for a column."""
    return base64.b64encode(zlib.compress(bits, 9)).decode()


def correct_images(text: str, n: int) -> np.ndarray:
    """Which of n test images a run classified rightly, (n,) bool, from its column ``correct``."""
    bits = zlib.decompress(base64.b64decode(text))
    return np.unpackbits(np.frombuffer(bits, np.uint8), count=n).astype(bool)


def build(cell: Cell, num_classes: int, in_chans: int) -> Any:
    """The model of a cell; the shared layers start alike for every module of an equal seed."""
    import torch

    torch.manual_seed(run_seed(cell))
    return models.create(
        cell.backbone,
        cell.module,
        cell.variant,
        num_classes=num_classes,
        in_chans=in_chans,
    )


@cache
def layers(backbone: str, module: str, variant: str) -> str:
    """The layers of an arm as torch prints them: which module sits where, with what sizes."""
    return models.printed(models.create(backbone, module, variant, device="meta"))


@lru_cache(maxsize=1)
def _images(name: str) -> Any:
    from benchmarks import data

    return data.load(name)
