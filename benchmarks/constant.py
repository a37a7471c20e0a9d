"""A gate that never looks: a constant factor of the size that gates have before training.

The arms of `controls`.
"""

from __future__ import annotations

import math

from torch import Tensor, nn


class ConstantGate(nn.Module):
    """y = start * x. No parameters.

    Shapes: (N, C, H, W) to the same.

    Args:
        channels: C, of which nothing depends.
        start: the number that a gate is close to before training.

    Raises:
        ValueError: unless `start` is a number above 0.
    """

    def __init__(self, channels: int, *, start: float = 0.5, device=None, dtype=None):
        super().__init__()
        if not (start > 0 and math.isfinite(start)):
            raise ValueError(f"start must be a number above 0, got {start!r}")
        self.start = start

    def forward(self, x: Tensor) -> Tensor:
        return self.start * x
