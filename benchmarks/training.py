"""The one training loop: tensors in memory, batched augmentation, SGD or AdamW, decay to 0.

Beside forward, backward and update, a step costs one gather (the augmentation), and nothing waits
for a number before the epoch ends. The benchmark ``throughput`` measures what that comes to.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from timm.optim import param_groups_weight_decay
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.cells import Diverged
from benchmarks.data import Images
from benchmarks.recipes import Recipe

AVERAGE_EVERY = 4
"""Steps from one update of the moving average to the next."""


@dataclass(frozen=True)
class Outcome:
    """What one run gave: accuracies in percent after the last epoch, losses, training speed.

    ``images_per_second`` is the rate from the first step to the last. ``losses`` holds the mean
    training loss of each epoch, ``correct`` one bit a test image (`numpy.packbits`).
    """

    top1: float
    test_loss: float
    train_loss: float
    images_per_second: float
    epochs: int
    losses: tuple[float, ...]
    correct: bytes


def lr_factor(step: int, steps: int, warmup: float) -> float:
    """Share of the peak rate: linear up over the first ``warmup`` of the steps, linear to 0."""
    rise = max(1, round(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    return (steps - step) / max(1, steps - rise)


def views(height: int, width: int, crop: int, flip: bool) -> Tensor:
    """Every augmented view of an image as pixel numbers of the original, (views, H * W).

    All shifts by up to ``crop`` pixels with a reflected border and, with ``flip``, their mirrors.
    """
    pixels = torch.arange(float(height * width)).view(1, 1, height, width)
    padded = F.pad(pixels, (crop,) * 4, mode="reflect")
    shifted = padded.unfold(2, height, 1).unfold(3, width, 1).reshape(-1, height, width)
    both = torch.cat([shifted, shifted.flip(2)]) if flip else shifted
    return both.flatten(1).long()


def augment(x: Tensor, pixels: Tensor) -> Tensor:
    """The view of each image whose pixel numbers are given, in one gather.

    (N, C, H, W) and (N, H * W) -> (N, C, H, W).
    """
    return x.flatten(2).gather(2, pixels.unsqueeze(1).expand(-1, x.shape[1], -1)).view(x.shape)


def plan(
    n: int, recipe: Recipe, flip: bool, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """The order of n images and the view of each, (n,) and (n,), epoch by epoch.

    All views are equally likely. With ``recipe.alternate`` an image that is mirrored in one epoch
    is not in the next, so that any two epochs show both sides of it.
    """
    shifts = (2 * recipe.crop + 1) ** 2
    mirrored = None
    for _ in range(recipe.epochs):
        order = torch.randperm(n, generator=generator)
        view = torch.randint(shifts, (n,), generator=generator)
        if flip and recipe.flip:
            if mirrored is None or not recipe.alternate:
                mirrored = torch.randint(2, (n,), generator=generator)
            else:
                mirrored = 1 - mirrored
            view = view + shifts * mirrored
        yield order, view


class Average:
    """Exponential moving average of a model's weights and of its running statistics.

    Until the decay says otherwise it is the plain mean, so that it does not remember the start.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay**AVERAGE_EVERY
        self.now = [t.detach() for t in (*model.parameters(), *model.buffers())]
        self.now = [t for t in self.now if t.is_floating_point()]
        self.mean = [t.clone() for t in self.now]
        self.updates = 0

    def update(self) -> None:
        """Take the model's tensors in."""
        self.updates += 1
        share = max(1 - self.decay, 1 / self.updates)
        torch._foreach_lerp_(self.mean, self.now, share)

    def apply(self) -> None:
        """Give the model the averages."""
        torch._foreach_copy_(self.now, self.mean)


def prepare(model: nn.Module, x: Tensor, recipe: Recipe) -> None:
    """What a recipe changes in a fresh model, given training images (N, C, H, W)."""
    if recipe.last_gain:
        for norm in last_norms(model):
            nn.init.constant_(norm.weight, recipe.last_gain)
    if recipe.whiten:
        first = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
        whiten(first, x[:5000])


def last_norms(model: nn.Module) -> list[nn.BatchNorm2d]:
    """The normalisations in the residual blocks of timm that start at 0.

    They lie in the block itself or in one of timm's layers in it. A plugged module's own, such as
    that of CBAM's spatial gate, is the module's affair.
    """
    found = []
    for block in model.modules():
        if hasattr(block, "zero_init_last"):
            parts = [part for part in block.children() if type(part).__module__.startswith("timm.")]
            layers = [layer for part in (block, *parts) for layer in part.children()]
            found += [layer for layer in layers if isinstance(layer, nn.BatchNorm2d)]
    return [norm for norm in found if norm.weight is not None and not norm.weight.any()]


@torch.no_grad()
def whiten(conv: nn.Conv2d, x: Tensor) -> None:
    """Set filters so that their answers to patches of ``x`` are uncorrelated, of variance 1.

    The eigenvectors of the patches' covariance, the largest first, each over the root of its
    eigenvalue, then their negatives (https://github.com/KellerJordan/cifar10-airbench).
    """
    size = (conv.kernel_size[0], conv.kernel_size[1])
    patches = F.unfold(x, size).transpose(1, 2).flatten(0, 1)  # (patches, C * k * k)
    values, vectors = torch.linalg.eigh(torch.cov(patches.T))
    filters = (vectors / values.clamp_min(1e-4).sqrt()).T.flip(0)
    filters = torch.cat([filters, -filters])[: conv.out_channels]
    conv.weight[: len(filters)] = filters.view(-1, *conv.weight.shape[1:])


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    groups = param_groups_weight_decay(model, recipe.weight_decay)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.lr, fused=True)
    return torch.optim.SGD(
        groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=True, fused=True
    )


class Step:
    """What follows a loss: gradients, the update, the next rate, the average of the weights."""

    def __init__(self, model: nn.Module, recipe: Recipe, steps: int) -> None:
        self.optimizer = _optimizer(model, recipe)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer,
            lambda step: lr_factor(step, steps, recipe.warmup) if recipe.decay else 1.0,
        )
        self.average = Average(model, recipe.average) if recipe.average else None
        self.steps, self.done = steps, 0

    def __call__(self, loss: Tensor) -> None:
        """Take one step down ``loss``."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.done += 1
        if self.average and (self.done % AVERAGE_EVERY == 0 or self.done == self.steps):
            self.average.update()

    def finish(self) -> None:
        """Give the model the averages of a recipe that has them."""
        if self.average:
            self.average.apply()


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
    n, size = len(images.train_y), recipe.batch_size
    if n < size:
        raise ValueError(
            f"{images.name} has {n} training images, fewer than one batch of {size}; "
            "choose a recipe with a smaller batch"
        )
    memory_format = torch.channels_last if layout == "nhwc" else torch.contiguous_format
    train_x, test_x = (x.to(device) for x in images.normalised())
    train_y, test_y = images.train_y.to(device), images.test_y.to(device)
    height, width = train_x.shape[2:]
    pixels = views(height, width, recipe.crop, images.flip and recipe.flip).to(device)
    model.to(device=device, memory_format=memory_format).train()  # pyright: ignore[reportCallIssue]
    prepare(model, train_x, recipe)
    steps = recipe.epochs * (n // size)
    step = Step(model, recipe, steps)
    autocast = torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")

    start = time.perf_counter()
    losses: list[float] = []
    for order, view in plan(n, recipe, images.flip, torch.Generator().manual_seed(seed)):
        order, view = order.to(device), view.to(device)
        sum_of_losses = torch.zeros((), device=device)
        for batch in order[: n - n % size].split(size):
            x = augment(train_x[batch], pixels[view[batch]])
            with autocast:
                logits = model(x.contiguous(memory_format=memory_format))
                loss = F.cross_entropy(
                    logits, train_y[batch], label_smoothing=recipe.label_smoothing
                )
            step(loss)
            sum_of_losses += loss.detach()
        losses.append(sum_of_losses.item() / (n // size))
        if not math.isfinite(losses[-1]):
            raise Diverged(
                f"the loss of epoch {len(losses)} of {recipe.epochs} is {losses[-1]}",
                {"epochs": len(losses)},
            )
    speed = steps * size / (time.perf_counter() - start)

    step.finish()
    with autocast:
        correct, test_loss = evaluate(model, test_x, test_y)
    top1 = 100 * int(correct.sum()) / len(correct)
    if not math.isfinite(test_loss):
        raise Diverged(
            f"the test loss after {recipe.epochs} epochs is {test_loss}",
            {"epochs": recipe.epochs, "train_loss": losses[-1], "top1": top1},
        )
    bits = np.packbits(correct.cpu().numpy()).tobytes()
    return Outcome(top1, test_loss, losses[-1], speed, recipe.epochs, tuple(losses), bits)


@torch.no_grad()
def evaluate(model: nn.Module, x: Tensor, y: Tensor, batch_size: int = 500) -> tuple[Tensor, float]:
    """Which images are classified correctly, (N,) bool, and the mean cross-entropy; eval mode."""
    model.eval()
    logits = torch.cat([model(part).float() for part in x.split(batch_size)])
    return logits.argmax(1) == y, F.cross_entropy(logits, y).item()
