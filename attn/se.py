"""Squeeze-and-excitation, and the variants that the ECA paper cuts out of it.

Hu et al., Squeeze-and-Excitation Networks, CVPR 2018 / TPAMI, https://arxiv.org/abs/1709.01507
Wang et al., ECA-Net, CVPR 2020, section 3.2 and Table 2, https://arxiv.org/abs/1910.03151
"""

from math import gcd

import torch
from torch import Tensor, nn

from attn.arguments import hidden_width, one_of, positive_int
from attn.passes import scale, squeeze


def _number_of_groups(channels: int, groups: int | None, group_width: int | None) -> int:
    positive_int("channels", channels)
    if groups is not None and group_width is not None:
        raise ValueError(f"groups={groups} and group_width={group_width}: give one of the two")
    if groups is not None:
        return _divisor("groups", groups, channels)
    if group_width is not None:
        return channels // _divisor("group_width", group_width, channels)
    return gcd(channels, 16)


def _divisor(name: str, value: int, channels: int) -> int:
    if channels % positive_int(name, value):
        allowed = [d for d in range(1, channels + 1) if channels % d == 0]
        raise ValueError(
            f"{name}={value} does not divide channels={channels}; give one of {allowed}"
        )
    return value


class SE(nn.Module):
    """y = x * sigmoid(W2 relu(W1 pool(x) + b1) + b2), one gate per channel.

    Shapes: (N, C, H, W) to the same. Hidden width max(C // reduction, min_channels).
    Parameters: 2 C hidden weights, and C + hidden biases if `bias`.

    The defaults follow the official prototxts: no minimum width and no rounding, biases on.
    Equation 5 of the paper counts no biases and the TPAMI ablations (section 6) remove them:
    `bias=False`. `squeeze="max"` is the row of TPAMI Table 11.

    Args:
        channels: C.
        reduction: r, the factor by which the hidden layer is narrower.
        bias: give both layers a bias.
        squeeze: "avg" or "max", how a channel's pixels become one number.
        min_channels: least hidden width; 0 for none.

    Raises:
        ValueError: a hidden width of 0 (reduction > channels), a number below 1, unknown word.
    """

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 16,
        bias: bool = True,
        squeeze: str = "avg",
        min_channels: int = 0,
        device=None,
        dtype=None,
    ):
        super().__init__()
        one_of("squeeze", squeeze, ("avg", "max"))
        hidden = hidden_width(channels, reduction, min_channels)
        self.squeeze = squeeze
        self.fc = nn.Sequential(
            nn.Linear(channels, hidden, bias=bias, device=device, dtype=dtype),
            nn.ReLU(),
            nn.Linear(hidden, channels, bias=bias, device=device, dtype=dtype),
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.squeeze == "max":
            x, pooled = squeeze(x, maxima=[[2, 3]])
        else:
            x, pooled = squeeze(x, means=[[2, 3]])
        gate = torch.sigmoid(self.fc(pooled.flatten(1)))  # (N, C)
        return scale(x, [gate[:, :, None, None]])


class SEVar1(nn.Module):
    """y = x * sigmoid(mean(x)): SE without a learned excitation (ECA paper, SE-Var1).

    Shapes: (N, C, H, W) to the same. No parameters.
    """

    def __init__(self, channels: int, *, device=None, dtype=None):
        super().__init__()
        positive_int("channels", channels)

    def forward(self, x: Tensor) -> Tensor:
        x, pooled = squeeze(x, means=[[2, 3]])
        return scale(x, [torch.sigmoid(pooled)])


class SEGC(nn.Module):
    """y = x * sigmoid(W mean(x)) with W block-diagonal (ECA paper, SE-GC).

    Shapes: (N, C, H, W) to the same. Parameters: C^2 / groups.

    SE-GC1 is groups=16, SE-GC2 is group_width=16 (C/16 groups), SE-GC3 is group_width=8.

    Args:
        channels: C.
        groups: number of blocks, a divisor of C. None: 16, or where 16 does not divide C the
            greatest common divisor of the two.
        group_width: channels in a block, a divisor of C, in place of `groups`.

    Raises:
        ValueError: groups or group_width do not divide C, or both are given.
    """

    def __init__(
        self,
        channels: int,
        *,
        groups: int | None = None,
        group_width: int | None = None,
        device=None,
        dtype=None,
    ):
        super().__init__()
        groups = _number_of_groups(channels, groups, group_width)
        self.fc = nn.Conv1d(
            channels, channels, 1, groups=groups, bias=False, device=device, dtype=dtype
        )

    def forward(self, x: Tensor) -> Tensor:
        x, pooled = squeeze(x, means=[[2, 3]])
        gate = torch.sigmoid(self.fc(pooled[:, :, :, 0]))  # (N, C, 1)
        return scale(x, [gate[:, :, :, None]])


class SEVar2(SEGC):
    """y = x * sigmoid(w * mean(x)), one weight a channel (ECA paper, SE-Var2).

    Shapes: (N, C, H, W) to the same. Parameters: C.
    """

    def __init__(self, channels: int, *, device=None, dtype=None):
        super().__init__(channels, groups=channels, device=device, dtype=dtype)


class SEVar3(SEGC):
    """y = x * sigmoid(W mean(x)), W a full C x C matrix without bias (ECA paper, SE-Var3).

    Shapes: (N, C, H, W) to the same. Parameters: C^2.
    """

    def __init__(self, channels: int, *, device=None, dtype=None):
        super().__init__(channels, groups=1, device=device, dtype=dtype)
