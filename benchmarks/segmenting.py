"""Training and test of networks that give every pixel a class.

The loss is the mean over the pixels that have a label, summed over all the scores that a head
gives, as in DANet's code (https://github.com/junfu1115/DANet).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from timm.optim import param_groups_weight_decay
from torch import Tensor
from torch.nn import functional as F

from benchmarks.canvas import Labelled
from benchmarks.cells import Diverged
from benchmarks.scenery import IGNORED, SIDE
from benchmarks.segmenters import Segmenter
from benchmarks.training import lr_factor


@dataclass(frozen=True)
class Recipe:
    """SGD with Nesterov's momentum; ``lr`` is the peak of a linear rise and fall.

    ``window`` is the side of the square that is cut from a training image at random; all images
    are mirrored at random. ``pretrained`` starts the backbone with timm's weights.
    """

    epochs: int
    batch_size: int
    lr: float
    window: int
    weight_decay: float = 5e-4
    momentum: float = 0.9
    warmup: float = 0.2
    pretrained: bool = False


RECIPES = {
    "segmentation-preview": Recipe(1, 8, 0.1, SIDE),
    "segmentation": Recipe(4, 8, 0.1, SIDE),
    "voc": Recipe(50, 16, 0.01, 384, weight_decay=1e-4, warmup=0.05, pretrained=True),
}


@dataclass(frozen=True)
class Trained:
    """Losses of a training, the mean of each epoch, and its speed, which is no benchmark."""

    losses: tuple[float, ...]
    images_per_second: float


def train(
    model: Segmenter,
    images: Labelled,
    recipe: Recipe,
    *,
    seed: int,
    device: str = "cpu",
    precision: str = "fp32",
    layout: str = "nchw",
) -> Trained:
    """Train ``model`` in place. ``seed`` decides order, windows, mirrors and dropped channels.

    ``precision`` is fp32 or bf16 (autocast), ``layout`` nchw or nhwc. Raises Diverged when a loss
    is not finite, ValueError when the training set is smaller than one batch.
    """
    n, size = len(images.train_y), recipe.batch_size
    if n < size:
        raise ValueError(
            f"{images.name} has {n} training images, fewer than one batch of {size}; "
            "choose a recipe with a smaller batch"
        )
    memory_format = torch.channels_last if layout == "nhwc" else torch.contiguous_format
    model.to(device=device, memory_format=memory_format).train()  # pyright: ignore[reportCallIssue]
    groups = param_groups_weight_decay(model, recipe.weight_decay)
    optimizer = torch.optim.SGD(groups, recipe.lr, recipe.momentum, nesterov=True)
    steps = recipe.epochs * (n // size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: lr_factor(step, steps, recipe.warmup)
    )
    autocast = torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")
    mean, std = (t.to(device) for t in statistics(images))
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    start, losses = time.perf_counter(), []
    for epoch in range(recipe.epochs):
        sum_of_losses = torch.zeros((), device=device)
        for x, y in batches(images, recipe, generator):
            x, y = x.to(device), y.to(device).long()
            with autocast:
                scores = model(((x.float() - mean) / std).contiguous(memory_format=memory_format))
            parts = [F.cross_entropy(s.float(), y, ignore_index=IGNORED) for s in scores]
            optimizer.zero_grad(set_to_none=True)
            torch.stack(parts).sum().backward()
            optimizer.step()
            schedule.step()
            sum_of_losses += parts[0].detach()
        losses.append(sum_of_losses.item() / (n // size))
        if not math.isfinite(losses[-1]):
            raise Diverged(
                f"the loss of epoch {epoch + 1} of {recipe.epochs} is {losses[-1]}",
                {"epochs": epoch + 1},
            )
    return Trained(tuple(losses), steps * size / (time.perf_counter() - start))


def batches(
    images: Labelled, recipe: Recipe, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """One pass over the training images in whole batches: windows (N, C, w, w), labels (N, w, w).

    A window lies in the image where there is room, and is mirrored at random.
    """
    n, side = len(images.train_y), recipe.window
    order = torch.randperm(n, generator=generator)
    for batch in order[: n - n % recipe.batch_size].split(recipe.batch_size):
        x, y = [], []
        for i in batch.tolist():
            known = images.train_y[i] != IGNORED
            where = []
            for along in (1, 0):
                room = int(known.any(along).sum()) - side
                start = int(torch.randint(max(room, 0) + 1, (), generator=generator))
                where.append(slice(start, start + side))
            window, labels = images.train_x[i][:, *where], images.train_y[i][*where]
            if torch.randint(2, (), generator=generator):
                window, labels = window.flip(-1), labels.flip(-1)
            x.append(window)
            y.append(labels)
        yield torch.stack(x), torch.stack(y)


def statistics(images: Labelled) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each channel over the training images' counted pixels, (C, 1, 1)."""
    known = images.train_y != IGNORED
    found = [
        torch.std_mean(images.train_x[:, c][known].float()) for c in range(images.train_x.shape[1])
    ]
    std, mean = (torch.stack(part).view(-1, 1, 1) for part in zip(*found, strict=True))
    return mean, std


@torch.no_grad()
def evaluate(
    model: Segmenter, images: Labelled, device: str = "cpu", precision: str = "fp32", size: int = 20
) -> dict[str, Any]:
    """The columns ``miou``, ``pixel_accuracy`` and ``ious`` on the test images; see `measures`."""
    measure = measures(len(images.classes)).to(device)
    mean, std = (t.to(device) for t in statistics(images))
    model.to(device).eval()
    with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
        for x, y in zip(images.test_x.split(size), images.test_y.split(size), strict=True):
            (scores,) = model((x.to(device).float() - mean) / std)
            measure.update(scores.argmax(1), y.to(device).long())
    found = measure.compute()
    return {
        "miou": 100 * found["miou"].item(),
        "pixel_accuracy": 100 * found["pixel_accuracy"].item(),
        "ious": " ".join(f"{100 * iou:.2f}" for iou in found["ious"].tolist()),
    }


def measures(num_classes: int) -> Any:
    """Intersection over union of each class and its mean, and the share of pixels that are right.

    Over the pixels of all images together; ``IGNORED`` ones do not count. A class that is neither
    labelled nor predicted has no part in the mean, and 0 among ``ious``. By torchmetrics.
    """
    from torchmetrics import MetricCollection
    from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

    each = {"ignore_index": IGNORED, "validate_args": False}
    return MetricCollection(
        {
            "miou": MulticlassJaccardIndex(num_classes, average="macro", **each),
            "ious": MulticlassJaccardIndex(num_classes, average="none", **each),
            "pixel_accuracy": MulticlassAccuracy(num_classes, average="micro", **each),
        }
    )
