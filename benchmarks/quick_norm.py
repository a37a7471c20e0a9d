"""CBAM whose spatial gate's norm keeps up with its input: the arm of `norm_control`."""

from __future__ import annotations

from torch import nn

from attn.cbam import CBAM

MOMENTUM = 0.1
"""What a step adds to a running mean or variance: PyTorch's default. CBAM's code has 0.01."""


class QuickNormCBAM(CBAM):
    """CBAM with its defaults, but for the momentum of the norm in its spatial gate.

    Shapes: (N, C, H, W) to the same. Parameters: those of CBAM.

    Args:
        channels: C.

    Raises:
        ValueError: as CBAM.
    """

    def __init__(self, channels: int, *, device=None, dtype=None):
        super().__init__(channels, device=device, dtype=dtype)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = MOMENTUM
