"""Position attention that attends to everything alike: the mean of the map.

A control of `segmentation`: it sees the whole scene and chooses nothing in it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class UniformAttention(nn.Module):
    """y = x + gamma * mean_j v_j over all pixels j: PAM whose weights are all 1 / (H W).

    `gamma` starts at 0, so a new module is the identity, as PAM is.

    Shapes: (N, C, H, W) to the same.

    Args:
        channels: C.

    Raises:
        ValueError: channels is not positive.
    """

    def __init__(self, channels: int, *, device=None, dtype=None):
        super().__init__()
        if channels < 1:
            raise ValueError(f"channels must be at least 1, got {channels}")
        self.value_conv = nn.Conv2d(channels, channels, 1, device=device, dtype=dtype)
        self.gamma = nn.Parameter(torch.zeros(1, device=device, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gamma * self.value_conv(x).mean((2, 3), keepdim=True)
