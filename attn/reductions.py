"""Reductions of a feature map by what is fast on a processor, and where that may be used.

PyTorch has several ways to each of these values, and their times differ up to tenfold with the
layout and the size of the map. The comments say how much was gained on one x86-64 core.
"""

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Parameter
from torch.nn import functional as F

GROUPS = 32
"""Groups of channels of which the one with the maximum is found first."""

PARTS, LEAST_PART = (16, 14, 8, 7), 64
"""Parts of a map whose maxima are found first, and the fewest pixels of a part where the place of
the maximum is wanted too."""

SMALL_MAP = 64
"""Pixels of a map that is small: its rows are shorter than what a processor works on at a time."""

WIDE = 256
"""Channels from which a map in channels last has faster ways to pool its pixels."""

LARGE_MAP = 1024
"""Pixels from which the channels of a contiguous map are averaged by a matrix product."""

FEW = 1 << 18
"""Elements of a map, all samples together, below which a plain form is faster than any other:
there a pass takes some microseconds, and so do the checks and the calls of a form by hand. Only the
means of rows and columns in channels last are so slow that any map is worth it."""


def wants_gradient(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(t.requires_grad for t in tensors)


def by_hand(*tensors: Tensor) -> bool:
    """Whether a form with a gradient written by hand may stand in for these tensors' plain form.

    Only in eager mode on a processor: nothing that records or transforms operations sees it.
    """
    return (
        all(type(t) in (Tensor, Parameter) for t in tensors)
        and all(t.device.type == "cpu" and t.dtype == tensors[0].dtype for t in tensors)
        and tensors[0].dtype in (torch.float32, torch.float64)
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and not torch.is_autocast_enabled("cpu")
        and not torch._C._are_functorch_transforms_active()
        and forward_ad._current_level < 0
    )


def pays_by_hand(x: Tensor, *others: Tensor) -> bool:
    """Whether `by_hand` holds and the map x is so large and laid out so that it is faster."""
    return (
        isinstance(x, Tensor)  # torch.fx traces with stand-ins for tensors
        and not torch.compiler.is_compiling()
        and x.numel() >= FEW
        and by_hand(x, *others)
        and is_whole(x)
    )


def is_whole(x: Tensor) -> bool:
    return x.numel() > 0 and (x.is_contiguous() or channels_last(x))


def channels_last(x: Tensor) -> bool:
    """Channels last and not contiguous as well, as a map of one pixel or one channel is."""
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def layout_of(x: Tensor) -> torch.memory_format:
    return torch.channels_last if channels_last(x) else torch.contiguous_format


def mean(x: Tensor, dims: list[int]) -> Tensor:
    """`x.mean(dims, keepdim=True)` by what is fast on a processor."""
    if dims == [2, 3] and x.is_contiguous():
        return x.mean(dims, keepdim=True)
    if dims in ([2], [3]) and x.numel() and channels_last(x) and by_hand(x):
        if dims == [2]:
            return _mean_of_columns_last(x)
        return F.avg_pool2d(x, (1, x.shape[3]))  # 3 to 30 times faster
    if not pays_by_hand(x):
        return x.mean(dims, keepdim=True)
    n, c, h, w = x.shape
    if channels_last(x):
        if dims == [2, 3]:
            return _mean_of_pixels(x)
    elif dims == [3]:  # up to 3 times faster
        return torch.mv(x.view(-1, w), _share(x, w)).view(n, c, h, 1)
    elif dims == [2]:
        return _mean_of_rows(x)
    elif dims == [1] and h * w >= LARGE_MAP:  # 1.6 times faster
        return (_share(x, c) @ x.view(n, c, h * w)).view(n, 1, h, w)
    return x.mean(dims, keepdim=True)


def _share(x: Tensor, n: int) -> Tensor:
    return x.new_full((n,), 1 / n)


def _mean_of_pixels(x: Tensor) -> Tensor:
    """`x.mean([2, 3], keepdim=True)` of a map in channels last, 1.2 to 2.5 times faster.

    The pool adds pixel after pixel: it rounds more than a sum in parts does.
    """
    n, c, h, w = x.shape
    if c >= WIDE and n >= torch.get_num_threads():  # it divides the samples among threads
        return F.avg_pool2d(x, [h, w])
    pixels = x.permute(0, 2, 3, 1).view(n, h * w, c)
    pooled = _share(x, h * w) @ pixels if h * w <= SMALL_MAP else pixels.sum(1).div_(h * w)
    return pooled.view(n, c, 1, 1)


def _mean_of_columns_last(x: Tensor) -> Tensor:
    """`x.mean([2], keepdim=True)` of a map in channels last, 5 to 30 times faster."""
    n, c, h, w = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(n, h, w * c)
    return (_share(x, h) @ rows).view(n, 1, w, c).permute(0, 3, 1, 2)


def _mean_of_rows(x: Tensor) -> Tensor:
    """`x.mean([2], keepdim=True)` of a contiguous map, up to 1.6 times faster."""
    n, c, h, w = x.shape
    if h * w > SMALL_MAP:
        return (_share(x, h) @ x.view(n * c, h, w)).view(n, c, 1, w)
    rows = x.split(1, dim=2)
    total = rows[0].clone()
    for row in rows[1:]:
        total.add_(row)
    return total.div_(h)


def maximum(x: Tensor, dims: list[int]) -> Tensor:
    if not x.requires_grad:  # equal values; only at ties is the gradient of `amax` another
        return _amax(x, dims)
    return first_max(x, dims)[0] if pays_by_hand(x) else plain_max(x, dims)


def in_groups(x: Tensor, least: int = 2) -> bool:
    """Whether every group has so many channels or more; over a single one `amax` is a slow copy."""
    return x.shape[1] >= least * GROUPS and x.shape[1] % GROUPS == 0


def _amax(x: Tensor, dims: list[int]) -> Tensor:
    """`x.amax(dims, keepdim=True)` by what is fast on a processor."""
    if not pays_by_hand(x):
        return x.amax(dims, keepdim=True)
    n, c, h, w = x.shape
    if dims == [1] and x.is_contiguous() and in_groups(x, least=4):  # 1.6 to 7 times faster
        return x.view(n, c // GROUPS, GROUPS, h, w).amax(1).amax(1, keepdim=True)
    if dims == [2, 3] and channels_last(x):  # 1.2 to 2 times faster
        pixels = x.permute(0, 2, 3, 1).view(n, h * w, c)
        parts = next((p for p in PARTS if c >= WIDE and h * w > p and h * w % p == 0), 1)
        if parts > 1:
            pixels = pixels.view(n, parts, -1, c).amax(1)
        return pixels.amax(1).view(n, c, 1, 1)
    return x.amax(dims, keepdim=True)


def plain_max(x: Tensor, dims: list[int]) -> Tensor:
    if dims == [1]:
        return x.max(1, keepdim=True)[0]
    return x.flatten(2).max(2)[0][:, :, None, None]


def first_max(x: Tensor, dims: list[int]) -> tuple[Tensor, Tensor]:
    """The maximum over the channels or over the pixels, and where it is: a channel or a pixel."""
    if dims == [1]:
        if not in_groups(x):
            return x.max(1, keepdim=True)
        return _max_of_groups(x) if x.is_contiguous() else _max_of_groups_last(x)
    if x.is_contiguous():
        values, places = _max_of_parts(x.flatten(2))
        return values[:, :, None, None], places[:, :, None, None]
    return torch.ops.aten.adaptive_max_pool2d(x, [1, 1])


def _max_of_parts(x: Tensor) -> tuple[Tensor, Tensor]:
    """`x.max(2)` of (N, C, pixels) in a third of the time: the part first, then the pixel."""
    n, c, pixels = x.shape
    fitting = [p for p in PARTS if pixels % p == 0 and pixels // p >= LEAST_PART]
    if not fitting:
        return x.max(2)
    parts = x.view(n * c, fitting[0], -1)
    values, part = parts.amax(2).max(1)
    member = parts[torch.arange(n * c, device=x.device), part].max(1)[1]
    return values.view(n, c), (part * parts.shape[2] + member).view(n, c)


def _max_of_groups(x: Tensor) -> tuple[Tensor, Tensor]:
    """`x.max(1, keepdim=True)` in half the time: the group of channels first, then the channel.

    Channel c is in group c % GROUPS. `amax` is fast and `max`, which says where, is slow.
    """
    n, c, h, w = x.shape
    groups = x.view(n, c // GROUPS, GROUPS, h, w)
    values, group = groups.amax(1).max(1)  # (N, H, W)
    index = group[:, None, None].expand(n, c // GROUPS, 1, h, w)
    member = groups.gather(2, index).squeeze(2).max(1)[1]
    return values.unsqueeze(1), (member * GROUPS + group).unsqueeze(1)


def _max_of_groups_last(x: Tensor) -> tuple[Tensor, Tensor]:
    """The same of a map in channels last, 1.3 to 4.5 times faster from 128 channels."""
    n, c, h, w = x.shape
    groups = x.permute(0, 2, 3, 1).view(n * h * w, c // GROUPS, GROUPS)
    values, group = groups.amax(1).max(1)  # (N H W,)
    member = groups.gather(2, group.view(-1, 1, 1).expand(-1, c // GROUPS, 1))[:, :, 0].max(1)[1]
    index = member * GROUPS + group
    return values.view(n, 1, h, w), index.view(n, 1, h, w)


def dot(a: Tensor, b: Tensor, kept: list[int]) -> Tensor:
    """`(a * b).sum` over all dimensions but `kept`, [N, C] or [N, H, W], without the product.

    PyTorch has no such reduction, but the backward pass of batch normalisation with mean 0 and
    variance 1 contains it: the gradient of the weight is sum(a * b) over all but the channels.
    """
    n, c, h, w = a.shape
    inner_is_pixels = not channels_last(a)
    rows, other = (t if inner_is_pixels else t.permute(0, 2, 3, 1) for t in (a, b))
    if inner_is_pixels == (kept == [0, 1]):
        # the summed dimension is the inner one: a matrix of many rows, each summed
        shape = (1, -1, h * w if inner_is_pixels else c)
        sums = _weight_gradient(rows.reshape(shape), other.reshape(shape))
    else:
        # it is the outer one: columns, a sample at a time
        shape = (n, -1, h * w if inner_is_pixels else c)
        pairs = zip(rows.reshape(shape), other.reshape(shape), strict=True)
        sums = torch.stack([_weight_gradient(r, o) for r, o in pairs])
    return sums.view(n, c, 1, 1) if kept == [0, 1] else sums.view(n, 1, h, w)


def _weight_gradient(a: Tensor, b: Tensor) -> Tensor:
    channels = a.shape[1]
    mean, variance = a.new_zeros(channels), a.new_ones(channels)
    return torch.ops.aten.native_batch_norm_backward(
        a, b, None, mean, variance, mean, variance, False, 0.0, [False, True, False]
    )[1]
