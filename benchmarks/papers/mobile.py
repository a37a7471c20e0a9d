"""Small networks of the papers that timm lacks: ShuffleNet v1 and MobileNeXt.

Each is built from timm's `ConvNormAct`, with its widths as data.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from timm.layers import ConvNormAct, SelectAdaptivePool2d, make_divisible
from torch import Tensor, nn
from torch.nn import functional as F

Norm6 = partial(ConvNormAct, act_layer=nn.ReLU6)
Linear = partial(ConvNormAct, apply_act=False)


class Classifier(nn.Sequential):
    """Global average pooling and a linear layer: (N, C, H, W) -> (N, 1000)."""

    def __init__(self, channels: int):
        super().__init__(SelectAdaptivePool2d(flatten=True), nn.Linear(channels, 1000))


class ShuffleUnit(nn.Module):
    """Grouped 1x1 - shuffle - depthwise 3x3 - grouped 1x1; with stride 2 the input is appended.

    Zhang et al., ShuffleNet, CVPR 2018, Figure 2.
    """

    def __init__(self, channels: int, out_channels: int, groups: int, stride: int, first: bool):
        super().__init__()
        self.groups, self.stride = groups, stride
        hidden = out_channels // 4
        out = out_channels - channels if stride == 2 else out_channels
        self.conv1 = ConvNormAct(channels, hidden, 1, groups=1 if first else groups)
        self.conv2 = Linear(hidden, hidden, 3, stride=stride, groups=hidden)
        self.conv3 = Linear(hidden, out, 1, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        y = F.channel_shuffle(self.conv1(x), self.groups)
        y = self.conv3(self.conv2(y))
        if self.stride == 2:
            return torch.relu(torch.cat((F.avg_pool2d(x, 3, 2, 1), y), 1))
        return torch.relu(x + y)


def shufflenet_v1(widths: tuple[int, int, int], groups: int) -> nn.Sequential:
    """ShuffleNet v1 of 4, 8 and 4 units with `widths` channels: (N, 3, H, W) -> (N, 1000)."""
    layers: list[nn.Module] = [ConvNormAct(3, 24, 3, stride=2), nn.MaxPool2d(3, 2, 1)]
    channels = 24
    for stage, (width, units) in enumerate(zip(widths, (4, 8, 4), strict=True)):
        for unit in range(units):
            first = (stage, unit) == (0, 0)
            layers.append(ShuffleUnit(channels, width, groups, 1 if unit else 2, first))
            channels = width
    return nn.Sequential(*layers, Classifier(channels))


class SandGlass(nn.Module):
    """Depthwise - narrow 1x1 - wide 1x1 - depthwise, added to the input (MobileNeXt).

    Zhou et al., Rethinking Bottleneck Structure, ECCV 2020; the branches follow `mnext.py`.
    """

    def __init__(self, channels: int, out_channels: int, stride: int, ratio: int, keep: bool):
        super().__init__()
        hidden = channels // ratio
        if hidden < out_channels / 6:
            hidden = make_divisible(math.ceil(out_channels / 6), 16)
        whole = ratio == 2 or channels == out_channels or keep
        self.dw1 = Norm6(channels, channels, 3, groups=channels) if whole else nn.Identity()
        self.pw1 = Linear(channels, hidden, 1)
        self.pw2 = Norm6(hidden, out_channels, 1)
        last = whole or stride == 2
        dw2 = partial(Linear, out_channels, out_channels, 3, stride=stride, groups=out_channels)
        self.dw2 = dw2() if last else nn.Identity()
        self.residual = stride == 1 and channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.dw2(self.pw2(self.pw1(self.dw1(x))))
        return x + y if self.residual else y


SAND_GLASSES = (
    (2, 96, 1, 2),
    (6, 144, 1, 1),
    (6, 192, 3, 2),
    (6, 288, 3, 2),
    (6, 384, 4, 1),
    (6, 576, 4, 2),
    (6, 960, 3, 1),
    (6, 1280, 1, 1),
)
"""Ratio, channels, blocks and stride of each stage of MobileNeXt."""


def mobilenext(width: float) -> nn.Sequential:
    """MobileNeXt, `width` times as wide: (N, 3, H, W) -> (N, 1000)."""
    channels = make_divisible(32 * width, 8)
    blocks: list[nn.Module] = []
    stem = Norm6(3, channels, 3, stride=2)
    for ratio, wanted, number, stride in SAND_GLASSES:
        out = 1280 if wanted == 1280 and width < 1 else make_divisible(wanted * width, 8)
        for block in range(number):
            keep = block == 0 and number == 1 and stride == 1
            blocks.append(SandGlass(channels, out, 1 if block else stride, ratio, keep))
            channels = out
    return nn.Sequential(stem, *blocks, Classifier(channels))
