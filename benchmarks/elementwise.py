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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

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


def count(model: nn.Module, x: Tensor) -> Work:
    """The work of `model(x)` without gradients. On the meta device it takes milliseconds.

    The training mode of `model` is left as it is: put it in eval mode for inference.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    counter = _counter()
    with torch.no_grad(), FlopCounterMode(display=False) as flops, counter:
        model(x)
    return Work(macs=flops.get_total_flops() // 2, **counter.totals)


def _counter() -> Any:
    """A dispatch mode that adds up, operator by operator, all fields of Work but the MACs."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    class Counter(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            names = ("elementwise", "elementwise_bytes", "matmul_bytes", "activations")
            self.totals = dict.fromkeys(names, 0)

        def __torch_dispatch__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
        ) -> Any:
            out = func(*args, **(kwargs or {}))
            name = func.overloadpacket.__name__
            if _is_view(func) or name in NO_TRAFFIC or func.namespace != "aten":
                return out
            # in eval mode the batch statistics that follow are empty, but not on meta
            results = out[:1] if name == "native_batch_norm" else out
            read, written = list(_tensors((args, kwargs))), list(_tensors(results))
            traffic = sum(_elements(t) * t.element_size() for t in (*read, *written))
            if func.overloadpacket in flop_registry:
                self.totals["matmul_bytes"] += traffic
                self.totals["activations"] += sum(t.numel() for t in written)
                return out
            self.totals["elementwise_bytes"] += traffic
            if name not in MOVES:
                largest = max((_elements(t) for t in (*read, *written)), default=0)
                self.totals["elementwise"] += largest
            return out

    return Counter()


def _is_view(func: Any) -> bool:
    """Whether the operator returns its input's own memory, unchanged."""
    infos = [r.alias_info for r in func._schema.returns]
    return any(info is not None and not info.is_write for info in infos)


def _elements(tensor: Tensor) -> int:
    """Elements that lie in memory: a dimension with stride 0 holds one."""
    total = 1
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        total *= 1 if stride == 0 and size else size
    return total


def _tensors(value: Any) -> Iterator[Tensor]:
    import torch

    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
