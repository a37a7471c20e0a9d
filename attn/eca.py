"""Efficient channel attention.

Wang et al., ECA-Net, CVPR 2020, https://arxiv.org/abs/1910.03151
"""

from math import log2

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attn.arguments import odd_int, one_of, positive_int
from attn.passes import convolve_channels, scale, squeeze


def eca_kernel_size(channels: int, gamma: float = 2, b: float = 1) -> int:
    """Return psi(C) = |(log2(C) + b) / gamma| to the nearest odd integer, ties up.

    The code in Fig. 3 of the paper; Eq. 12 leaves ties (C = 128, 2048) open.
    """
    positive_int("channels", channels)
    if gamma == 0:
        raise ValueError("gamma=0 divides by zero; give a number other than 0, the paper's is 2")
    t = int(abs((log2(channels) + b) / gamma))
    return t if t % 2 else t + 1


def _kernel_size(
    channels: int, kernel_size: int | str | None, gamma: float, b: float, form: str
) -> int:
    positive_int("channels", channels)
    one_of("form", form, ("code", "paper"))
    if kernel_size is None:
        kernel_size = 3 if form == "code" else "adaptive"
    if isinstance(kernel_size, str):
        one_of("kernel_size", kernel_size, ("adaptive",))
        return eca_kernel_size(channels, gamma, b)
    return odd_int("kernel_size", kernel_size)


class ECA(nn.Module):
    """y = x * sigmoid(w (*) mean(x)), a k-tap convolution along the channels, zero-padded.

    Shapes: (N, C, H, W) to the same. Parameters: k. The weight is read and its layer not called, so
    hooks of the layer do not fire; `torch.export` with a batch of any size takes `strict=True`.

    Paper and code disagree on k. The paper's Eq. 12 derives it from C; the official code has
    k = 3 everywhere unless told otherwise, and no released checkpoint follows the formula (the
    released ResNet-50 has k = 3, 5, 5, 7 by stage). The default follows the code; the formula is
    `form="paper"` or `kernel_size="adaptive"`.

    Args:
        channels: C.
        kernel_size: k, an odd integer; "adaptive" for `eca_kernel_size(C, gamma, b)`; None for
            what `form` says.
        gamma: divides the logarithm in the formula; unused with a fixed k.
        b: is added to it before that; unused with a fixed k.
        form: "code" (k = 3) or "paper" (the formula), where kernel_size is None.

    Raises:
        ValueError: an even kernel size, channels below 1, an unknown word.
    """

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int | str | None = None,
        gamma: float = 2,
        b: float = 1,
        form: str = "code",
        device=None,
        dtype=None,
    ):
        super().__init__()
        k = _kernel_size(channels, kernel_size, gamma, b, form)
        self.conv = nn.Conv1d(1, 1, k, padding=k // 2, bias=False, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        x, pooled = squeeze(x, means=[[2, 3]])
        gate = torch.sigmoid(convolve_channels(pooled.flatten(1), self.conv.weight))  # (N, C)
        return scale(x, [gate[:, :, None, None]])


class ECANS(nn.Module):
    """y = x * sigmoid(B mean(x)), B a band matrix whose k weights a row are not shared (ECA-NS).

    Shapes: (N, C, H, W) to the same. Parameters: k C. Section 3.2 of the ECA paper, Table 2.
    Arguments and errors as `ECA`.
    """

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int | str | None = None,
        gamma: float = 2,
        b: float = 1,
        form: str = "code",
        device=None,
        dtype=None,
    ):
        super().__init__()
        self.kernel_size = _kernel_size(channels, kernel_size, gamma, b, form)
        self.conv = nn.Conv1d(
            channels,
            channels,
            self.kernel_size,
            groups=channels,
            bias=False,
            device=device,
            dtype=dtype,
        )

    def forward(self, x: Tensor) -> Tensor:
        x, pooled = squeeze(x, means=[[2, 3]])
        pad = self.kernel_size // 2
        padded = F.pad(pooled.flatten(1), (pad, pad))
        neighbours = padded.unfold(1, self.kernel_size, 1)  # (N, C, k)
        gate = torch.sigmoid(self.conv(neighbours))  # (N, C, 1)
        return scale(x, [gate[:, :, :, None]])
