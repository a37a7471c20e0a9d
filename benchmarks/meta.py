"""A backbone on the meta device, and what a module does in it, without running all of it again.

The backbone is built and traced once. Modules that go into the same places share one insertion:
stand-ins that hand on their input are put there, the backbone runs, and each stand-in must be
reached exactly once. A module is then built for every place and run on the very map that reached
its stand-in. If it gives that map's shape, all that follows it does the same work, so what the
plugged backbone does is the sum of the two. That this equals plugging the module in and running
everything is tested for every row of the cost table's backbones and for a sample of timm; whatever
is unusual is left to that longer way (`Unusual`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

import attn
from attn import places
from attn.insert import build_at, put
from attn.plug import site_settings, slot_words
from attn.registry import Spec, check_options, get
from attn.trace import Trace, trace
from benchmarks import models
from benchmarks.elementwise import Counter, Work


class Unusual(RuntimeError):
    """The short way doesn't apply: plug the module in and run the whole model."""


@dataclass(frozen=True)
class Arm:
    """A backbone with a module in it: where it sits and what one forward pass of an image does."""

    params: int
    slot: str
    inserted: int
    work: Work
    replaced: int = 0
    """Built-in gates, or convolutions, that made room."""


@dataclass(frozen=True)
class _Places:
    """Where some modules go, and the backbone with stand-ins there."""

    sites: list[places.Site]
    maps: list[Tensor]
    """What reaches each place."""
    replaced: int
    params: int
    work: Work


class Bare:
    """A backbone of timm on the meta device, built and traced once."""

    def __init__(self, backbone: str) -> None:
        self.model = built(backbone)
        with Counter() as counted:
            self.traced = trace(self.model)
        self.arm = Arm(parameters(self.model), "", 0, counted.work)
        self._places: dict[tuple[bool, str], _Places] = {}

    def plugged(self, module: str, options: Mapping[str, Any]) -> Arm:
        """The backbone with a module at its default places.

        Raises what `attn.plug` does, or Unusual where that has to be tried.
        """
        options = dict(options)
        per_stage = options.pop("per_stage", None) or {}
        spec = get(module)
        check_options(spec, {**options, **per_stage})
        where = self._where(spec)
        settings = site_settings(self.model, self.traced, where.sites, options, per_stage)
        params, work = where.params, where.work
        known: dict[Any, tuple[int, Work]] = {}
        for site, came, setting in zip(where.sites, where.maps, settings, strict=True):
            key = (repr(setting), came.shape, came.stride(), self._replaced_shape(spec, site))
            if key not in known:
                known[key] = self._of_one(spec, site, came, setting)
            params, work = params + known[key][0], work + known[key][1]
        return Arm(params, slot_words(where.sites), len(where.sites), work, where.replaced)

    def _where(self, spec: Spec) -> _Places:
        key = (spec.replaces_conv, spec.place)
        if key not in self._places:
            places.require_maps(self.model, self.traced)
            sites = places.find_sites(self.model, self.traced, spec, "auto")
            self._places[key] = self._with_stand_ins(spec, sites)
        return self._places[key]

    def _with_stand_ins(self, spec: Spec, sites: list[places.Site]) -> _Places:
        runs: list[tuple[Trace, Work]] = []

        def run(model: nn.Module, size: tuple[int, int, int]) -> Trace:
            with Counter() as counted:
                again = trace(model, size)
            runs.append((again, counted.work))
            return again

        modules = [StandIn().eval() for _ in sites]
        with unchanged(self.model):
            paths, replaced = put(self.model, spec, sites, modules, self.traced, run)
            params = parameters(self.model)
        again, work = runs[-1]
        maps = [again.input(path) for path in paths]
        if any(came is None for came in maps) or not same_shapes(self.traced, again):
            raise Unusual("a stand-in changed what the backbone does")
        return _Places(sites, [m for m in maps if m is not None], replaced, params, work)

    def _replaced_shape(self, spec: Spec, site: places.Site) -> Any:
        """What decides a module's size where it replaces a convolution."""
        if not spec.replaces_conv:
            return None
        conv = self.model.get_submodule(site.path)
        assert isinstance(conv, nn.Conv2d)
        shape = (conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride)
        return (*shape, conv.dilation, conv.groups, site.map.shape)

    def _of_one(
        self, spec: Spec, site: places.Site, came: Tensor, setting: dict[str, Any]
    ) -> tuple[int, Work]:
        """Parameters and work of the module at one place, built and run on what comes there."""
        with Counter():
            module = build_at(self.model, site, spec, setting)
        try:
            with torch.no_grad(), Counter() as counted:
                out = module(came)
        except Exception as error:
            raise Unusual(f"{spec.name} does not run: {error}") from error
        expected = site.map.shape if spec.replaces_conv else came.shape
        if not isinstance(out, Tensor) or out.shape != expected or out.dtype != came.dtype:
            raise Unusual(f"{spec.name} changes the shape")
        return parameters(module), counted.work


class StandIn(nn.Module):
    """Hands on its input, in the place of a module."""

    def forward(self, x: Tensor) -> Tensor:
        return x


@lru_cache(maxsize=4)
def bare(backbone: str) -> Bare:
    """The backbone, kept for the next module of the same one."""
    return Bare(backbone)


def built(backbone: str) -> nn.Module:
    """The architecture on the meta device in eval mode."""
    import timm

    models.register()
    with torch.device("meta"), Counter():  # which remembers what drawing a weight gives there
        return timm.create_model(backbone).eval()


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def same_shapes(before: Trace, after: Trace) -> bool:
    """Whether every module that ran both times gave the same shape."""
    return not any(changed_shapes(before, after))


def changed_shapes(before: Trace, after: Trace) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Paths whose first output changed its shape, with both outputs."""
    for path in before.index.keys() & after.index.keys():
        one, other = before.output(path), after.output(path)
        if one is not None and other is not None and one.shape != other.shape:
            yield path, one, other


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Undo, at the end, what `attn.plug` does to a model: children, attributes and hooks."""
    kept = ("_modules", "_parameters", "_forward_hooks")
    before = [
        (module, dict(vars(module)), [dict(vars(module)[name]) for name in kept])
        for module in model.modules()
    ]
    try:
        yield
    finally:
        for module, attributes, tables in before:
            vars(module).clear()
            vars(module).update(attributes)
            for name, table in zip(kept, tables, strict=True):
                attributes[name].clear()
                attributes[name].update(table)


def by_plugging(backbone: str, module: str, variant: str) -> tuple[nn.Module, str, int]:
    """The longer way: the plugged model on the meta device, the slot's words and the number put."""
    model = built(backbone)
    if module == "none":
        return model, "", 0
    options = attn.parse_options(variant)
    report = attn.plug(model, module, per_stage=options.pop("per_stage", None), **options)
    return model.eval(), report.slot, report.inserted
