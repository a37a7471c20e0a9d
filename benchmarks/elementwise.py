"""What a forward pass does beside multiplying matrices: element-wise operations and memory traffic.

An attention module costs few MACs; its price is the passes that it makes over the feature map.
The conventions, for one forward pass without gradients and without any fusion:

- Operators that multiply matrices (those with a formula in torch's FLOP counter: convolution,
  matmul, attention) do no element-wise operation.
- Any other operator that computes does one operation per element of its largest tensor: per
  element that it reads for a reduction, per element that it writes otherwise. A sigmoid counts
  as much as an addition.
- Operators that only move elements (`cat`, `clone`, ...) do no operation, views cost nothing.
- An operator reads each of its input tensors from memory once and writes each output once;
  a broadcast (stride 0) dimension is read once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from operator import add, itemgetter
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

MOVES = frozenset(
    (
        *("cat", "stack", "clone", "contiguous", "copy_", "_to_copy", "_unsafe_view", "repeat"),
        *("gather", "index", "index_select", "select_scatter", "slice_scatter", "roll"),
        *("constant_pad_nd", "reflection_pad2d", "replication_pad2d"),
        *("pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle"),
        *("arange", "full", "ones", "zeros", "ones_like", "zeros_like", "scalar_tensor"),
        *("new_full", "new_ones", "new_zeros", "fill_", "lift_fresh_copy"),
    )
)
"""Operators that move or create elements and compute nothing."""

NO_TRAFFIC = frozenset(("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"))
"""Operators that only reserve memory."""

POINTWISE = frozenset(
    ("clamp", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "mish")
    + ("relu", "sigmoid", "silu", "softplus", "tanh")
)
"""Operators that give each element of their one input a new value."""

FILLS = frozenset(("bernoulli_", "fill_", "normal_", "random_", "uniform_", "zero_"))
"""Operators that give each element of a tensor a value in place."""

PAIRS = ("bmm", "baddbmm", "_scaled_dot_product", "_flash_attention", "_efficient_attention")
"""How the names of operators begin that multiply two batches of matrices."""


@dataclass(frozen=True)
class Work:
    """What one forward pass does; every figure is for the whole batch."""

    macs: int = 0
    """Multiply-adds of convolution, matmul and attention (torch's FLOP count / 2)."""
    elementwise: int = 0
    """Operations of all other operators."""
    elementwise_bytes: int = 0
    """Bytes that those other operators read and write, moves included."""
    matmul_bytes: int = 0
    """Bytes that the matrix-multiplying operators read (weights too) and write."""
    activations: int = 0
    """Elements that the matrix-multiplying operators write (fvcore's and pycls's definition)."""
    pair_macs: int = 0
    """Those of `macs` that multiply two batches of matrices: attention between positions."""

    def __add__(self, other: Work) -> Work:
        return Work(*map(add, vars(self).values(), vars(other).values()))


def count(model: nn.Module, x: Tensor) -> Work:
    """The work of `model(x)` without gradients. On the meta device it takes milliseconds.

    The training mode of `model` is left as it is: put it in eval mode for inference.
    """
    with torch.no_grad(), Counter() as counted:
        model(x)
    return counted.work


class Counter(TorchDispatchMode):
    """A dispatch mode whose `work` is what the operators inside it have done since it was made.

    On the meta device an operator's outputs and work depend on nothing but the shapes, strides and
    types of its inputs and on its other arguments. So each is worked out once in a process: when
    an operator comes again with equal arguments, its outputs are new tensors of the shapes, strides
    and types of the first time. Views are not remembered, they are quick.
    """

    def __init__(self) -> None:
        super().__init__()
        self.totals = [0] * len(fields(Work))

    @property
    def work(self) -> Work:
        return Work(*self.totals)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out, work = _run(func, args, kwargs or {})
        if work is not None:
            self.totals = list(map(add, self.totals, work))
        return out


_Tuple = tuple[int, ...]
"""The values of a Work in its order."""
_remembered: dict[Any, tuple[Any, _Tuple | None]] = {}
_REMEMBERED_MOST = 100_000


def _run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, _Tuple | None]:
    """The outputs of an operator, and its work as the values of a Work, None for no work."""
    if _is_free(func):
        return func(*args, **kwargs), None
    try:
        key = (func, _key(args), _key(tuple(kwargs.items())) if kwargs else ())
        known = _remembered.get(key)
    except (TypeError, _NotOnMeta):  # an argument that has no hash, or values that matter
        out = func(*args, **kwargs)
        return out, _work(func, args, kwargs, out)
    if known is not None:
        make, work = known
        return make(args), work
    out = _same_shape(func, args) if func._overloadname in ("default", "") else None
    if out is None:
        out = func(*args, **kwargs)
    work = _work(func, args, kwargs, out)
    make = _maker(func, args, out)
    if make is not None and _key(args) == key[1]:  # else it changed a shape in place
        if len(_remembered) >= _REMEMBERED_MOST:
            _remembered.clear()
        _remembered[key] = make, work
    return out, work


def _same_shape(func: Any, args: tuple[Any, ...]) -> Any:
    """The outputs of operators that keep their input's shape, None for others.

    torch works them out in Python on meta, which would be most of the time of counting.
    """
    name = func.overloadpacket.__name__
    if name in FILLS or (name[-1] == "_" and name[:-1] in POINTWISE):
        return args[0]
    if name in POINTWISE and args[0].is_floating_point():
        return torch.empty_like(args[0])
    if name == "native_batch_norm" and not args[5]:  # in eval mode it gives no statistics
        x, weight = args[:2]
        if weight is not None and weight.numel() != x.shape[1]:
            raise RuntimeError(f"a norm of {weight.numel()} channels got {x.shape[1]}")
        return torch.empty_like(x), x.new_empty(0), x.new_empty(0)
    return None


class _NotOnMeta(Exception):
    """A tensor holds values: the operator has to work them out."""


def _key(values: Any) -> Any:
    """What decides an operator's outputs on meta: tensors by shape, stride and type."""
    found = []
    for value in values:
        if isinstance(value, Tensor):
            if not value.is_meta:
                raise _NotOnMeta
            found.append((value.shape, value.stride(), value.dtype))
        elif isinstance(value, (list, tuple)):
            found.append(_key(value))
        else:
            found.append((type(value), value))
    return tuple(found)


def _maker(func: Any, args: tuple[Any, ...], out: Any) -> Any:
    """A function from arguments to outputs like `out`; None where there is no such function."""
    if isinstance(out, Tensor):
        for position, value in enumerate(args):
            if value is out:  # in place
                return itemgetter(position)
        if not out.is_meta:
            return None
        shape, stride, dtype = out.shape, out.stride(), out.dtype
        return lambda _: torch.empty_strided(shape, stride, dtype=dtype, device="meta")
    if isinstance(out, tuple) and not any(r.alias_info for r in func._schema.returns):
        makers = [_maker(func, (), item) for item in out]
        if all(makers):
            return lambda args: tuple(make(args) for make in makers)
    return None


def _work(func: Any, args: Any, kwargs: Any, out: Any) -> _Tuple | None:
    name = func.overloadpacket.__name__
    # the batch statistics that follow are empty in eval mode, but not always on meta
    results = out[:1] if name == "native_batch_norm" else out
    read, written = list(_tensors((args, kwargs))), list(_tensors(results))
    traffic = sum(_elements(t) * t.element_size() for t in (*read, *written))
    formula = flop_registry.get(func.overloadpacket)
    if formula is not None:
        macs = formula(*args, **kwargs, out_val=out) // 2
        activations = sum(t.numel() for t in written)
        pair = macs if name.startswith(PAIRS) else 0
        return macs, 0, 0, traffic, activations, pair
    largest = max((_elements(t) for t in (*read, *written)), default=0)
    return 0, 0 if name in MOVES else largest, traffic, 0, 0, 0


@cache
def _is_free(func: Any) -> bool:
    """Whether an operator does nothing: it returns its input's own memory, or reserves some."""
    infos = [r.alias_info for r in func._schema.returns]
    view = any(info is not None and not info.is_write for info in infos)
    return view or func.overloadpacket.__name__ in NO_TRAFFIC or func.namespace != "aten"


def _elements(tensor: Tensor) -> int:
    """Elements that lie in memory: a dimension with stride 0 holds one."""
    total = 1
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        total *= 1 if stride == 0 and size else size
    return total


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
