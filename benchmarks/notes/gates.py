"""Exact properties of the attention modules, each as one number of a module with random weights.

Everything is float64, so that a zero is a zero up to the last digits of a sum.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import attn

IMAGES, CHANNELS, HEIGHT, WIDTH = 2, 64, 6, 7
ROUNDING = 1e-12


def built(name: str, options: dict[str, Any], seed: int, channels: int = CHANNELS) -> nn.Module:
    """A module in eval mode with random weights; a scalar that starts at zero is one."""
    torch.manual_seed(seed)
    module = attn.build(name, channels, dtype=torch.float64, **options).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.numel() == 1:
                parameter.fill_(1.0)
    return module


def maps(height: int = HEIGHT, width: int = WIDTH, channels: int = CHANNELS) -> Tensor:
    """Positive maps, (N, C, H, W): what comes out of a ReLU, kept away from zero."""
    return torch.rand(IMAGES, channels, height, width, dtype=torch.float64) + 0.1


def shuffled(x: Tensor, what: str, order: Tensor) -> Tensor:
    """The maps with their pixels, rows, columns or channels in another order."""
    if what == "pixels":
        return x.flatten(2)[:, :, order].view_as(x)
    return x.index_select({"channels": 1, "rows": 2, "columns": 3}[what], order)


def an_order(x: Tensor, what: str) -> Tensor:
    """A random order of what is shuffled."""
    n, c, h, w = x.shape
    return torch.randperm({"pixels": h * w, "channels": c, "rows": h, "columns": w}[what])


def follows(module: nn.Module, what: str) -> float:
    """Largest |f(P x) - P f(x)| over the largest |f(x)|: 0 if f takes a shuffle P along."""
    x = maps()
    order = an_order(x, what)
    with torch.no_grad():
        y = module(x)
        apart = module(shuffled(x, what, order)) - shuffled(y, what, order)
    return (apart.abs().max() / y.abs().max()).item()


def gate(module: nn.Module, x: Tensor) -> Tensor:
    """What a module multiplies its input with, (N, C, H, W)."""
    with torch.no_grad():
        return module(x) / x


def sees(module: nn.Module, what: str) -> float:
    """Largest change of the gate, place by place, when the input is shuffled."""
    x = maps()
    other = shuffled(x, what, an_order(x, what))
    return (gate(module, other) - gate(module, x)).abs().max().item()


def jacobian(module: nn.Module) -> Tensor:
    """Derivatives of a channel gate by the pooled channels, (C, C)."""
    pooled = torch.rand(CHANNELS, dtype=torch.float64) + 0.1

    def gates(v: Tensor) -> Tensor:
        x = v[None, :, None, None]
        return (module(x) / x).flatten()

    rows: Any = torch.autograd.functional.jacobian(gates, pooled)
    return rows


def rank(module: nn.Module) -> float:
    """Rank of the gate's Jacobian: how many directions of the pooled channels reach the gate.

    Where every ReLU is off, the Jacobian is zero but for rounding, and so is its rank.
    """
    return float(torch.linalg.matrix_rank(jacobian(module), atol=ROUNDING, rtol=1e-10))


def share_nonzero(module: nn.Module) -> float:
    """Share of the gate's Jacobian that is not zero: which channel reaches which gate."""
    return (jacobian(module).abs() > ROUNDING).double().mean().item()


def outer_product(module: nn.Module) -> float:
    """Second singular value of the gate of one channel over its first: 0 for u v^T."""
    values = torch.linalg.svdvals(gate(module, maps()))  # (N, C, min(H, W))
    return (values[..., 1] / values[..., 0]).max().item()


def lowest_gate(module: nn.Module) -> float:
    """The smallest gate on maps that are not negative."""
    return gate(module, maps()).min().item()


def branches(module: Any) -> tuple[Tensor, Tensor]:
    """Weights and logits of the branches of selective kernels, (N, M, C), with a wide spread."""
    select = module.select
    x = maps()
    with torch.no_grad():
        select.fc1.weight.normal_()
        select.fc2.weight.normal_()
        z = torch.relu(select.norm(select.fc1(x.mean((2, 3), keepdim=True))))
        logits = select.fc2(z).view(IMAGES, -1, CHANNELS)
        return select(x).flatten(2), logits


def sum_less_one(module: Any) -> float:
    """Largest |a_c + b_c - 1| over images and channels."""
    weights, _ = branches(module)
    return (weights.sum(1) - 1).abs().max().item()


def less_sigmoid(module: Any) -> float:
    """Largest |a_c - sigmoid(logit a_c - logit b_c)|: with two branches a softmax is a sigmoid."""
    weights, logits = branches(module)
    return (weights[:, 0] - torch.sigmoid(logits[:, 0] - logits[:, 1])).abs().max().item()


def at_start(name: str, options: dict[str, Any]) -> float:
    """Largest |f(x) - x| of a new module: 0 for one that starts as the identity."""
    x = maps()
    with torch.no_grad():
        return (
            (attn.build(name, CHANNELS, dtype=torch.float64, **options)(x) - x).abs().max().item()
        )


def reads_dissimilar(module: Any) -> float:
    """Share of channels whose least similar other channel outweighs the most similar one."""
    flat = maps().flatten(2)
    energy = flat @ flat.transpose(1, 2)
    attention = torch.softmax(module.sign * energy, dim=2)
    own = torch.eye(CHANNELS, dtype=torch.bool)
    least = energy.masked_fill(own, torch.inf).argmin(2, keepdim=True)
    most = energy.masked_fill(own, -torch.inf).argmax(2, keepdim=True)
    return (attention.gather(2, least) > attention.gather(2, most)).double().mean().item()


def position_by(module: Any, order: str) -> float:
    """Distance of the module's output to that of an order of the product, relative.

    ``C'B`` is the paper's, ``BC'`` the one that the notes write. Both have a result only where
    there are as many pixels as channels, as here.
    """
    channels = HEIGHT * HEIGHT
    x = maps(HEIGHT, HEIGHT, channels)
    with torch.no_grad():
        b, c, d = (
            conv(x).flatten(2) for conv in (module.key_conv, module.query_conv, module.value_conv)
        )
        energy = c.transpose(1, 2) @ b if order == "C'B" else b @ c.transpose(1, 2)
        y = x + (d @ torch.softmax(energy, 2).transpose(1, 2)).view_as(x)
        return ((module(x) - y).abs().max() / y.abs().max()).item()


def parameters(name: str, options: dict[str, Any]) -> int:
    """How many parameters a module has at 64 channels."""
    module = attn.build(name, CHANNELS, device="meta", **options)
    return sum(p.numel() for p in module.parameters())


def reach(module: nn.Module) -> float:
    """Pixels along a side that one output pixel of a convolution reads."""
    x = torch.zeros(1, CHANNELS, 15, 15, dtype=torch.float64, requires_grad=True)
    (from_centre,) = torch.autograd.grad(module(x)[0, :, 7, 7].sum(), x)
    rows = from_centre.abs().sum((0, 1, 3)).nonzero()
    return float(rows.max() - rows.min() + 1)


def branch_of(kernel_size: int, dilation: int) -> nn.Module:
    """A depthwise convolution of 64 channels, as a branch of selective kernels may be."""
    padding, groups = dilation * (kernel_size // 2), CHANNELS
    made = nn.Conv2d(
        *(CHANNELS, CHANNELS, kernel_size),
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=False,
        dtype=torch.float64,
    )
    nn.init.ones_(made.weight)
    return made
