"""A small convolutional network on small images, trained by one rule at one constant rate."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.cells import Diverged
from benchmarks.notes.rules import RULES

BATCH, EPOCHS = 64, 8


def network() -> nn.Module:
    """Two convolutions of stride 2 and two layers, ReLU between: (N, 1, 28, 28) -> (N, 10)."""
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 5, stride=2, padding=2), nn.ReLU()),
        *(nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10)),
    )


def train(
    model: nn.Module, x: Tensor, y: Tensor, rule: str, lr: float, epochs: int = EPOCHS
) -> list[float]:
    """Train in place; the mean training loss of each epoch, taken while the weights change.

    Raises Diverged when one leaves the finite numbers.
    """
    optimiser = RULES[rule](model.parameters(), lr)
    losses: list[float] = []
    for epoch in range(1, epochs + 1):
        total = torch.zeros(())
        for chosen in torch.randperm(len(y)).split(BATCH):
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += len(chosen) * loss.detach()
        mean = total.item() / len(y)
        if not math.isfinite(mean):
            raise Diverged(f"the loss left the finite numbers in epoch {epoch}")
        losses.append(mean)
    return losses


@torch.no_grad()
def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Percent of the images that are right."""
    parts = zip(x.split(1000), y.split(1000), strict=True)
    return 100 * sum(int((model(a).argmax(1) == b).sum()) for a, b in parts) / len(y)
