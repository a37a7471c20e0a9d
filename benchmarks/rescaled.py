"""Gates whose size before training is taken away: with the factor that brings their mean to one.

The arms of `controls` beside the constants of `constant`.
"""

from __future__ import annotations

from torch import Tensor, nn

from attn.cbam import CBAM
from attn.coord import CoordAttention
from attn.eca import ECA
from attn.se import SE
from benchmarks.cells import choose

GATES = {"se": (SE, 2), "eca": (ECA, 2), "cbam": (CBAM, 4), "coord": (CoordAttention, 4)}
"""Gates by the name of their module, and one over the mean of their gates before training."""


class Rescaled(nn.Module):
    """y = factor * gate(x): the module with its defaults, and gates between 0 and the factor.

    Shapes: (N, C, H, W) to the same. Parameters: those of the module.

    Args:
        channels: C.
        gate: se, eca, cbam or coord.

    Raises:
        ValueError: another gate, and as the module.
    """

    def __init__(self, channels: int, *, gate: str = "se", device=None, dtype=None):
        super().__init__()
        make, self.factor = GATES[choose(gate, list(GATES), "gate")]
        self.gate = make(channels, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * self.gate(x)
