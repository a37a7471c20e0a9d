"""BN-Inception from timm's `ConvNormAct`, with its widths as data.

Ioffe and Szegedy, Batch Normalization, ICML 2015, Figure 5; widths as in the Caffe model of SENet.
"""

from __future__ import annotations

from functools import partial

import torch
from timm.layers import ConvNormAct, SelectAdaptivePool2d
from torch import Tensor, nn

Conv = partial(ConvNormAct, bias=False)

WIDTHS: dict[str, tuple[int, tuple[int, int], tuple[int, int], str, int]] = {
    "3a": (64, (64, 64), (64, 96), "avg", 32),
    "3b": (64, (64, 96), (64, 96), "avg", 64),
    "3c": (0, (128, 160), (64, 96), "max", 0),
    "4a": (224, (64, 96), (96, 128), "avg", 128),
    "4b": (192, (96, 128), (96, 128), "avg", 128),
    "4c": (160, (128, 160), (128, 160), "avg", 128),
    "4d": (96, (128, 192), (160, 192), "avg", 128),
    "4e": (0, (128, 192), (192, 256), "max", 0),
    "5a": (352, (192, 320), (160, 224), "avg", 128),
    "5b": (352, (192, 320), (192, 224), "max", 128),
}
"""Channels of the 1x1 branch, the 3x3 and double 3x3 branches (narrow, wide), pooling and its
projection; a module without a 1x1 branch halves the map."""


class Inception(nn.Module):
    """Four branches side by side, concatenated: (N, C, H, W) -> (N, C', H / stride, W / stride)."""

    def __init__(self, channels: int, name: str):
        super().__init__()
        one, (narrow, wide), (narrow2, wide2), pool, projection = WIDTHS[name]
        stride = 1 if one else 2
        self.one = Conv(channels, one, 1) if one else None
        self.three = nn.Sequential(Conv(channels, narrow, 1), Conv(narrow, wide, 3, stride=stride))
        self.twice = nn.Sequential(
            Conv(channels, narrow2, 1),
            Conv(narrow2, wide2, 3),
            Conv(wide2, wide2, 3, stride=stride),
        )
        kind = nn.AvgPool2d if pool == "avg" else nn.MaxPool2d
        self.pool = kind(3, stride, padding=1)
        self.projection = Conv(channels, projection, 1) if projection else nn.Identity()
        self.out_channels = one + wide + wide2 + (projection or channels)

    def forward(self, x: Tensor) -> Tensor:
        maps = [self.three(x), self.twice(x), self.projection(self.pool(x))]
        return torch.cat(([self.one(x)] if self.one else []) + maps, 1)


class BNInception(nn.Module):
    """BN-Inception: (N, 3, H, W) -> (N, 1000)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            Conv(3, 64, 7, stride=2),
            nn.MaxPool2d(3, 2, padding=1),
            Conv(64, 64, 1),
            Conv(64, 192, 3),
            nn.MaxPool2d(3, 2, padding=1),
        )
        channels = 192
        modules = []
        for name in WIDTHS:
            modules.append(Inception(channels, name))
            channels = modules[-1].out_channels
        self.mixed = nn.ModuleDict(dict(zip(WIDTHS, modules, strict=True)))
        self.pool = SelectAdaptivePool2d(flatten=True)
        self.fc = nn.Linear(channels, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for module in self.mixed.values():
            x = module(x)
        return self.fc(self.pool(x))
