"""One forward of a model on the meta device: which modules ran, in what order, on what shapes.

Nothing is computed and no weight is copied, so a trace of any timm backbone takes well under a
second and leaves the model, its mode and the random state as they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

DEFAULT_SIZE = (3, 224, 224)


@dataclass(frozen=True, eq=False)
class Call:
    """One call of one module. `input` and `output` are None where they are not one tensor."""

    path: str
    input: Tensor | None
    output: Tensor | None


@dataclass(frozen=True)
class Trace:
    """Calls in the order in which they finished; `index` has the first of each path."""

    calls: tuple[Call, ...]
    input_size: tuple[int, int, int]
    has_attention: bool
    index: dict[str, int] = field(repr=False)
    count: dict[str, int] = field(repr=False)

    def output(self, path: str) -> Tensor | None:
        return self.calls[self.index[path]].output if path in self.index else None

    def input(self, path: str) -> Tensor | None:
        return self.calls[self.index[path]].input if path in self.index else None


@dataclass(frozen=True)
class Family:
    """What the last stage of a backbone hands on, and so whether a module can be plugged in.

    `kind`: `"convolutional"` (NCHW maps), `"hybrid"` (NCHW maps, and attention between positions
    inside), `"channels_last"` (NHWC maps) or `"tokens"` (no maps). `plug` takes the first two.
    """

    kind: str
    reason: str


def trace(model: nn.Module, input_size: tuple[int, int, int] | None = None) -> Trace:
    """Run `model` once on meta, in eval mode, on a (1, channels, height, width) input.

    Without `input_size` the size is the one in the model's timm configuration; the number of
    channels is then that of the first convolution if the configured one does not fit.
    Raises ValueError, with the model's own complaint, if it does not run.
    """
    sizes = [input_size] if input_size else _likely_sizes(model)
    problems: list[Exception] = []
    for size in sizes:
        try:
            return _trace(model, size)
        except Exception as error:
            problems.append(error)
    advice = "" if input_size else "; attn.plug takes another input_size=(channels, height, width)"
    raise ValueError(
        f"{name_of(model)} does not run on the meta device with an input of {sizes[0]}:"
        f" {problems[0]}{advice}"
    ) from problems[0]


def name_of(model: nn.Module) -> str:
    """The architecture's name in timm, else the class's."""
    config = getattr(model, "pretrained_cfg", None) or {}
    return config.get("architecture") or type(model).__name__


def is_nchw(tensor: Tensor | None, input_size: tuple[int, int, int] = DEFAULT_SIZE) -> bool:
    """Whether a tensor traced from an image of that size is a feature map with channels second.

    Its last two sizes have to each other the ratio of the image's height to its width, up to some
    pixels where the image is not square: convolutions round, and without padding cut borders off.
    """
    if tensor is None or tensor.dim() != 4:
        return False
    (height, width), (h, w) = input_size[1:], tensor.shape[2:]
    if height == width:
        return h == w
    return abs(h * width - w * height) <= 4 * max(height, width)


def stage_outputs(model: nn.Module, traced: Trace) -> list[str]:
    """Paths of the modules in timm's `feature_info` that ran, without a stem, in that order.

    Empty without `feature_info`, or where its last stage does not give one tensor (HRNet).
    """
    info = getattr(model, "feature_info", None) or []
    named = dict.fromkeys(entry.get("module") for entry in getattr(info, "info", info))
    found = [_as_it_ran(path, traced) for path in named if path]
    paths = [path for path in found if path]
    if not paths or traced.output(paths[-1]) is None:
        return []
    if len(paths) > 1 and _is_stem(model, paths[0]):
        paths = paths[1:]
    return paths


def _as_it_ran(path: str, traced: Trace) -> str | None:
    """A path of `feature_info` in this model: timm's feature extractors rename what they wrap."""
    names = (path, path.replace(".", "_"), f"model.{path}", f"body.{path}")
    return next((name for name in names if name in traced.index), None)


def last_map(model: nn.Module, traced: Trace) -> str | None:
    """Path of the module that made the model's last NCHW map larger than one pixel."""
    passing = nn.Identity | nn.Dropout
    for call in reversed(traced.calls):
        output = call.output
        if not call.path or output is None or not is_nchw(output, traced.input_size):
            continue
        if output.shape[2] * output.shape[3] == 1:
            continue
        if not isinstance(model.get_submodule(call.path), passing):
            return call.path
    return None


def family(model: nn.Module, traced: Trace | None = None) -> Family:
    """Classify a backbone by a meta run, without a table of names."""
    traced = traced or trace(model)
    stages = stage_outputs(model, traced)
    if stages:
        output = traced.output(stages[-1])
    else:
        path = last_map(model, traced)
        output = traced.output(path) if path else None
        later = traced.calls[traced.index[path] + 1 :] if path else ()
        tokens = [c.output for c in later if c.output is not None and c.output.dim() == 3]
        output = tokens[-1] if tokens else output
    shape = "no tensor" if output is None else tuple(output.shape)
    if output is None or output.dim() != 4:
        return Family("tokens", f"its last stage gives {shape}, not an image-shaped map")
    if not is_nchw(output, traced.input_size):
        return Family("channels_last", f"its last stage gives {shape}, channels last (NHWC)")
    if traced.has_attention:
        return Family("hybrid", f"NCHW maps {shape}, and attention between positions inside")
    return Family("convolutional", f"NCHW maps {shape}")


class _AttentionSeen(TorchDispatchMode):
    """Notice batched matrix products, which convolutional nets do not have and attention does."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__
        if name.startswith(("bmm", "baddbmm", "_scaled_dot_product")):
            self.seen = True
        return func(*args, **(kwargs or {}))


def _trace(model: nn.Module, input_size: tuple[int, int, int]) -> Trace:
    calls: list[Call] = []

    def record(path: str) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            first = args[0] if args and isinstance(args[0], Tensor) else None
            calls.append(Call(path, first, output if isinstance(output, Tensor) else None))

        return hook

    tensors = [*model.named_parameters(), *model.named_buffers()]
    on_meta = {name: tensor.detach().to("meta") for name, tensor in tensors}
    dtype = next((t.dtype for t in on_meta.values() if t.is_floating_point()), torch.float32)
    image = torch.empty((1, *input_size), dtype=dtype, device="meta")
    attention = _AttentionSeen()
    with ExitStack() as stack:
        stack.enter_context(_eval_mode(model))
        stack.enter_context(_plain_tensors_kept(model))
        stack.enter_context(torch.no_grad())
        for path, module in model.named_modules():
            if not isinstance(module, torch.jit.ScriptModule):
                stack.callback(module.register_forward_hook(record(path)).remove)
        stack.enter_context(attention)
        if all(tensor.is_meta for _, tensor in tensors):
            model(image)
        else:
            torch.func.functional_call(model, on_meta, (image,))
    index: dict[str, int] = {}
    count: dict[str, int] = {}
    for position, call in enumerate(calls):
        index.setdefault(call.path, position)
        count[call.path] = count.get(call.path, 0) + 1
    return Trace(tuple(calls), input_size, attention.seen, index, count)


@contextmanager
def _eval_mode(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _plain_tensors_kept(model: nn.Module) -> Iterator[None]:
    """Tensors that are no parameters, such as a pruned weight, stay what they are."""
    kept = [
        (vars(module), name, value)
        for module in model.modules()
        for name, value in vars(module).items()
        if isinstance(value, Tensor)
    ]
    try:
        yield
    finally:
        for attributes, name, value in kept:
            attributes[name] = value


def _likely_sizes(model: nn.Module) -> list[tuple[int, int, int]]:
    config = getattr(model, "pretrained_cfg", None) or getattr(model, "default_cfg", None) or {}
    channels, height, width = config.get("input_size") or DEFAULT_SIZE
    first = next((m.in_channels for m in model.modules() if isinstance(m, nn.Conv2d)), channels)
    sizes = [(channels, height, width), (first, height, width)]
    return list(dict.fromkeys(sizes))


def _is_stem(model: nn.Module, path: str) -> bool:
    convs = [m for m in model.get_submodule(path).modules() if isinstance(m, nn.Conv2d)]
    return "stem" in path or len(convs) < 2
