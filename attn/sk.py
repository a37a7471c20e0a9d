"""Selective kernel convolution: each channel chooses between kernel sizes by its input.

Li et al., "Selective Kernel Networks", CVPR 2019, https://arxiv.org/abs/1903.06586.
Official code: https://github.com/implus/SKNet.
"""

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attn.arguments import hidden_width, odd_int, positive_int

# Caffe's momentum of 0.95 in the official prototxt, in PyTorch's convention.
BN_MOMENTUM = 0.05


class SK(nn.Module):
    """Selective kernel convolution: `V = sum_m a_m * U_m`, `a = softmax_m(fc2(fc1(gap(sum U))))`.

    U_m is branch m: convolution - BN - ReLU with its own kernel and dilation. fc1 is followed by
    BN and ReLU and is `max(out_channels // reduction, min_channels)` wide (equation 4, section
    3.1). Neither normalisation nor activation follows V: the module replaces a convolution
    together with its BN and ReLU. A single branch has nothing to select, so it is just
    convolution - BN - ReLU. The default is the paper's and `sknet50.prototxt`'s; where
    `sknet101.prototxt` has a width of 16 at 256 channels, pass `min_channels=16`.

    Initial values are the official ones: convolutions He normal (fan in), fc1 and fc2 normal with
    standard deviation 0.01, BN momentum 0.05. Plugged into a backbone, the first branch takes the
    weights of the convolution that it replaces, where the shapes agree.

    Shapes: (N, channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride)).
    Training needs N > 1, because the BN after fc1 sees one value per image and channel.

    Args:
        channels: input channels.
        out_channels: output channels; None is as many as the input has.
        stride: of every branch.
        groups: of every branch. None is `gcd(32, channels, out_channels)`: the official 32 where
            that divides the channels, else the largest power of two that does.
        branches: (kernel size, dilation) of each branch. The paper's "5x5" is (3, 2).
        reduction: r of equation 4.
        min_channels: L of equation 4.
        share: one convolution weight for all branches, each with its own dilation and BN.

    Raises:
        ValueError: a size below 1 (min_channels may be 0 if reduction <= out_channels), groups
            that do not divide the channels, an even kernel, or shared branches of unequal size.
    """

    share: Final[bool]

    def __init__(
        self,
        channels: int,
        *,
        out_channels: int | None = None,
        stride: int = 1,
        groups: int | None = None,
        branches: Sequence[tuple[int, int]] = ((3, 1), (3, 2)),
        reduction: int = 16,
        min_channels: int = 32,
        share: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        out_channels = channels if out_channels is None else out_channels
        width = hidden_width(positive_int("out_channels", out_channels), reduction, min_channels)
        groups = _choose_groups(groups, positive_int("channels", channels), out_channels)
        _check_branches(branches, share)

        self.share = share
        self.stride = positive_int("stride", stride)
        self.groups = groups
        self.dilations = [dilation for _, dilation in branches]
        convs = [
            nn.Conv2d(
                channels,
                out_channels,
                kernel_size,
                stride=stride,
                padding=dilation * (kernel_size // 2),
                dilation=dilation,
                groups=groups,
                bias=False,
                device=device,
                dtype=dtype,
            )
            for kernel_size, dilation in (branches[:1] if share else branches)
        ]
        for conv in convs:
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        self.convs = nn.ModuleList(convs)
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(out_channels, momentum=BN_MOMENTUM, device=device, dtype=dtype)
            for _ in branches
        )
        self.select = None
        if len(branches) > 1:
            self.select = Select(out_channels, width, len(branches), device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.branches(x)  # M of (N, C, H, W)
        if self.select is None:
            return maps[0]
        total = maps[0]
        for u in maps[1:]:
            total = total + u
        weights = self.select(total).unbind(1)  # M of (N, C, 1, 1)
        out = weights[0] * maps[0]
        for i in range(1, len(maps)):
            out = torch.addcmul(out, weights[i], maps[i])
        return out

    def branches(self, x: Tensor) -> list[Tensor]:
        """Each branch's convolution - BN - ReLU: (N, C_in, H, W) -> M of (N, C, H', W')."""
        maps: list[Tensor] = []
        if self.share:
            weight: Tensor = self.convs[0].weight  # pyright: ignore[reportAssignmentType]
            half = weight.shape[2] // 2
            for i, norm in enumerate(self.norms):
                dilation = self.dilations[i]
                u = F.conv2d(x, weight, None, self.stride, dilation * half, dilation, self.groups)
                maps.append(torch.relu(norm(u)))
        else:
            for conv, norm in zip(self.convs, self.norms):  # noqa: B905, unknown to TorchScript
                maps.append(torch.relu(norm(conv(x))))
        return maps


class Select(nn.Module):
    """Branch weights that sum to 1 in each channel: (N, C, H, W) -> (N, M, C, 1, 1).

    Equations 2, 3 and 5 of section 3.1: average pooling, fc1 - BN - ReLU, fc2, softmax over M.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        num_branches: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.num_branches = num_branches
        self.fc1 = nn.Conv2d(channels, width, 1, bias=False, device=device, dtype=dtype)
        self.norm = nn.BatchNorm2d(width, momentum=BN_MOMENTUM, device=device, dtype=dtype)
        self.fc2 = nn.Conv2d(
            width, num_branches * channels, 1, bias=False, device=device, dtype=dtype
        )
        nn.init.normal_(self.fc1.weight, std=0.01)
        nn.init.normal_(self.fc2.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        s = x.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
        z = torch.relu(self.norm(self.fc1(s)))  # (N, d, 1, 1)
        logits = self.fc2(z).unflatten(1, (self.num_branches, x.shape[1]))  # (N, M, C, 1, 1)
        return logits.softmax(1)


def _choose_groups(groups: int | None, channels: int, out_channels: int) -> int:
    common = math.gcd(channels, out_channels)
    if groups is None:
        return math.gcd(32, common)
    if common % positive_int("groups", groups):
        allowed = [g for g in range(1, common + 1) if common % g == 0]
        raise ValueError(
            f"groups={groups} does not divide channels={channels} and "
            f"out_channels={out_channels}; choose one of {allowed}"
        )
    return groups


def _check_branches(branches: Sequence[tuple[int, int]], share: bool) -> None:
    if not branches:
        raise ValueError("branches is empty; give at least one (kernel size, dilation)")
    for branch in branches:
        if not isinstance(branch, tuple | list) or len(branch) != 2:
            raise ValueError(f"branch {branch!r} is not (kernel size, dilation), such as (3, 2)")
        odd_int("kernel size of a branch", branch[0])
        positive_int("dilation of a branch", branch[1])
    kernel_sizes = {kernel_size for kernel_size, _ in branches}
    if share and len(kernel_sizes) > 1:
        raise ValueError(
            f"share=True needs one kernel size in all branches, not {sorted(kernel_sizes)}; "
            "vary the dilation instead, such as branches=((3, 1), (3, 2))"
        )
