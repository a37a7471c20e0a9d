"""Modules of the papers' ablations that `attn` does not offer, for their sizes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from attn.registry import Spec
from attn.sk import SK


class NoSqueeze(nn.Module):
    """y = x * sigmoid(W2 relu(W1 x)) at each pixel: SE without its pooling (TPAMI, Table 16).

    Shapes: (N, C, H, W) to the same. Parameters: 2 C (C // reduction).
    """

    def __init__(self, channels: int, *, reduction: int = 16, device=None, dtype=None):
        super().__init__()
        hidden = channels // reduction
        self.conv1 = nn.Conv2d(channels, hidden, 1, bias=False, device=device, dtype=dtype)
        self.conv2 = nn.Conv2d(hidden, channels, 1, bias=False, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.conv2(torch.relu(self.conv1(x))))


class SumOfBranches(SK):
    """U = sum of SK's branches without the selection (SKNet, Table 7).

    Shapes and arguments as `attn.sk.SK`.
    """

    def __init__(self, channels: int, **options):
        super().__init__(channels, **options)
        self.select = None

    def forward(self, x: Tensor) -> Tensor:
        total, *others = self.branches(x)
        for u in others:
            total = total + u
        return total


class MixedSK(SK):
    """SK whose second branch is a full kernel with its own groups (SKNet, Table 6).

    Shapes as `attn.sk.SK`.
    """

    def __init__(self, channels: int, *, kernel_size: int, second_groups: int, **options):
        options.pop("branches", None)
        super().__init__(channels, branches=((3, 1), (kernel_size, 1)), **options)
        first = self.convs[1]
        assert isinstance(first, nn.Conv2d)
        self.convs[1] = nn.Conv2d(
            first.in_channels,
            first.out_channels,
            kernel_size,
            stride=self.stride,
            padding=kernel_size // 2,
            groups=second_groups,
            bias=False,
            device=first.weight.device,
            dtype=first.weight.dtype,
        )


SUM_OF_BRANCHES = Spec(f"{__name__}:SUM_OF_BRANCHES", SumOfBranches, replaces_conv=True)
MIXED_SK = Spec(f"{__name__}:MIXED_SK", MixedSK, replaces_conv=True)
