"""Deep networks on the spiral: what depth gives without an activation, and what lies outside."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.cells import Diverged

WIDTH, STEPS, LR = 32, 1000, 1e-2
FAR = (100.0, 200.0, 300.0)
"""Equal steps outwards, where the data end at 1."""

RAYS = 64

FUNCTIONS = {"none": lambda x: x, "relu": torch.relu, "tanh": torch.tanh, "square": torch.square}


class Deep(nn.Module):
    """`depth` hidden layers of `width` units with an activation: (N, 2) -> (N, classes)."""

    def __init__(self, activation: str, depth: int, classes: int, width: int = WIDTH) -> None:
        super().__init__()
        widths = [2, *[width] * depth, classes]
        self.layers = nn.ModuleList(
            nn.Linear(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        self.activation = FUNCTIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


def train(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Adam on all points at once, the rate falling to zero; share of points that are right.

    Raises Diverged when the loss leaves the finite numbers.
    """
    optimiser = torch.optim.Adam(model.parameters(), LR)
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = LR * (1 - step / STEPS)
        loss = F.cross_entropy(model(x), y)
        if not math.isfinite(loss.item()):
            raise Diverged(f"the loss left the finite numbers at step {step + 1}")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return right(model, x, y)


def right(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of the points whose class the model gives."""
    with torch.no_grad():
        return (model(x).argmax(1) == y).double().mean().item()


def off_affine(model: nn.Module, x: Tensor) -> float:
    """Largest distance of the model from the one affine map that is nearest, over its range.

    Least squares in float64; 0 for a model that is an affine map of x (N, 2).
    """
    with torch.no_grad():
        y = model.double()(x.double())
    ones = torch.cat((x.double(), torch.ones(len(x), 1, dtype=torch.float64)), dim=1)
    nearest = ones @ torch.linalg.lstsq(ones, y).solution
    return ((y - nearest).abs().max() / (y - y.mean(0)).abs().max()).item()


def bend(model: nn.Module) -> float | None:
    """Median over rays of |f(r1) - 2 f(r2) + f(r3)| over |f(r3) - f(0)|, far outside the data.

    0 where the model goes on as a straight line, sloping or flat; 2/9 for x^2; float64. None where
    the model overflows, as a polynomial of high degree does.
    """
    angles = torch.arange(RAYS, dtype=torch.float64) * (2 * math.pi / RAYS) + 0.01
    rays = torch.stack((angles.sin(), angles.cos()), dim=1)
    with torch.no_grad():
        start, near, middle, far = (model.double()(radius * rays) for radius in (0.0, *FAR))
    bent = (near - 2 * middle + far).norm(dim=1) / (far - start).norm(dim=1)
    found = bent.median().item()
    return found if math.isfinite(found) else None


def degree(model: nn.Module, highest: int) -> int:
    """Degree of the model along a line through the data: a polynomial's, `highest` + 1 if above.

    The lowest degree whose least squares fit leaves less than a hundred-millionth; float64.
    """
    places = torch.cos(torch.linspace(0, math.pi, 4 * highest + 8, dtype=torch.float64))
    line = torch.stack((0.3 + 0.8 * places, -0.2 + 0.5 * places), dim=1)
    with torch.no_grad():
        y = model.double()(line)
    spread = (y - y.mean(0)).abs().max()
    angles = torch.acos(places.clamp(-1, 1))
    for tried in range(highest + 1):
        basis = torch.cos(angles[:, None] * torch.arange(tried + 1, dtype=torch.float64))
        fitted = basis @ torch.linalg.lstsq(basis, y).solution
        if (y - fitted).abs().max() < 1e-8 * spread:
            return tried
    return highest + 1
