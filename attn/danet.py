"""Dual attention: position and channel self-attention for scene segmentation.

Fu et al., "Dual Attention Network for Scene Segmentation", CVPR 2019,
https://arxiv.org/abs/1809.02983. Official code: https://github.com/junfu1115/DANet.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from attn.arguments import hidden_width, one_of, positive_int
from attn.reductions import by_hand, wants_gradient

Form = Literal["code", "paper"]

# The map of all pairs of pixels is made this many rows at a time; the values do not change.
QUERY_ROWS = 256


class PAM(nn.Module):
    """Position attention: `y = x + gamma * sum_j softmax_j(q_i . k_j) v_j` over all pixels j.

    The dot product is not scaled by the query width. `gamma` starts at 0, so a new module is the
    identity. Section 3.2 of the paper keeps all channels in q and k (`reduction=1`); the official
    code, which the default follows, keeps an eighth of them (`reduction=8`).

    Shapes: (N, C, H, W) -> (N, C, H, W). Time grows with (H W)^2. Memory does not: the (H W)^2 map
    is made 256 rows at a time, and in training made again for the backward pass (on a processor,
    in eager mode, float32 or float64 and without autocast; elsewhere training keeps the map).
    `torch.fx` makes the whole map; what `torch.jit.trace` and `torch.export` keep is for maps of as
    many rows as theirs.

    Args:
        channels: C.
        reduction: q and k have `channels // reduction` channels.

    Raises:
        ValueError: channels is not positive, or reduction is not in 1..channels.
    """

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 8,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        width = hidden_width(channels, reduction)
        self.query_conv = nn.Conv2d(channels, width, 1, device=device, dtype=dtype)
        self.key_conv = nn.Conv2d(channels, width, 1, device=device, dtype=dtype)
        self.value_conv = nn.Conv2d(channels, channels, 1, device=device, dtype=dtype)
        self.gamma = nn.Parameter(torch.zeros(1, device=device, dtype=dtype))
        self.query_rows = QUERY_ROWS

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual(x)

    def residual(self, x: Tensor) -> Tensor:
        """What `forward` adds to x: (N, C, H, W) -> (N, C, H, W)."""
        query = self.query_conv(x).flatten(2).transpose(1, 2)  # (N, HW, C/r)
        key = self.key_conv(x).flatten(2)  # (N, C/r, HW)
        value = self.value_conv(x).flatten(2)  # (N, C, HW)
        out = _attend_by_rows(query, key, value, self.query_rows)  # (N, C, HW)
        return self.gamma * out.view_as(x)


class CAM(nn.Module):
    """Channel attention: `y = x + gamma * sum_j softmax_j(s(x_i . x_j)) x_j` over all channels j.

    No weights but `gamma`, which starts at 0: a new module is the identity. Equation 3 of the paper
    has `s(e) = e`, so similar channels are mixed (`form="paper"`). The official code, which the
    default follows, has `s(e) = rowmax(e) - e`, so *dissimilar* channels are mixed (`form="code"`).

    Shapes: (N, C, H, W) -> (N, C, H, W).

    Args:
        channels: C. The module has no parameter that depends on it.
        form: "code" or "paper".

    Raises:
        ValueError: channels is not positive, or form is neither word.
    """

    def __init__(
        self,
        channels: int,
        *,
        form: Form = "code",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        positive_int("channels", channels)
        one_of("form", form, get_args(Form))
        # softmax ignores a constant in each row, so softmax(rowmax - e) is softmax(-e).
        self.sign = -1.0 if form == "code" else 1.0
        self.gamma = nn.Parameter(torch.zeros(1, device=device, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual(x)

    def residual(self, x: Tensor) -> Tensor:
        """What `forward` adds to x: (N, C, H, W) -> (N, C, H, W)."""
        flat = x.flatten(2)  # (N, C, HW)
        energy = flat @ flat.transpose(1, 2)  # (N, C, C)
        out = torch.softmax(self.sign * energy, dim=2) @ flat  # (N, C, HW)
        return self.gamma * out.view_as(x)


class DANet(nn.Module):
    """Both attentions on one map: `y = x + PAM residual + CAM residual`, for any backbone.

    The official segmentation head, `DANetHead`, sums two complete branches with convolutions of
    their own. In place of a gate that sum would start as 2x, so here x is counted once: a new
    module is the identity, as PAM and CAM are.

    Shapes: (N, C, H, W) -> (N, C, H, W). Time and memory as for PAM.

    Args:
        channels: C.
        reduction: see `PAM`.
        form: see `CAM`.

    Raises:
        ValueError: as PAM and CAM do.
    """

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 8,
        form: Form = "code",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.sa = PAM(channels, reduction=reduction, device=device, dtype=dtype)
        self.sc = CAM(channels, form=form, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.sa.residual(x) + self.sc.residual(x)


class DANetHead(nn.Module):
    """The paper's segmentation head: PAM and CAM branches, their sum, a classifier on each.

    Figure 2 of the paper and `danet.py` of the official code. The paper trains on the loss of all
    three outputs and predicts from the first.

    Shapes: (N, in_channels, H, W) -> three (N, num_classes, H, W): of the sum, of PAM, of CAM.

    Args:
        in_channels: channels of the backbone's last stage.
        num_classes: classes to tell apart at each pixel.
        width: channels of both branches; None is the official `in_channels // 4`.
        reduction: see `PAM`.
        form: see `CAM`.
        dropout: probability to drop a channel before each classifier.

    Raises:
        ValueError: a size that is not positive, or as PAM and CAM do.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        width: int | None = None,
        reduction: int = 8,
        form: Form = "code",
        dropout: float = 0.1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        positive_int("num_classes", num_classes)
        width = hidden_width(in_channels, 4) if width is None else positive_int("width", width)

        def conv_bn_relu(channels: int) -> nn.Sequential:
            conv = nn.Conv2d(channels, width, 3, padding=1, bias=False, device=device, dtype=dtype)
            return nn.Sequential(conv, nn.BatchNorm2d(width, device=device, dtype=dtype), nn.ReLU())

        def classifier() -> nn.Sequential:
            conv = nn.Conv2d(width, num_classes, 1, device=device, dtype=dtype)
            return nn.Sequential(nn.Dropout2d(dropout), conv)

        self.conv5a = conv_bn_relu(in_channels)
        self.conv5c = conv_bn_relu(in_channels)
        self.sa = PAM(width, reduction=reduction, device=device, dtype=dtype)
        self.sc = CAM(width, form=form, device=device, dtype=dtype)
        self.conv51 = conv_bn_relu(width)
        self.conv52 = conv_bn_relu(width)
        self.conv6 = classifier()
        self.conv7 = classifier()
        self.conv8 = classifier()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        position = self.conv51(self.sa(self.conv5a(x)))
        channel = self.conv52(self.sc(self.conv5c(x)))
        return self.conv8(position + channel), self.conv6(position), self.conv7(channel)


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """(N, Q, D), (N, D, P), (N, C, P) -> (N, C, Q): values averaged by softmax of query . key."""
    attention = torch.softmax(query @ key, dim=2)  # (N, Q, P)
    return value @ attention.transpose(1, 2)


def _attend_by_rows(query: Tensor, key: Tensor, value: Tensor, rows: int) -> Tensor:
    """`_attend`, a number of queries at a time where that is possible."""
    if torch.jit.is_scripting():
        if torch.is_grad_enabled() or query.shape[1] <= rows:
            return _attend(query, key, value)
        return _in_parts(query, key, value, rows)
    if not isinstance(query, Tensor) or query.shape[1] <= rows:  # torch.fx: no tensor
        return _attend(query, key, value)
    if not wants_gradient(query, key, value):
        return _in_parts(query, key, value, rows)
    if by_hand(query, key, value):
        return _Attend.apply(query, key, value, rows)  # pyright: ignore[reportReturnType]
    return _attend(query, key, value)


def _in_parts(query: Tensor, key: Tensor, value: Tensor, rows: int) -> Tensor:
    parts = [_attend(part, key, value) for part in query.split(rows, dim=1)]
    return torch.cat(parts, dim=2)


class _Attend(torch.autograd.Function):
    """`_attend` by rows in both directions: the backward pass makes each part of the map anew."""

    @staticmethod
    def forward(ctx, query: Tensor, key: Tensor, value: Tensor, rows: int):
        ctx.save_for_backward(query, key, value)
        ctx.rows = rows
        return _in_parts(query, key, value, rows)

    @staticmethod
    def backward(ctx, grad):  # pyright: ignore[reportIncompatibleMethodOverride]
        query, key, value = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient is itself differentiated
            inputs, wanted = (query, key, value), ctx.needs_input_grad
            differentiated = [t for t, want in zip(inputs, wanted, strict=False) if want]
            found = torch.autograd.grad(_attend(*inputs), differentiated, grad, create_graph=True)
            left = iter(found)
            return *(next(left) if want else None for want in wanted[:3]), None
        of_query = torch.empty_like(query)
        of_key, of_value = torch.zeros_like(key), torch.zeros_like(value)
        parts = (query.split(ctx.rows, 1), of_query.split(ctx.rows, 1), grad.split(ctx.rows, 2))
        for q, of_q, g in zip(*parts, strict=True):
            attention = torch.softmax(q @ key, dim=2)  # (N, rows, P)
            of_value.baddbmm_(g, attention)
            of_attention = g.transpose(1, 2) @ value
            of_energy = torch.ops.aten._softmax_backward_data(
                of_attention, attention, 2, attention.dtype
            )
            of_q.copy_(of_energy @ key.transpose(1, 2))
            of_key.baddbmm_(q.transpose(1, 2), of_energy)
        return of_query, of_key, of_value, None
