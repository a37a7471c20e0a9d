"""Chains of equal layers: how the gradient of the loss passes through them, and their training."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.cells import Diverged

WIDTH, BATCH, EPOCHS, MOMENTUM = 64, 128, 7, 0.9

FUNCTIONS = {"logistic": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}

INITS = {"default": None, "xavier": 1.0, "he": 2.0}
"""Variance of a weight times the inputs of its layer; PyTorch's default draws biases too."""

LINKS = ("plain", "batchnorm", "residual")

SMALLEST = 1e-300
"""Norms below it count as this; float64 ends a little lower."""


class Chain(nn.Module):
    """First layer, `depth` equal hidden layers, last layer: (N, pixels) -> (N, classes).

    With the activation f a hidden layer gives f(W h + b) (``plain``), f(BN(W h + b))
    (``batchnorm``), or h + (W f(h) + b) / sqrt(depth) (``residual``): there f comes first, as in
    He et al. 2016, arXiv:1603.05027, so that what is added has no mean that adds up.
    """

    def __init__(
        self,
        activation: str,
        init: str,
        link: str,
        depth: int,
        *,
        pixels: int = 784,
        classes: int = 10,
        width: int = WIDTH,
    ) -> None:
        super().__init__()
        self.activation, self.link, self.share = FUNCTIONS[activation], link, depth**-0.5
        self.first = nn.Linear(pixels, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        normed = link == "batchnorm"
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(width) if normed else nn.Identity() for _ in range(depth)
        )
        self.last = nn.Linear(width, classes)
        for layer in (self.first, *self.layers, self.last):
            initialise(layer, INITS[init])

    def hidden(self, x: Tensor) -> list[Tensor]:
        """What the first layer and each hidden layer give: depth + 1 tensors (N, width)."""
        found = [self.activation(self.first(x))]
        for layer, norm in zip(self.layers, self.norms, strict=True):
            h = found[-1]
            if self.link == "residual":
                found.append(h + self.share * layer(self.activation(h)))
            else:
                found.append(self.activation(norm(layer(h))))
        return found

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.hidden(x)[-1])

    def weights(self) -> list[Tensor]:
        """The matrices of the hidden layers: depth tensors (width, width)."""
        return [layer.weight for layer in self.layers if isinstance(layer, nn.Linear)]


def initialise(layer: nn.Module, gain: float | None) -> None:
    """Normal weights with the variance gain / inputs and biases 0; None leaves PyTorch's own."""
    assert isinstance(layer, nn.Linear)
    if gain is not None:
        nn.init.normal_(layer.weight, std=(gain / layer.in_features) ** 0.5)
        nn.init.zeros_(layer.bias)


def gradients(model: Chain, x: Tensor, y: Tensor) -> tuple[list[float], list[float]]:
    """log10 of the norms of dL/dh after each layer, and of dL/dW of each hidden layer.

    depth + 1 and depth numbers, from the layer nearest the input on; float64, so that a norm of
    1e-44 is still one. The model is left as it was.
    """
    model = copy.deepcopy(model).double()
    hidden = model.hidden(x.double())
    loss = F.cross_entropy(model.last(hidden[-1]), y)
    found = torch.autograd.grad(loss, [*hidden, *model.weights()])
    norms = [math.log10(max(g.norm().item(), SMALLEST)) for g in found]
    return norms[: len(hidden)], norms[len(hidden) :]


def train(model: nn.Module, x: Tensor, y: Tensor, lr: float, epochs: int = EPOCHS) -> None:
    """SGD with momentum in place, the rate falling to zero.

    Raises Diverged at the end of an epoch whose loss left the finite numbers.
    """
    optimiser = torch.optim.SGD(model.parameters(), lr, momentum=MOMENTUM, fused=True)
    steps, step = epochs * math.ceil(len(y) / BATCH), 0
    for epoch in range(1, epochs + 1):
        loss = torch.zeros(())
        for chosen in torch.randperm(len(y)).split(BATCH):
            optimiser.param_groups[0]["lr"] = lr * (1 - step / steps)
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            step += 1
        if not math.isfinite(loss.item()):
            raise Diverged(f"the loss left the finite numbers in epoch {epoch}")


@torch.no_grad()
def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Percent of the images that are right; the model judges as it would in use."""
    model.eval()
    right = (model(x).argmax(1) == y).double().mean().item()
    model.train()
    return 100 * right


def moved(after: Tensor, before: Tensor) -> float:
    """How far training took a weight matrix, over the norm that it had."""
    return ((after - before).norm() / before.norm()).item()
