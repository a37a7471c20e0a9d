"""Training on a sample of images, at a learning rate that held-out images have chosen.

The rate is searched once an arm, with a sample and initial values of its own, by the accuracy on
images of the training set that no arm trains on. The test images are looked at once, at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.cells import Cell, Diverged
from benchmarks.data import Images

HELD_OUT, TUNING_SEED = 2500, 1000
MOMENTUM = 0.9

RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
START, SLACK = 0.03, 1.0
"""Where a search begins, and by how many points a rate must be worse than the best to end it."""


@dataclass(frozen=True)
class Sample:
    """Images to train on, held-out ones that choose a rate, and test images; (N, 1, 28, 28)."""

    x: Tensor
    y: Tensor
    held_x: Tensor
    held_y: Tensor
    test_x: Tensor
    test_y: Tensor


@dataclass(frozen=True)
class Fit:
    """A trained network, what it trained on, what was known before, and the batches that passed.

    ``rights`` is the share of each batch that was right before its step, (steps,).
    """

    model: nn.Module
    sample: Sample
    before: dict[str, Any]
    rights: Tensor


def sample(images: Images, number: int, seed: int) -> Sample:
    """``number`` random training images, none of them among the ones held out for all seeds.

    Everything is shifted and scaled by the mean and deviation of the images drawn. ValueError if
    there are fewer images than asked for.
    """
    order = torch.randperm(len(images.train_y), generator=torch.Generator().manual_seed(0))
    held, pool = order[:HELD_OUT], order[HELD_OUT:]
    if number > len(pool):
        raise ValueError(
            f"{images.name} has {len(pool)} training images beside the {HELD_OUT} held out; "
            f"asked for {number}: take fewer"
        )
    drawn = torch.randperm(len(pool), generator=torch.Generator().manual_seed(seed))
    chosen = pool[drawn[:number]]
    few = replace(images, train_x=images.train_x[chosen], train_y=images.train_y[chosen])
    x, test_x = few.normalised()
    _, held_x = replace(few, test_x=images.train_x[held]).normalised()
    return Sample(x, few.train_y, held_x, images.train_y[held], test_x, images.test_y)


def train(model: nn.Module, x: Tensor, y: Tensor, lr: float, steps: int, batch: int) -> Tensor:
    """SGD with momentum, in place, the rate falling to zero in a line; the share right by batch.

    Each pass over the images is in a new order. Raises Diverged when the loss leaves the finite
    numbers.
    """
    optimiser = torch.optim.SGD(model.parameters(), lr, MOMENTUM)
    rights = []
    model.train()
    for step, chosen in zip(range(steps), batches(len(y), batch), strict=False):
        optimiser.param_groups[0]["lr"] = lr * (1 - step / steps)
        logits = model(x[chosen])
        loss = F.cross_entropy(logits, y[chosen])
        if not math.isfinite(loss.item()):
            raise Diverged(f"the loss left the finite numbers at step {step + 1} of {steps}")
        rights.append((logits.argmax(1) == y[chosen]).float().mean())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()
    return torch.stack(rights)


def batches(number: int, size: int) -> Iterator[Tensor]:
    """Indices of whole batches, pass after pass without end."""
    while True:
        yield from torch.randperm(number)[: number - number % size].split(size)


def right(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Percentage of the images whose class the model gives, without dropout."""
    model.eval()
    with torch.no_grad():
        answers = torch.cat([model(part).argmax(1) for part in x.split(500)])
    return 100 * (answers == y).double().mean().item()


def first_reach(rights: Tensor, share: float, window: int = 20) -> int | None:
    """The first step at which the mean over the last ``window`` batches is at least ``share``."""
    means = rights.unfold(0, window, 1).mean(1)
    (found,) = torch.nonzero(means >= share - 1e-6, as_tuple=True)
    return int(found[0]) + window if len(found) else None


def search(score: Callable[[float], float]) -> tuple[float, dict[float, float]]:
    """The rate with the best score, and the score of each rate that was tried.

    From ``START`` it goes down and then up the ``RATES``, and turns where a rate is worse than the
    best by more than ``SLACK``: where all rates are equally bad, it tries them all.
    """
    start = RATES.index(START)
    tried = {START: score(START)}
    for way in (reversed(RATES[:start]), RATES[start + 1 :]):
        for rate in way:
            tried[rate] = score(rate)
            if tried[rate] < max(tried.values()) - SLACK:
                break
    return max(tried, key=lambda rate: tried[rate]), dict(sorted(tried.items()))


def rows(
    cells: Sequence[Cell],
    fit: Callable[[int, float], Fit],
    judge: Callable[[Fit], dict[str, Any]],
) -> Iterator[tuple[Cell, dict[str, Any] | Exception]]:
    """The rows of one arm: a search for its rate, then a training for each cell's seed."""

    def score(rate: float) -> float:
        try:
            made = fit(TUNING_SEED, rate)
        except Diverged:
            return 0.0
        return right(made.model, made.sample.held_x, made.sample.held_y)

    rate, tried = search(score)
    chosen = {"lr": rate, "tried": "; ".join(f"{r:g}: {tried[r]:.2f}" for r in tried)}
    for cell in cells:
        assert cell.seed is not None
        try:
            made = fit(cell.seed, rate)
        except Diverged as error:
            yield cell, Diverged(str(error), chosen)
            continue
        part = made.sample
        values = {
            "accuracy": right(made.model, part.test_x, part.test_y),
            "train_accuracy": right(made.model, part.x[:HELD_OUT], part.y[:HELD_OUT]),
            "held_accuracy": right(made.model, part.held_x, part.held_y),
        }
        yield cell, values | chosen | made.before | judge(made)
