"""LeNet-5, AlexNet at a sixteenth of its width, and what lies between, for images of 28 pixels.

A sixteenth of AlexNet's five convolutions has 6, 16, 24, 24 and 16 channels: the first two are
LeNet's. So the two networks differ in three convolutions, and in what each layer is made of.
LeNet-5's subsampling is a plain average here, and its outputs are logits.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ScaledTanh(nn.Module):
    """1.7159 tanh(2 x / 3), LeCun et al. 1998, appendix A."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(2 / 3 * x)


ACTIVATIONS = {"tanh": ScaledTanh, "logistic": nn.Sigmoid, "relu": nn.ReLU}
INITIAL = {
    "xavier": nn.init.xavier_uniform_,
    "xavier*4": partial(nn.init.xavier_uniform_, gain=4.0),
    "he": partial(nn.init.kaiming_uniform_, nonlinearity="relu"),
}


def pooling(name: str) -> nn.Module:
    """Halves the sides: ``average`` over 2 x 2, or ``max`` over 3 x 3, which overlap."""
    return nn.AvgPool2d(2) if name == "average" else nn.MaxPool2d(3, 2, 1)


def network(convolutions: int, activation: str, initial: str, pool: str, drop: float) -> nn.Module:
    """(N, 1, 28, 28) -> (N, 10), with 2 or 5 convolutions.

    ``initial`` is ``default`` (PyTorch's), ``xavier`` (Glorot & Bengio 2010), ``xavier*4`` with
    weights four times as large, which makes up for the logistic function's slope of at most a
    quarter, or ``he`` (He et al. 2015), for ReLU. ``drop`` is the share of the outputs of both
    hidden layers that is dropped.
    """
    act = ACTIVATIONS[activation]
    channels = (16, 24, 24, 16)
    deeper: list[nn.Module] = []
    for a, b in zip(channels[:-1], channels[1:], strict=True) if convolutions == 5 else ():
        deeper += [nn.Conv2d(a, b, 3, padding=1), act()]
    model = nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), act(), pooling(pool)),  # 6 x 14 x 14
        *(nn.Conv2d(6, 16, 5), act(), pooling(pool)),  # 16 x 5 x 5
        *deeper,
        *(nn.Flatten(), nn.Linear(400, 120), act(), nn.Dropout(drop)),
        *(nn.Linear(120, 84), act(), nn.Dropout(drop), nn.Linear(84, 10)),
    )
    for layer in layers(model) if initial != "default" else ():
        INITIAL[initial](layer.weight)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    return model


def layers(model: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """The layers with weights, the first one first."""
    return [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def gradient_ratio(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """log10 of the norm of the loss's gradient by the first layer's weights over the last's."""
    model.eval()
    ends = [layers(model)[place].weight for place in (0, -1)]
    first, last = torch.autograd.grad(F.cross_entropy(model(x), y), ends)
    return math.log10(max(first.double().norm().item(), 1e-300) / last.double().norm().item())
