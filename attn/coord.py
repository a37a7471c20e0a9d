"""Coordinate attention.

Hou et al., Coordinate Attention for Efficient Mobile Network Design, CVPR 2021,
https://arxiv.org/abs/2103.02907
"""

import torch
from torch import Tensor, nn

from attn.arguments import hidden_width, one_of
from attn.passes import scale, squeeze
from attn.reductions import by_hand, layout_of, pays_by_hand

SHORT = 16
"""Places of a strip up to which a matrix product over all samples beats one a sample."""


class _Pointwise(nn.Conv2d):
    """A 1x1 convolution of a strip; where it pays, one matrix product of all places.

    PyTorch's own takes one sample at a time, and up to 5 times as long for a short strip.
    """

    def forward(self, input: Tensor) -> Tensor:
        if torch.jit.is_scripting():
            return self._conv_forward(input, self.weight, self.bias)
        if not _as_one_product(input, self.weight):
            return self._conv_forward(input, self.weight, self.bias)
        places = nn.functional.linear(input.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias)
        return places.permute(0, 3, 1, 2)


def _as_one_product(strip: Tensor, weight: Tensor) -> bool:
    if not isinstance(strip, Tensor) or not by_hand(strip, weight):
        return False
    return strip.stride(1) == 1 or strip.shape[2] * strip.shape[3] <= SHORT


class CoordAttention(nn.Module):
    """y = x * a_h * a_w, one gate a row and channel times one gate a column and channel.

    Rows and columns are pooled, mixed by a shared 1x1 convolution with BN and h-swish, and each
    expanded by its own 1x1 convolution: a_h = sigmoid(conv_h(f_h)) of shape (N, C, H, 1),
    a_w = sigmoid(conv_w(f_w)) of shape (N, C, 1, W) (section 3.2).

    Shapes: (N, C, H, W) to the same. Hidden width m = max(min_channels, C // reduction).
    Parameters: C m + 3 m for the shared part and C m + C for each axis.

    The defaults follow the official code: biases, BN, h-swish and the least width of 8. The paper
    gives r = 32 as an example, names no minimum and draws BN (Fig. 2) but no kind of non-linearity.

    Args:
        channels: C.
        reduction: r.
        min_channels: least hidden width; 0 for none.
        axes: "both", or "height" (gate a_h alone) or "width" (a_w alone), the X and Y rows of
            Table 1.

    Raises:
        ValueError: a hidden width of 0, a number below 1, an unknown word.
    """

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 32,
        min_channels: int = 8,
        axes: str = "both",
        device=None,
        dtype=None,
    ):
        super().__init__()
        one_of("axes", axes, ("both", "height", "width"))
        hidden = hidden_width(channels, reduction, min_channels)
        self.axes = axes
        self.conv1 = _Pointwise(channels, hidden, 1, device=device, dtype=dtype)
        self.bn1 = nn.BatchNorm2d(hidden, device=device, dtype=dtype)
        self.act = nn.Hardswish()
        self.conv_h = self.conv_w = None
        if axes != "width":
            self.conv_h = _Pointwise(hidden, channels, 1, device=device, dtype=dtype)
        if axes != "height":
            self.conv_w = _Pointwise(hidden, channels, 1, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2], x.shape[3]
        if self.axes == "height":
            x, strip = squeeze(x, means=[[3]])  # (N, C, H, 1)
        elif self.axes == "width":
            x, columns = squeeze(x, means=[[2]])  # (N, C, 1, W)
            strip = columns.transpose(2, 3)
        else:
            x, rows, columns = squeeze(x, means=[[3], [2]])
            strip = torch.cat((rows, columns.transpose(2, 3)), dim=2)  # (N, C, H + W, 1)
        strip = self.act(self.bn1(self.conv1(_like(x, strip))))
        gates: list[Tensor] = []
        if self.conv_h is not None:
            gates.append(_like(x, torch.sigmoid(self.conv_h(strip[:, :, :height]))))
        if self.conv_w is not None:
            columns = self.conv_w(strip[:, :, -width:].transpose(2, 3))
            gates.append(_like(x, torch.sigmoid(columns)))
        return scale(x, gates)


def _like(x: Tensor, gate: Tensor) -> Tensor:
    """A strip or gate in the layout of x: a product of two layouts takes twice the time."""
    if torch.jit.is_scripting():
        return gate
    return gate.contiguous(memory_format=layout_of(x)) if pays_by_hand(x, gate) else gate
