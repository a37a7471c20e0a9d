"""The one training loop: tensors in memory, batched augmentation, SGD or AdamW, decay to 0."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from timm.optim import param_groups_weight_decay
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.cells import Diverged
from benchmarks.data import Images
from benchmarks.recipes import Recipe


@dataclass(frozen=True)
class Outcome:
    """What one run gave: accuracies in percent after the last epoch, losses, training speed."""

    top1: float
    test_loss: float
    train_loss: float
    images_per_second: float
    epochs: int


def lr_factor(step: int, steps: int, warmup: float) -> float:
    """Share of the peak rate: linear up over the first ``warmup`` of the steps, linear to 0."""
    rise = max(1, round(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    return (steps - step) / max(1, steps - rise)


def augment(x: Tensor, crop: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Shift each image by up to ``crop`` pixels (reflected border) and mirror every second one.

    (N, C, H, W) -> the same shape.
    """
    n, _, height, width = x.shape
    if flip:
        mirrored = torch.rand(n, generator=generator).to(x.device) < 0.5
        x = torch.where(mirrored.view(n, 1, 1, 1), x.flip(3), x)
    if crop:
        padded = F.pad(x, (crop,) * 4, mode="reflect")
        shifts = torch.randint(2 * crop + 1, (n, 2), generator=generator).to(x.device)
        rows = shifts[:, :1] + torch.arange(height, device=x.device)  # (N, H)
        columns = shifts[:, 1:] + torch.arange(width, device=x.device)  # (N, W)
        index = torch.arange(n, device=x.device).view(n, 1, 1)
        shifted = padded[index, :, rows.unsqueeze(2), columns.unsqueeze(1)]  # (N, H, W, C)
        x = shifted.permute(0, 3, 1, 2)
    return x


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    groups = param_groups_weight_decay(model, recipe.weight_decay)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.lr)
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=True)


def _batches(n: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """A random permutation of n in whole batches (the remainder is left out)."""
    order = torch.randperm(n, generator=generator)
    for start in range(0, n - size + 1, size):
        yield order[start : start + size]


def train(
    model: nn.Module,
    images: Images,
    recipe: Recipe,
    *,
    seed: int,
    device: str = "cpu",
    precision: str = "fp32",
    layout: str = "nchw",
) -> Outcome:
    """Train ``model`` in place and test it once, after the last epoch.

    ``seed`` decides order and augmentation. ``precision`` is fp32 or bf16 (autocast), ``layout``
    nchw or nhwc. Raises Diverged when a loss is not finite, ValueError when the training set is
    smaller than one batch.
    """
    n = len(images.train_y)
    if n < recipe.batch_size:
        raise ValueError(
            f"{images.name} has {n} training images, fewer than one batch of "
            f"{recipe.batch_size}; choose a recipe with a smaller batch"
        )
    memory_format = torch.channels_last if layout == "nhwc" else torch.contiguous_format
    model.to(device=device, memory_format=memory_format).train()  # pyright: ignore[reportCallIssue]
    train_x, test_x = (x.to(device) for x in images.normalised())
    train_y, test_y = images.train_y.to(device), images.test_y.to(device)
    generator = torch.Generator().manual_seed(seed)
    optimizer = _optimizer(model, recipe)
    steps = recipe.epochs * (n // recipe.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: lr_factor(step, steps, recipe.warmup)
    )
    autocast = torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")

    start = time.perf_counter()
    train_loss = math.nan
    for epoch in range(recipe.epochs):
        losses = []
        for batch in _batches(n, recipe.batch_size, generator):
            batch = batch.to(device)
            x = augment(train_x[batch], recipe.crop, images.flip and recipe.flip, generator)
            with autocast:
                loss = F.cross_entropy(
                    model(x.contiguous(memory_format=memory_format)),
                    train_y[batch],
                    label_smoothing=recipe.label_smoothing,
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
        train_loss = torch.stack(losses).mean().item()
        if not math.isfinite(train_loss):
            raise Diverged(
                f"the loss of epoch {epoch + 1} of {recipe.epochs} is {train_loss}",
                {"epochs": epoch + 1},
            )
    speed = steps * recipe.batch_size / (time.perf_counter() - start)
    with autocast:
        top1, test_loss = evaluate(model, test_x, test_y)
    if not math.isfinite(test_loss):
        raise Diverged(
            f"the test loss after {recipe.epochs} epochs is {test_loss}",
            {"epochs": recipe.epochs, "train_loss": train_loss, "top1": top1},
        )
    return Outcome(top1, test_loss, train_loss, speed, recipe.epochs)


@torch.no_grad()
def evaluate(model: nn.Module, x: Tensor, y: Tensor, batch_size: int = 500) -> tuple[float, float]:
    """Top-1 accuracy in percent and mean cross-entropy, in eval mode."""
    model.eval()
    logits = torch.cat([model(part).float() for part in x.split(batch_size)])
    correct = int((logits.argmax(1) == y).sum())
    return 100 * correct / len(y), F.cross_entropy(logits, y).item()
