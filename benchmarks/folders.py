"""Training on images in folders, one a class: read from disk while they are trained on.

The views are those that are common on ImageNet: a random part of the image, scaled, and its mirror
to train on; the middle of the image, scaled, to test on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import ImageFolder

from benchmarks.cells import Diverged
from benchmarks.data import DataError
from benchmarks.recipes import Recipe
from benchmarks.training import Outcome, Step

MIDDLE = 0.875
"""Side of the part that is tested over the shorter side of the image."""

Drawn = Sequence[tuple[int, int]]
"""Numbers of images, each with the number that decides its view."""


@dataclass(frozen=True)
class Folders:
    """A training set and a test set with the same classes."""

    train: ImageFolder
    test: ImageFolder


@dataclass(frozen=True)
class How:
    """How to compute: ``size`` is the side of a view in pixels, ``workers`` load images."""

    size: int
    device: str = "cpu"
    precision: str = "fp32"
    layout: str = "nchw"
    workers: int = 0

    def put(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) on the device, in the layout."""
        nhwc = self.layout == "nhwc"
        kind = torch.channels_last if nhwc else torch.contiguous_format
        return x.to(self.device, non_blocking=True).contiguous(memory_format=kind)

    def autocast(self) -> torch.autocast:
        """The context of a forward pass."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16")


def load(folder: Path) -> Folders:
    """The images in ``train`` and ``val`` under a folder.

    Raises DataError if one is not there, has no images, or if their classes differ.
    """
    found = []
    for part in ("train", "val"):
        try:
            found.append(ImageFolder(folder / part))
        except OSError as error:
            raise DataError(
                f"{folder / part} does not hold a folder of images for each class ({error}); "
                f"unpack ImageNet's `train` and `val` into {folder}, or name the folder that has "
                "them in ATTN_BENCH_IMAGENET"
            ) from error
    train, test = found
    if train.classes != test.classes:
        odd = sorted(set(train.classes) ^ set(test.classes))
        raise DataError(
            f"train and val in {folder} have different classes, {odd[0]} is in one of them only; "
            "unpack both again"
        )
    return Folders(train, test)


class Views(Dataset[tuple[Tensor, int]]):
    """Images as tensors (C, size, size), each the view that a number decides, with its class.

    The number and not the order of calls decides, so that any number of workers gives the same.
    """

    def __init__(self, folder: ImageFolder, view: Callable[[Any], Tensor]) -> None:
        self.folder, self.view = folder, view

    def __getitem__(self, drawn: tuple[int, int]) -> tuple[Tensor, int]:
        number, seed = drawn
        path, label = self.folder.samples[number]
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return self.view(self.folder.loader(path)), label


def training_view(size: int) -> Callable[[Any], Tensor]:
    """A random part of an image with 8 to 100 % of its area, scaled to ``size``, or its mirror."""
    parts = [transforms.RandomResizedCrop(size), transforms.RandomHorizontalFlip()]
    return transforms.Compose([*parts, *_as_tensor()])


def test_view(size: int) -> Callable[[Any], Tensor]:
    """The middle of an image whose shorter side is scaled to ``size / MIDDLE``."""
    parts = [transforms.Resize(round(size / MIDDLE)), transforms.CenterCrop(size)]
    return transforms.Compose([*parts, *_as_tensor()])


def _as_tensor() -> list[Callable[[Any], Tensor]]:
    norm = transforms.Normalize(IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)
    return [transforms.ToTensor(), norm]


def batches(
    views: Views, drawn: Drawn, batch_size: int, how: How, whole: bool
) -> DataLoader[tuple[Tensor, int]]:
    """Images and classes (N, C, size, size) and (N,) in the order drawn; ``whole`` batches only."""
    return DataLoader(
        views,
        batch_size,
        sampler=drawn,
        num_workers=how.workers,
        drop_last=whole,
        pin_memory=how.device != "cpu",
        generator=torch.Generator(),  # or it would draw from what the model draws from
    )


def draw(n: int, generator: torch.Generator) -> Drawn:
    """An order of n images and the number of each one's view."""
    order = torch.randperm(n, generator=generator)
    views = torch.randint(2**31, (n,), generator=generator)
    return list(zip(order.tolist(), views.tolist(), strict=True))


def train(
    model: nn.Module, folders: Folders, recipe: Recipe, seed: int, how: How
) -> tuple[Outcome, float]:
    """Train ``model`` in place and test it once, after the last epoch; the outcome and top-5 in %.

    ``seed`` decides the order and the views. Raises Diverged when a loss is not finite, ValueError
    when the training set is smaller than one batch, or for a recipe with steps that are not here.
    """
    if recipe.crop or recipe.whiten or recipe.last_gain or not recipe.flip:
        raise ValueError(
            f"recipe {recipe.name}: images in folders are mirrored by chance and cut at random; "
            "give flip=True, and neither crop, whiten nor last_gain"
        )
    n, size = len(folders.train), recipe.batch_size
    if n < size:
        raise ValueError(f"there are {n} training images, fewer than one batch of {size}")
    kind = torch.channels_last if how.layout == "nhwc" else torch.contiguous_format
    model.to(device=how.device, memory_format=kind).train()  # pyright: ignore[reportCallIssue]
    steps = n // size
    step = Step(model, recipe, recipe.epochs * steps)
    views = Views(folders.train, training_view(how.size))
    generator = torch.Generator().manual_seed(seed)

    start = time.perf_counter()
    losses: list[float] = []
    for _ in range(recipe.epochs):
        total = torch.zeros((), device=how.device)
        for x, y in batches(views, draw(n, generator), size, how, whole=True):
            with how.autocast():
                scores = model(how.put(x))
                loss = F.cross_entropy(
                    scores,
                    y.to(how.device, non_blocking=True),
                    label_smoothing=recipe.label_smoothing,
                )
            step(loss)
            total += loss.detach()
        losses.append(total.item() / steps)
        if not math.isfinite(losses[-1]):
            words = f"the loss of epoch {len(losses)} of {recipe.epochs} is {losses[-1]}"
            raise Diverged(words, {"epochs": len(losses)})
    speed = recipe.epochs * steps * size / (time.perf_counter() - start)

    step.finish()
    hits, test_loss = evaluate(model, folders.test, how, size)
    top1, top5 = 100 * float(hits[:, 0].mean()), 100 * float(hits.any(1).mean())
    if not math.isfinite(test_loss):
        known = {"epochs": recipe.epochs, "train_loss": losses[-1], "top1": top1}
        raise Diverged(f"the test loss after {recipe.epochs} epochs is {test_loss}", known)
    bits = np.packbits(hits[:, 0]).tobytes()
    outcome = Outcome(top1, test_loss, losses[-1], speed, recipe.epochs, tuple(losses), bits)
    return outcome, top5


@torch.no_grad()
def evaluate(
    model: nn.Module, folder: ImageFolder, how: How, batch_size: int
) -> tuple[np.ndarray, float]:
    """Which of the five likeliest classes is the right one, (N, 5) bool; the mean cross-entropy.

    The likeliest comes first. There are fewer columns if there are fewer classes.
    """
    model.eval()
    drawn = [(number, 0) for number in range(len(folder))]
    hits, losses = [], []
    for x, y in batches(Views(folder, test_view(how.size)), drawn, batch_size, how, whole=False):
        with how.autocast():
            scores = model(how.put(x)).float()
        right = y.to(how.device)
        likeliest = scores.topk(min(5, scores.shape[1]), dim=1).indices
        hits.append((likeliest == right[:, None]).cpu())
        losses.append(F.cross_entropy(scores, right, reduction="sum").cpu())
    return torch.cat(hits).numpy(), float(torch.stack(losses).sum()) / len(folder)
