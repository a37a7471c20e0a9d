"""A module by itself: its input, timm's module of the same name and size, and the bare passes.

A cell says what is fed in ``data`` as ``"8x256x56x56"`` (images, channels, height, width; values
are random) and what is timed in ``recipe``: ``inference`` is a forward pass in evaluation mode,
``training`` a forward pass in training mode and the backward pass to input and parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmarks.cells import Cell, choose

if TYPE_CHECKING:
    from torch import Tensor, nn

MODES = ("inference", "training")
LAYOUTS = ("nchw", "nhwc")

PASSES = {"inference": (2, 1), "training": (5, 2)}
"""Reads and writes of a feature map that a gate on whole channels can't do without.

Inference: the pooling reads x; the product reads x again and writes y. Training adds the backward
pass: the gradient of the gate is a sum of g * x, which reads g and x, and that of x is g times
the gate, which reads g and writes a map.
"""

Call = Callable[[], object]


def shape(data: str) -> tuple[int, int, int, int]:
    """``"8x256x56x56"`` as (8, 256, 56, 56). ValueError for anything else."""
    try:
        images, channels, height, width = (int(word) for word in data.split("x"))
        if min(images, channels, height, width) < 1:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"input {data!r}: give images x channels x height x width, such as 8x256x56x56"
        ) from None
    return images, channels, height, width


def check(cell: Cell) -> None:
    """ValueError for a cell whose input, mode or layout can't be read."""
    shape(cell.data)
    choose(cell.recipe, MODES, "mode")
    choose(cell.layout, LAYOUTS, "layout")


def build(cell: Cell) -> nn.Module:
    """The cell's module as `attn` builds it, in its mode, with weights that leave no gate idle."""
    import torch

    import attn

    module = attn.build(cell.module, shape(cell.data)[1], **attn.parse_options(cell.variant))
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.ndim == 1 and not name.endswith("bias"):
                parameter.fill_(0.5)  # some start at zero: CBAM's last norm, PAM's gamma
    return module.train(cell.recipe == "training")


def maps(cell: Cell) -> tuple[Tensor, Tensor]:
    """The input and the gradient of the output, random, in the cell's layout."""
    import torch

    layout = torch.channels_last if cell.layout == "nhwc" else torch.contiguous_format
    size = shape(cell.data)
    x, gradient = (torch.randn(size).contiguous(memory_format=layout) for _ in range(2))
    return x.requires_grad_(cell.recipe == "training"), gradient


def call(module: Callable[[Tensor], Tensor], parameters: Any, x: Tensor, gradient: Tensor) -> Call:
    """What is timed. Gradients are returned and not accumulated, as inside a network."""
    import torch

    if not x.requires_grad:
        return lambda: module(x)
    inputs = [x, *parameters]
    return lambda: torch.autograd.grad(module(x), inputs, gradient)


def bare_passes(cell: Cell, x: Tensor, gradient: Tensor) -> Call:
    """The passes over memory of ``PASSES``, by the fastest operators there are, and nothing else.

    They run over the maps as flat arrays, so the layout does not matter.
    """
    import torch

    order = (0, 2, 3, 1) if cell.layout == "nhwc" else (0, 1, 2, 3)
    x, gradient = (t.detach().permute(order).flatten() for t in (x, gradient))

    def forward() -> Tensor:
        x.sum()
        return x * 2.0

    def both() -> Tensor:
        forward()
        torch.dot(gradient, x)
        return gradient * 2.0

    return forward if cell.recipe == "inference" else both


def twin(name: str, ours: nn.Module, channels: int) -> nn.Module:
    """timm's module of that name with the size, the options and the weights of ours.

    Where timm's default differs, it is given ours: k = 3 for ECA, biases for CBAM and coordinate
    attention, the hidden width of C / 32 for the latter. CBAM's two maps enter timm's spatial
    convolution in the other order, so that weight's input channels are exchanged.
    """
    import torch
    from timm.layers import EcaModule, SEModule
    from timm.layers.cbam import CbamModule
    from timm.layers.coord_attn import CoordAttn

    makers: dict[str, Callable[[], nn.Module]] = {
        "se": lambda: SEModule(channels, rd_channels=channels // 16),
        "eca": lambda: EcaModule(kernel_size=3),
        "cbam": lambda: CbamModule(channels, mlp_bias=True),
        "coord": lambda: CoordAttn(channels, rd_channels=max(8, channels // 32), bias=True),
    }
    theirs = makers[choose(name, tuple(makers), "module with a twin in timm")]()
    weights = zip(ours.state_dict().values(), theirs.state_dict().items(), strict=True)
    with torch.no_grad():
        for mine, (key, other) in weights:
            other.copy_(
                (mine.flip(1) if key == "spatial.conv.conv.weight" else mine).view_as(other)
            )
    return theirs.train(ours.training)
