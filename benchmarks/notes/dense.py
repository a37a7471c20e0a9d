"""Networks of equal hidden layers, what a budget makes of their width, and a function for depth."""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PIXELS, CLASSES = 784, 10


class Dense(nn.Module):
    """`depth` hidden layers of `width` ReLU units: (N, 1, 28, 28) -> (N, 10).

    A layer makes W relu(z) + b of its input z; with ``residual`` it adds that, over sqrt(depth), to
    z itself. What is added is the sum before the activation, which has no mean that could pile up
    from layer to layer, and the root keeps the size: signals neither vanish nor explode. The first
    layer, which changes the width, adds to nothing. Weights as He et al. 2015: variance 2 / inputs,
    biases zero.
    """

    def __init__(self, depth: int, width: int, residual: bool = False) -> None:
        super().__init__()
        self.first = nn.Linear(PIXELS, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(depth - 1))
        self.last = nn.Linear(width, CLASSES)
        self.residual = residual
        for layer in (self.first, *self.hidden, self.last):
            assert isinstance(layer, nn.Linear)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def states(self, x: Tensor) -> list[Tensor]:
        """The sums of each hidden layer before its activation, `depth` of (N, width)."""
        found = [self.first(x.flatten(1))]
        for layer in self.hidden:
            made = layer(torch.relu(found[-1]))
            scale = 1 / math.sqrt(len(self.hidden) + 1)
            found.append(found[-1] + scale * made if self.residual else made)
        return found

    def answer(self, state: Tensor) -> Tensor:
        """Logits from the last hidden layer's sums: (N, width) -> (N, 10)."""
        return self.last(torch.relu(state))

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(self.states(x)[-1])


def weights(depth: int, width: int) -> int:
    """Weights of a `Dense`, which are its multiply-adds for an image: each weight is used once."""
    return PIXELS * width + (depth - 1) * width**2 + width * CLASSES


def parameters(depth: int, width: int) -> int:
    """Weights and biases."""
    return weights(depth, width) + depth * width + CLASSES


def width_for(depth: int, wanted: int) -> int:
    """The width whose number of parameters is nearest to ``wanted``."""
    return min(range(1, 1 + wanted // PIXELS), key=lambda w: abs(parameters(depth, w) - wanted))


def gradient_ratio(model: Dense, x: Tensor, y: Tensor) -> float:
    """log10 of the norm of the loss's gradient by the first hidden layer's sums over the last's.

    0 for one layer; below 0 the gradient vanishes on its way to the input, above 0 it explodes.
    """
    states = model.states(x)
    ends = torch.autograd.grad(
        F.cross_entropy(model.answer(states[-1]), y), (states[0], states[-1])
    )
    first, last = (end.double().norm().item() for end in ends)
    return math.log10(max(first, 1e-300) / max(last, 1e-300))


def step_ratio(model: nn.Module, other: nn.Module, x: Tensor, y: Tensor, rounds: int = 40) -> float:
    """Time of a training step of one network over that of another: the smallest of each, in turns.

    The weights do not change: the rate is zero.
    """
    pair = [(m, torch.optim.SGD(m.parameters(), 0.0, 0.9)) for m in (model, other)]
    least = [math.inf, math.inf]
    for _ in range(rounds):
        for which, (one, optimiser) in enumerate(pair):
            begin = time.perf_counter()
            loss = F.cross_entropy(one(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            least[which] = min(least[which], time.perf_counter() - begin)
    return least[0] / least[1]


def sawtooth(x: Tensor, depth: int, width: int) -> Tensor:
    """What `depth` layers of `width` ReLU units can draw between 0 and 1: width^depth slopes.

    A layer and the weights after it map [0, 1] to itself, up and down `width` times; each further
    layer folds again (Telgarsky 2016 folds with a width of two). (N,) -> (N,).
    """
    knots = torch.arange(width, dtype=x.dtype) / width
    turns = 2.0 * width * (-1.0) ** torch.arange(width, dtype=x.dtype)
    turns[0] = width
    for _ in range(depth):
        x = torch.relu(x[:, None] - knots) @ turns
    return x


def pieces(depth: int, width: int) -> int:
    """Straight pieces of a `sawtooth`, counted on a grid; exact for widths that are powers of 2."""
    y = sawtooth(torch.arange(2**14 + 1, dtype=torch.float64) / 2**14, depth, width)
    return 1 + int((y.diff().diff() != 0).sum())
