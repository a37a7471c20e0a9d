"""The two passes that every gate makes over a feature map: squeeze it, then scale it.

A gate is small: what it costs is reading and writing the map around it. Written plainly, with
`x.mean`, `x.max` and `x * gate`, autograd makes full-size products and copies that nobody needs.
`squeeze` and `scale` compute the same values and gradients with fewer passes where that was
measured to be faster (a processor, float32 or float64, a large map that is contiguous or channels
last) and are plain everywhere else: on other devices, in TorchScript, under `torch.compile`.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from attn.reductions import (
    SMALL_MAP,
    by_hand,
    dot,
    first_max,
    is_whole,
    layout_of,
    maximum,
    mean,
    pays_by_hand,
    plain_max,
    wants_gradient,
)

CHUNK = 4 << 20
"""Bytes of a map that are worked on at a time, so that a temporary product stays in the cache."""


def squeeze(
    x: Tensor, means: list[list[int]] | None = None, maxima: list[list[int]] | None = None
) -> list[Tensor]:
    """Pool x over each list of dimensions: [x, *means, *maxima], pooled dimensions kept as 1.

    Shapes: (N, C, H, W) to itself and one tensor for each list; a maximum is over [1] or [2, 3].
    Where several elements share the maximum, one of them gets the gradient, as with `torch.max`
    and unlike `torch.amax`.

    Use the x that is returned in place of the one given, and only in `scale`: the gradient that
    it gets there is overwritten by its sum with those of the pooled tensors.
    """
    if torch.jit.is_scripting():
        return _plain_squeeze(x, means, maxima)
    if not isinstance(x, Tensor):  # torch.fx traces with stand-ins for tensors
        return _plain_squeeze(x, means, maxima)
    means, maxima = means or [], maxima or []
    if wants_gradient(x) and pays_by_hand(x):
        return list(_Squeeze.apply(x, means, maxima))  # pyright: ignore[reportArgumentType]
    return [x, *(mean(x, d) for d in means), *(maximum(x, d) for d in maxima)]


def _plain_squeeze(
    x: Tensor, means: list[list[int]] | None, maxima: list[list[int]] | None
) -> list[Tensor]:
    pooled = [x]
    if means is not None:
        for dims in means:
            pooled.append(x.mean(dims, keepdim=True))
    if maxima is not None:
        for dims in maxima:
            pooled.append(plain_max(x, dims))
    return pooled


def scale(x: Tensor, gates: list[Tensor], owns_x: bool = False, owns_y: bool = False) -> Tensor:
    """y = x times every gate. Shapes: (N, C, H, W), gates that broadcast to it; the shape of x.

    Between two gates of one module nobody else sees the map: `owns_x` allows to write y over x
    where no gradient is wanted, `owns_y` to write the gradient of x over that of y.
    """
    if torch.jit.is_scripting():
        return _plain_product(x, gates)
    if not isinstance(x, Tensor):
        return _plain_product(x, gates)
    wanted = wants_gradient(x, *gates)
    simple = len(gates) == 1 and not (wanted or owns_x)
    if simple or len(gates) > 2 or not pays_by_hand(x, *gates):
        return _plain_product(x, gates)
    if wanted:
        return _Scale.apply(x, owns_y, *gates)  # pyright: ignore[reportReturnType]
    return _product(x, gates, owns_x)


def _plain_product(x: Tensor, gates: list[Tensor]) -> Tensor:
    for gate in gates:
        x = x * gate
    return x


def for_convolution(x: Tensor) -> Tensor:
    """x in the layout in which a processor trains a convolution of few channels: channels last.

    There the step back is 3 times faster; the step forward alone is not.
    """
    if torch.jit.is_scripting():
        return x
    if torch.is_grad_enabled() and by_hand(x):
        return x.contiguous(memory_format=torch.channels_last)
    return x


def convolve_channels(pooled: Tensor, weight: Tensor) -> Tensor:
    """The channels of each sample convolved, zero-padded: (N, C), (1, 1, k) to (N, C).

    On a processor a batch is taken as one image of N rows, which is 5 times faster.
    """
    padding = weight.shape[2] // 2
    if torch.jit.is_scripting():
        return F.conv1d(pooled[:, None], weight, padding=padding)[:, 0]
    if isinstance(pooled, Tensor) and len(pooled) > 1 and by_hand(pooled, weight):
        rows = F.conv2d(pooled[None, None], weight[:, :, None], padding=(0, padding))
        return rows[0, 0]
    return F.conv1d(pooled[:, None], weight, padding=padding)[:, 0]


def _product(x: Tensor, gates: list[Tensor], in_place: bool) -> Tensor:
    if len(gates) == 2 and not in_place and x.is_contiguous():
        y = gates[0] * gates[1]  # once the size of x: the gates meet only here
        if y.shape == x.shape and y.is_contiguous():
            return y.mul_(x)
    y = x.mul_(gates[0]) if in_place else x * gates[0]
    return y.mul_(gates[1]) if len(gates) == 2 else y


class _Squeeze(torch.autograd.Function):
    """Backward: the gradient of x, with those of the pooled tensors added to it in place."""

    @staticmethod
    def forward(ctx, x: Tensor, means: list[list[int]], maxima: list[list[int]]):
        found = [first_max(x, dims) for dims in maxima]
        ctx.shape, ctx.means, ctx.maxima = x.shape, means, maxima
        ctx.save_for_backward(*(places for _, places in found))
        ctx.set_materialize_grads(False)
        return x, *(mean(x, dims) for dims in means), *(values for values, _ in found)

    @staticmethod
    def backward(ctx, grad, *pooled):  # pyright: ignore[reportIncompatibleMethodOverride]
        given = [g for g in (grad, *pooled) if g is not None]
        if not given:
            return None, None, None
        if grad is None:
            grad = given[0].new_zeros(ctx.shape)
        elif torch.is_grad_enabled() or not is_whole(grad):
            grad = grad.contiguous().clone()  # it is itself differentiated, or an expanded number
        for g in pooled[: len(ctx.means)]:
            if g is not None:
                grad.add_(g / (grad.numel() // g.numel()))
        for dims, g, places in zip(
            ctx.maxima, pooled[len(ctx.means) :], ctx.saved_tensors, strict=True
        ):
            if g is not None:
                _add_at(grad, dims, places, g)
        return grad, None, None


def _add_at(grad: Tensor, dims: list[int], places: Tensor, g: Tensor) -> None:
    """Add g to grad at the channel or the pixel that `places` names."""
    if dims == [1]:
        grad.scatter_add_(1, places, g)
        return
    n, c, _, w = grad.shape
    samples = torch.arange(n, device=g.device).view(n, 1)
    channels = torch.arange(c, device=g.device)
    pixels = places.view(n, c)
    index = (samples, channels, pixels // w, pixels % w)
    grad.index_put_(index, g.view(n, c), accumulate=True)


class _Scale(torch.autograd.Function):
    """Backward: g * gates for x, and for each gate the sums of g * x * (the other gate)."""

    @staticmethod
    def forward(ctx, x: Tensor, owns_y: bool, *gates: Tensor):
        ctx.save_for_backward(x, *gates)
        ctx.owns_y = owns_y
        return _product(x, list(gates), in_place=False)

    @staticmethod
    def backward(ctx, grad):  # pyright: ignore[reportIncompatibleMethodOverride]
        x, *gates = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient is itself differentiated: no step in place
            return _plain_scale_backward(grad, x, gates)
        dense = grad.contiguous(memory_format=layout_of(x))
        owned = ctx.owns_y or dense is not grad
        grad = dense
        if len(gates) == 1:
            of_gates = (_gate_gradient(grad, x, gates[0]),)
        else:
            of_gates = _gate_gradients(grad, x, *gates)
        return _product(grad, gates, in_place=owned), None, *of_gates


def _plain_scale_backward(grad: Tensor, x: Tensor, gates: list[Tensor]):
    if len(gates) == 1:
        return grad * gates[0], None, (grad * x).sum_to_size(gates[0].shape)
    first, second = gates
    return (
        grad * first * second,
        None,
        (grad * x * second).sum_to_size(first.shape),
        (grad * x * first).sum_to_size(second.shape),
    )


def _gate_gradient(grad: Tensor, x: Tensor, gate: Tensor) -> Tensor:
    n, c, h, w = x.shape
    if gate.shape == (n, c, 1, 1):
        return dot(grad, x, [0, 1])
    if gate.shape == (n, 1, h, w):
        return dot(grad, x, [0, 2, 3])
    return (grad * x).sum_to_size(gate.shape)


def _gate_gradients(
    grad: Tensor, x: Tensor, first: Tensor, second: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of a gate of rows and a gate of columns, a few samples at a time."""
    n, c, h, w = x.shape
    if first.shape != (n, c, h, 1) or second.shape != (n, c, 1, w):
        return (
            (grad * x * second).sum_to_size(first.shape),
            (grad * x * first).sum_to_size(second.shape),
        )
    of_first, of_second = torch.empty_like(first), torch.empty_like(second)
    size = min(n, max(1, CHUNK // (c * h * w * x.element_size())))
    buffers = torch.empty_like(x[:size]), torch.empty_like(x[:size])
    parts = [t.split(size) for t in (grad, x, first, second, of_first, of_second)]
    for g, part, rows, columns, of_rows, of_columns in zip(*parts, strict=True):
        k = len(part)
        product = torch.mul(g, part, out=buffers[0][:k])
        if x.is_contiguous() and h * w > SMALL_MAP:
            maps = product.view(k * c, h, w)
            of_rows.copy_((maps @ columns.reshape(k * c, w, 1)).view_as(of_rows))
            of_columns.copy_((rows.reshape(k * c, 1, h) @ maps).view_as(of_columns))
        else:
            by_columns = torch.mul(product, columns, out=buffers[1][:k])
            torch.mul(mean(by_columns, [3]), w, out=of_rows)
            torch.mul(mean(product.mul_(rows), [2]), h, out=of_columns)
    return of_first, of_second
