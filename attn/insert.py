"""Build the module of a place, put it there, and prove on the meta device that it is run.

`attn.plug` says which places. A module that replaces a convolution has that one's shape and begins
with its weights.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from attn.places import Site, is_gate, submodule
from attn.registry import Spec, allowed_options, build
from attn.trace import Trace, name_of, trace


def build_at(model: nn.Module, site: Site, spec: Spec, setting: dict[str, Any]) -> nn.Module:
    reference = next(model.parameters(), torch.zeros(()))
    channels = site.map.shape[1]
    try:
        with torch.device(reference.device):
            if spec.replaces_conv:
                module = _in_place_of(model, site, spec, setting)
            else:
                module = build(spec.name, channels, **setting)
    except ValueError as error:
        where = f"{name_of(model)}, {site.path} ({channels} channels)"
        raise ValueError(f"module {spec.name!r} in {where}: {error}") from error
    return module.to(dtype=reference.dtype).train(model.training)


def _in_place_of(model: nn.Module, site: Site, spec: Spec, setting: dict[str, Any]) -> nn.Module:
    """A module with the shape of the convolution at `site` and, where they fit, its weights."""
    conv = model.get_submodule(site.path)
    assert isinstance(conv, nn.Conv2d)
    kernel, dilation = conv.kernel_size[0], conv.dilation[0]
    shape: dict[str, Any] = {
        "out_channels": conv.out_channels,
        "stride": conv.stride[0],
        "groups": conv.groups,
    }
    if (kernel, dilation) != (3, 1):
        shape["branches"] = ((kernel, dilation), (kernel, 2 * dilation))
    allowed = allowed_options(spec)
    if allowed is not None and not shape.keys() <= {*allowed}:
        lacking = ", ".join(name for name in shape if name not in allowed)
        raise TypeError(
            f"module {spec.name!r} takes no {lacking}: what replaces a convolution is built with"
            f" {', '.join(shape)}; take **options for those that you don't need"
        )
    module = build(spec.name, conv.in_channels, **{**shape, **setting})

    new = list(module.modules())
    first = next((m for m in new if isinstance(m, nn.Conv2d) and _same_shape(m, conv)), None)
    norms = [m for m in new if isinstance(m, nn.BatchNorm2d)]
    if first is not None:
        with torch.no_grad():
            first.weight.copy_(conv.weight)
        first.weight.requires_grad_(conv.weight.requires_grad)
        old = [model.get_submodule(path) for path in site.absorbed]
        if old and norms and norms[0].num_features == conv.out_channels:
            _continue(norms[0], old[0])
    return module


def _continue(norm: nn.Module, old: nn.Module) -> None:
    """Give a BatchNorm what another one has learned, its epsilon, and what of it is frozen."""
    norm.load_state_dict(old.state_dict(), strict=False)
    norm.eps = old.eps
    there = dict(old.named_parameters())  # of timm's BatchNormAct2d also those of its activation
    for name, parameter in norm.named_parameters():
        if name in there:
            parameter.requires_grad_(there[name].requires_grad)


def _same_shape(one: nn.Conv2d, other: nn.Conv2d) -> bool:
    same = (one.stride, one.dilation, one.groups) == (other.stride, other.dilation, other.groups)
    return same and one.weight.shape == other.weight.shape


def require_shape(spec: Spec, site: Site, module: nn.Module, traced: Trace) -> None:
    """Raise ValueError for a module of a user's that does not keep the shape of its map.

    It is run on meta. One that can't run there, as it asks for values, is not asked.
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise ValueError(
            f"module {spec.name!r} is scripted, so nothing can see whether it is run; plug the"
            " plain module and script the model"
        )
    x = traced.input(site.path) if spec.replaces_conv else site.map
    try:
        with torch.no_grad():  # a copy, as a module may keep what it makes
            out = copy.deepcopy(module).to("meta").eval()(x)
    except Exception:
        return
    made = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
    if made != tuple(site.map.shape):
        raise ValueError(
            f"module {spec.name!r} makes {made} at {site.path!r}, where"
            f" {tuple(site.map.shape)} is due; a gate returns its input times its weights"
        )


def put(
    model: nn.Module,
    spec: Spec,
    sites: Sequence[Site],
    modules: Sequence[nn.Module],
    traced: Trace,
    run: Callable[[nn.Module, tuple[int, int, int]], Trace] = trace,
) -> tuple[tuple[str, ...], int]:
    """Put one module at each site, in place: their paths, and how many gates made room.

    `run` traces the model with the modules passing their input through: each is run exactly once.
    """
    old = [submodule(model, site.path) for site in sites]
    for site, there in zip(sites, old, strict=True):
        if site.appended and there is not None:
            raise ValueError(
                f"{name_of(model)} already has a module at {site.path!r}; build the model again, or"
                " pass at=[paths] of other modules"
            )
    paths = tuple(_insert(model, s, module) for s, module in zip(sites, modules, strict=True))
    _require_reached(model, spec, sites, modules, paths, traced, run)
    return paths, sum(map(is_gate, old))


def _insert(model: nn.Module, site: Site, module: nn.Module) -> str:
    """Put the module at the site and return its path."""
    above, _, name = site.path.rpartition(".")
    parent = model.get_submodule(above)
    old = getattr(parent, name, None)
    path = site.path
    if name == "drop_path":
        drop = old[-1] if isinstance(old, nn.Sequential) else old
        module = nn.Sequential(module, nn.Identity() if drop is None else drop)
        path += ".0"
    if hasattr(parent, name) and name not in parent._modules:
        delattr(parent, name)
    parent.add_module(name, module)
    for absorbed in site.absorbed:
        above, _, child = absorbed.rpartition(".")
        model.get_submodule(above).add_module(child, nn.Identity())
    return path


def _apply_child(self, inputs: tuple[Tensor], output: Tensor) -> Tensor:
    return self.attn(output)


def _require_reached(
    model: nn.Module,
    spec: Spec,
    sites: Sequence[Site],
    built: Sequence[nn.Module],
    paths: Sequence[str],
    traced: Trace,
    run: Callable[[nn.Module, tuple[int, int, int]], Trace],
) -> None:
    """Prove on meta, with the modules passing through, that each is run exactly once.

    A container that is not a plain Sequential does not run a new child: a forward hook does.
    """
    outputs = [site.map if spec.replaces_conv else None for site in sites]

    def counts() -> dict[str, int]:
        with _passing_through(built, outputs):
            again = run(model, traced.input_size)
        return {path: again.count.get(path, 0) for path in paths}

    found = counts()
    hooked = [s for s, path in zip(sites, paths, strict=True) if s.appended and not found[path]]
    if hooked:
        for site in hooked:
            stage = model.get_submodule(site.path.rpartition(".")[0])
            # Before timm's own hooks, which take the features of an extractor.
            stage.register_forward_hook(_apply_child, prepend=True)
        found = counts()
    wrong = {path: count for path, count in found.items() if count != 1}
    if wrong:
        raise RuntimeError(
            f"{name_of(model)}: these {spec.name!r} modules are not run exactly once: {wrong};"
            " the model is changed, build it again and pass at=[paths] of other modules"
        )


@contextmanager
def _passing_through(
    modules: Sequence[nn.Module], outputs: Sequence[Tensor | None]
) -> Iterator[None]:
    """Let each module return its input, or the given map, so that its own code need not run."""

    def stand_in(output: Tensor | None) -> Any:
        return lambda x: x if output is None else output

    own = [vars(module).get("forward") for module in modules]  # of a wrapped or compiled one
    for module, output in zip(modules, outputs, strict=True):
        module.forward = stand_in(output)
    try:
        yield
    finally:
        for module, forward in zip(modules, own, strict=True):
            del module.forward
            if forward is not None:
                module.forward = forward
