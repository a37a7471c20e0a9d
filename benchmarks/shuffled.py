"""ECA behind a fixed random order of the channels: the same gate with other neighbours.

An arm of `ablation`. ECA lets a channel's gate see the channels whose numbers are next to its own;
here it sees as many, drawn by lot.
"""

from __future__ import annotations

import torch
from torch import Tensor

from attn.eca import ECA
from attn.passes import convolve_channels, scale, squeeze


class ShuffledECA(ECA):
    """y = x * P^-1 sigmoid(w (*) P mean(x)), P a permutation of the channels that never changes.

    Shapes: (N, C, H, W) to the same. Parameters: k. P is not among them, nor in the state dict: it
    follows from `seed` and C.

    Args:
        channels: C.
        kernel_size: k, as in `ECA`; None is the default of its code.
        seed: of P.

    Raises:
        ValueError: as `ECA`.
    """

    order: Tensor
    places: Tensor

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int | None = None,
        seed: int = 0,
        device=None,
        dtype=None,
    ):
        super().__init__(channels, kernel_size=kernel_size, device=device, dtype=dtype)
        lot = torch.Generator().manual_seed(seed)
        order = torch.randperm(channels, generator=lot, device="cpu")
        where = self.conv.weight.device
        self.register_buffer("order", order.to(where), persistent=False)
        self.register_buffer("places", order.argsort().to(where), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x, pooled = squeeze(x, means=[[2, 3]])
        drawn = pooled.flatten(1).index_select(1, self.order)  # (N, C)
        gate = torch.sigmoid(convolve_channels(drawn, self.conv.weight))
        return scale(x, [gate.index_select(1, self.places)[:, :, None, None]])
