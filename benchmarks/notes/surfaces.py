"""Two surfaces on which the path of an optimiser can be calculated."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from benchmarks.notes.rules import RULES

STEEP = 50.0
"""Curvature across the ravine; along it the curvature is 1."""


def ravine(x: Tensor, y: Tensor) -> Tensor:
    """(x^2 + 50 y^2) / 2: a valley along x with steep sides; the minimum is at (0, 0)."""
    return (x**2 + STEEP * y**2) / 2


def saddle(x: Tensor, y: Tensor) -> Tensor:
    """x^2 / 2 - y^2 / 2 + y^4 / 4: a saddle at (0, 0) between the minima at (0, -1) and (0, 1)."""
    return x**2 / 2 - y**2 / 2 + y**4 / 4


SURFACES = {"ravine": ravine, "saddle": saddle}


def walk(
    surface: str, rule: str, lr: float, start: tuple[float, float]
) -> Iterator[tuple[float, float]]:
    """The points that a rule visits, the start first, in float64 and without noise.

    It ends where a number leaves the finite ones.
    """
    point = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimiser = RULES[rule]([point], lr)
    place = start
    while all(map(math.isfinite, place)):
        yield place
        optimiser.zero_grad()
        SURFACES[surface](point[0], point[1]).backward()
        optimiser.step()
        x, y = point.tolist()
        place = (x, y)


def height(surface: str, place: tuple[float, float]) -> float:
    """The value of a surface at a place."""
    x, y = torch.tensor(place, dtype=torch.float64)
    return SURFACES[surface](x, y).item()


def swings(numbers: Iterable[float]) -> int:
    """How often a series changes its sign from one number to the next."""
    series = list(numbers)
    return sum(a < 0 < b or b < 0 < a for a, b in zip(series[:-1], series[1:], strict=True))
