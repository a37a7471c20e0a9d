"""What a recipe gives: the network on the meta device, and what is counted in it.

Papers count differently, so one pass collects every quantity that any of them adds up, and a
convention is a sum of these.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from benchmarks.papers.recipes import Recipe


@dataclass(frozen=True)
class Tally:
    """Quantities of one network and one image; all but the first three are of a forward pass."""

    params: int = 0
    """Learnable parameters."""
    frozen: int = 0
    """Those of a ResNet's stem and first stage, which detectors do not train."""
    statistics: int = 0
    """Running means and variances of batch normalisation."""
    macs: int = 0
    """Multiply-adds of convolutions, linear layers and matrix products."""
    linear: int = 0
    """Those of the linear layers."""
    linear_outputs: int = 0
    conv_bias: int = 0
    """Outputs of convolutions that have a bias."""
    conv_bias_inputs: int = 0
    """The same times the input channels of a group."""
    norm: int = 0
    """Elements that batch normalisation reads."""
    relu: int = 0
    """Elements of ReLU and ReLU6; a block of a residual net has one that counts its last call."""
    max_pool: int = 0
    """Outputs of max pooling times the side of its window."""
    pool: int = 0
    """Additions and divisions of the global average pooling in the modules."""
    last_pool: int = 0
    """The same before the classifier."""
    shortcut: int = 0
    """Additions where residual branches end."""
    scale: int = 0
    """Multiplications of a map with its gates."""
    softmax: int = 0
    """Elements of the largest map that a softmax writes."""


ADDED = "added "
"""Before a convention: what the module adds to the bare network."""

PARAMS: dict[str, Callable[[Tally], int]] = {
    "learnable": lambda t: t.params,
    "with statistics": lambda t: t.params + t.statistics,
    "trained in a detector": lambda t: t.params - t.frozen,
}
"""What counts as a parameter, by the words of a recipe."""


def _thop(t: Tally) -> int:
    return t.macs + (t.linear - t.linear_outputs) + 4 * t.norm + t.pool


FLOPS: dict[str, Callable[[Tally], int]] = {
    "conv + fc": lambda t: t.macs,
    "conv + fc + shortcut": lambda t: t.macs + t.shortcut,
    "conv + fc + scale": lambda t: t.macs + t.scale,
    "conv + fc + shortcut + scale": lambda t: t.macs + t.shortcut + t.scale,
    "thop 0.0.23": lambda t: _thop(t) + t.conv_bias_inputs + t.relu + t.max_pool + t.last_pool,
    "thop 0.0.23, mean": lambda t: _thop(t) + t.conv_bias_inputs + t.relu + t.max_pool,
    "thop 0.0.31": lambda t: _thop(t) + t.conv_bias + t.last_pool,
    "elements of the attention map": lambda t: t.softmax,
}
"""What counts as an operation. thop counts additions and multiplications of linear layers, one
operation for a multiply-add of a convolution, and four for an element that is normalised; its
release 0.0.23 counts ReLU and max pooling too (by the side of the window, not its area), and a
convolution's bias once an input channel. A network that ends with `mean` (MobileNetV2) hides that
pooling from it."""

FROZEN = ("conv1.", "bn1.", "layer1.")

POINTWISE = frozenset(("relu", "relu_", "hardtanh", "hardtanh_", "sigmoid", "silu", "silu_"))


def params(recipe: Recipe) -> int:
    """Parameters of a recipe's network, counted as it says."""
    return _counted(recipe, recipe.params, PARAMS)


def flops(recipe: Recipe) -> int:
    """Operations of a recipe's network, counted as it says."""
    return _counted(recipe, recipe.flops, FLOPS)


def module_params(recipe: Recipe, channels: int) -> int:
    """Parameters of one module of a recipe."""
    import torch

    import attn

    if recipe.plug == "none":
        return 0
    with torch.device("meta"):
        module = attn.build(recipe.plug, channels, **attn.parse_options(recipe.options))
    return sum(p.numel() for p in module.parameters())


def _counted(recipe: Recipe, words: str, known: dict[str, Callable[[Tally], int]]) -> int:
    convention = words.removeprefix(ADDED)
    if convention not in known:
        raise ValueError(f"unknown convention {convention!r}; allowed: {', '.join(known)}")
    sum_of = known[convention]
    total = sum_of(tally(recipe.build, recipe.plug, recipe.options, recipe.at, recipe.image_size))
    if words.startswith(ADDED):
        total -= sum_of(tally(recipe.build, "none", "", "auto", recipe.image_size))
    return total


@lru_cache(maxsize=64)
def tally(name: str, plug: str, options: str, at: str, image_size: int) -> Tally:
    """The quantities of a network with a module plugged in."""
    import torch

    import attn
    from benchmarks.papers.backbones import build

    with torch.device("meta"):
        model = build(name).eval()
    inserted: tuple[str, ...] = ()
    if plug != "none":
        chosen = attn.parse_options(options)
        stages = chosen.pop("per_stage", None)
        inserted = attn.plug(model, plug, at=_places(model, at), per_stage=stages, **chosen).where
    return _count(model.eval(), image_size, inserted, plug != "cbam")


def _places(model: nn.Module, at: str) -> str | list[str]:
    """A word of `attn.plug`, or the paths that match a pattern. ValueError if none does."""
    from attn.places import WHERE

    if at in WHERE:
        return at
    paths = [path for path, _ in model.named_modules() if re.fullmatch(at, path)]
    if not paths:
        raise ValueError(f"no module of {type(model).__name__} has a path like {at!r}")
    return paths


def _count(model: nn.Module, image_size: int, inserted: tuple[str, ...], pools: bool) -> Tally:
    """All quantities of one image; `pools` is whether a layer of the inserted modules pools.

    The official CBAM pools by functions, which thop does not see.
    """
    import torch
    from torch import nn

    statistics = sum(
        2 * m.num_features for m in model.modules() if isinstance(m, nn.modules.batchnorm._NormBase)
    )
    counter = _counter()
    channels = getattr(model, "input_channels", 3)
    image = torch.empty((1, channels, image_size, image_size), device="meta")
    with ExitStack() as stack, torch.no_grad():
        elements = _hooked(model, inserted, pools, stack)
        stack.enter_context(counter)
        model(image)
    hooked: dict[str, int] = {}
    for (quantity, _), number in elements.items():
        hooked[quantity] = hooked.get(quantity, 0) + number
    sizes = {name: p.numel() for name, p in model.named_parameters()}
    params = sum(sizes.values())
    frozen = sum(n for name, n in sizes.items() if name.startswith(FROZEN))
    return Tally(params=params, frozen=frozen, statistics=statistics, **counter.totals, **hooked)


def _hooked(
    model: nn.Module, inserted: tuple[str, ...], pools: bool, stack: ExitStack
) -> dict[tuple[str, str], int]:
    """Fills, at the next forward pass, what only modules tell, by quantity and path."""
    from timm.layers import SelectAdaptivePool2d
    from timm.models.resnet import BasicBlock, Bottleneck
    from torch import nn

    found: dict[tuple[str, str], int] = {}

    def watch(module: nn.Module, key: tuple[str, str], elements: Callable[[Any, Any], int]) -> None:
        def hook(_: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            found[key] = elements(args[0], output)

        stack.callback(module.register_forward_hook(hook).remove)

    def global_pool(x: Any, _: Any) -> int:
        return x.numel() + x.shape[0] * x.shape[1]

    for path, module in model.named_modules():
        above = path.rpartition(".")[0]
        if isinstance(module, nn.ReLU | nn.ReLU6):
            residual = isinstance(model.get_submodule(above), BasicBlock | Bottleneck)
            key = above if residual else path
            watch(module, ("relu", key), lambda x, y: y.numel())
        if isinstance(module, nn.MaxPool2d):
            side = int(module.kernel_size)  # pyright: ignore[reportArgumentType]
            watch(module, ("max_pool", path), lambda x, y, side=side: side * y.numel())
        if isinstance(module, BasicBlock | Bottleneck):
            watch(module, ("shortcut", path), lambda x, y: y.numel())
        if path in inserted:
            gates = _gated_maps(module)
            watch(module, ("scale", path), lambda x, y, gates=gates: gates * y.numel())
            if pools:
                watch(module, ("pool", path), global_pool)
        if isinstance(module, SelectAdaptivePool2d):
            watch(module, ("last_pool", path), global_pool)
    return found


def _gated_maps(module: nn.Module) -> int:
    """How many maps of the output's size a module multiplies with gates."""
    from attn.sk import SK

    if not isinstance(module, SK):
        return 1
    return len(module.norms) if module.select is not None else 0


def _counter() -> Any:
    """A dispatch mode that adds up what operators tell."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    aten = torch.ops.aten

    class Counter(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            names = ("macs", "linear", "linear_outputs", "conv_bias", "conv_bias_inputs", "norm")
            self.totals = dict.fromkeys((*names, "softmax"), 0)

        def __torch_dispatch__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
        ) -> Any:
            kwargs = kwargs or {}
            name, packet = func.overloadpacket.__name__, func.overloadpacket
            if name in POINTWISE:
                return args[0] if name.endswith("_") else torch.empty_like(args[0])
            if packet == aten.native_batch_norm:
                self.totals["norm"] += args[0].numel()
                return torch.empty_like(args[0]), args[0].new_empty(0), args[0].new_empty(0)
            out = func(*args, **kwargs)
            if packet == aten._softmax:
                self.totals["softmax"] = max(self.totals["softmax"], out.numel())
            if packet in flop_registry:
                macs = flop_registry[packet](*args, **kwargs, out_val=out) // 2
                self.totals["macs"] += macs
                if packet in (aten.mm, aten.addmm):
                    self.totals["linear"] += macs
                    self.totals["linear_outputs"] += out.numel()
                if packet == aten.convolution and args[2] is not None:
                    self.totals["conv_bias"] += out.numel()
                    self.totals["conv_bias_inputs"] += out.numel() * args[1].shape[1]
            return out

    return Counter()
