"""Softmax: properties of the function, and the calibration of what is trained with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CLASSES, VECTORS = 10, 20_000
TEMPERATURES = (0.25, 0.5, 1.0, 2.0, 4.0)


def logits(spread: float = 3.0) -> Tensor:
    """Random logits of ten classes, (20000, 10), float64."""
    return spread * torch.randn(VECTORS, CLASSES, dtype=torch.float64)


def shift() -> float:
    """Largest change of softmax when one number, up to 100 in size, is added to all logits."""
    z = logits()
    added = 200 * torch.rand(VECTORS, 1, dtype=torch.float64) - 100
    return (torch.softmax(z + added, 1) - torch.softmax(z, 1)).abs().max().item()


def as_written(z: Tensor) -> Tensor:
    """exp(z) / sum exp(z), with nothing subtracted."""
    return z.exp() / z.exp().sum(1, keepdim=True)


def not_finite(softmax: Callable[[Tensor], Tensor]) -> float:
    """Share of rows with a value that is no number, float32, logits with a spread of 100."""
    values = softmax(logits(100.0).float())
    return (~values.isfinite().all(1)).double().mean().item()


def less_the_maximum(z: Tensor) -> Tensor:
    """The same function, safely: the largest logit becomes 0."""
    return as_written(z - z.amax(1, keepdim=True))


def first_overflow() -> float:
    """The smallest whole number whose exponential is infinite in float32."""
    whole = torch.arange(200, dtype=torch.float32)
    return whole[whole.exp().isinf()].min().item()


def expansion(p: float) -> float:
    """Largest |softmax(a) - softmax(b)|_p / |a - b|_p over pairs, near ones and far ones.

    Every second pair has two large logits that are nearly equal, where softmax is steepest.
    """
    a = logits()
    a[::2, :2] = 20 + 0.01 * torch.randn(VECTORS // 2, 2, dtype=torch.float64)
    step = torch.randn_like(a) * 10 ** (-3 * torch.rand(VECTORS, 1, dtype=torch.float64))
    step[::2, 2:] = 0
    step[::2, 1] = -step[::2, 0]
    moved = torch.softmax(a + step, 1) - torch.softmax(a, 1)
    return (moved.norm(p, dim=1) / step.norm(p, dim=1)).max().item()


def difference() -> float:
    """Largest |p_i - p_j| / |z_i - z_j| over pairs of classes of one output."""
    z = logits()
    p = torch.softmax(z, 1)
    between = (z[:, :1] - z[:, 1:]).abs()
    return ((p[:, :1] - p[:, 1:]).abs() / between).max().item()


def ratio() -> float:
    """Largest relative error of p_i / p_j = exp(z_i - z_j)."""
    z = logits()
    p = torch.softmax(z, 1)
    expected = (z[:, :1] - z[:, 1:]).exp()
    return (p[:, :1] / p[:, 1:] / expected - 1).abs().max().item()


def of_two(first: float, second: float) -> float:
    """The probability of the second of two logits."""
    return torch.softmax(torch.tensor([first, second], dtype=torch.float64), 0)[1].item()


def gradient() -> float:
    """Largest distance of the gradient of cross-entropy by the logits from p - y."""
    z = logits().requires_grad_()
    y = torch.randint(CLASSES, (VECTORS,))
    (found,) = torch.autograd.grad(F.cross_entropy(z, y, reduction="sum"), z)
    return (found - (torch.softmax(z, 1) - F.one_hot(y, CLASSES))).abs().max().item()


def two_classes() -> float:
    """Largest distance of the softmax of two logits from the sigmoid of their difference."""
    z = logits()[:, :2]
    return (torch.softmax(z, 1)[:, 0] - torch.sigmoid(z[:, 0] - z[:, 1])).abs().max().item()


def second_largest(function: Callable[[Tensor], Tensor]) -> float:
    """The largest value that a second class reaches."""
    return function(logits()).topk(2, dim=1).values[:, 1].max().item()


def reordered() -> float:
    """Share of outputs whose largest class changes with the temperature."""
    z = logits()
    winners = torch.stack([torch.softmax(z / t, 1).argmax(1) for t in TEMPERATURES])
    return (winners != winners[0]).any(0).double().mean().item()


def sharper() -> float:
    """Share of outputs whose entropy falls when the temperature is doubled."""
    z = logits()
    p = torch.stack([torch.softmax(z / t, 1) for t in TEMPERATURES])
    entropy = -torch.xlogy(p, p).sum(2)
    return (entropy.diff(dim=0) < 0).any(0).double().mean().item()


class LeNet(nn.Module):
    """Two convolutions and three layers with ReLU: (N, 1, 28, 28) -> (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x)


def loss(z: Tensor, y: Tensor, head: str) -> Tensor:
    """Cross-entropy of a softmax, or the mean over classes of that of each sigmoid."""
    if head == "softmax":
        return F.cross_entropy(z, y)
    return F.binary_cross_entropy_with_logits(z, F.one_hot(y, z.shape[1]).to(z.dtype))


def confidence(z: Tensor, head: str) -> tuple[Tensor, Tensor]:
    """The largest output of the head and its class, (N,) each."""
    outputs = torch.softmax(z, 1) if head == "softmax" else torch.sigmoid(z)
    found = outputs.max(1)
    return found.values, found.indices


def expected_calibration_error(sure: Tensor, right: Tensor, bins: int = 15) -> float:
    """Mean over bins of |share that is right - mean confidence|, weighted by their sizes.

    Bins of equal width, closed above (Guo et al. 2017, equation 3); (N,) and (N,) bool.
    """
    which = (sure * bins).ceil().long().clamp(1, bins) - 1
    gap = torch.zeros(bins, dtype=torch.float64)
    gap.index_add_(0, which, right.double() - sure.double())
    return (gap.abs().sum() / len(sure)).item()


def temperature(z: Tensor, y: Tensor, head: str) -> float:
    """The T that makes the loss of z / T smallest: golden section in log T from 1/8 to 8."""
    share = (5**0.5 - 1) / 2
    low, high = -2.0794, 2.0794

    def at(place: float) -> float:
        return loss(z / torch.tensor(place).exp(), y, head).item()

    for _ in range(40):
        left, right = high - share * (high - low), low + share * (high - low)
        low, high = (low, right) if at(left) < at(right) else (left, high)
    return torch.tensor((low + high) / 2).exp().item()


def epochs(
    model: nn.Module, x: Tensor, y: Tensor, head: str, number: int, batch: int = 64
) -> Iterator[int]:
    """Train by Adam at a constant rate of a thousandth; gives the number of each epoch done."""
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    for epoch in range(1, number + 1):
        for chosen in torch.randperm(len(y)).split(batch):
            optimiser.zero_grad()
            loss(model(x[chosen]), y[chosen], head).backward()
            optimiser.step()
        yield epoch
