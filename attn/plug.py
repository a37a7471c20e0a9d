"""Put an attention module into a timm backbone after it has been built.

The backbone comes first, so its weights are the same for every module under one seed, and
pretrained weights load strictly. The model is then run once on the meta device, which tells the
place, the channels and the order of every candidate; `attn.slots` says which place a block class
has. A second meta run proves that each inserted module is reached exactly once.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import timm
import torch
from torch import Tensor, nn

from attn.places import (
    Site,
    find_sites,
    is_gate,
    require_maps,
    stage_indices,
    submodule,
)
from attn.registry import (
    BARE,
    Spec,
    allowed_options,
    build,
    check_options,
    did_you_mean,
    get,
    is_builtin,
)
from attn.trace import Trace, name_of, trace

# One position-attention map of one image, float32; above this `plug` warns.
LARGE_MAP_MIB = 16.0


@dataclass(frozen=True)
class Report:
    """What `plug` did.

    `slot`: the attribute or place that was used (`"se"`, `"drop_path"`, `"bn3"`, `"stages"`, ...).
    `where`: the path of each inserted module in `model.named_modules()`, in order of execution.
    `replaced`: built-in gates, or for SK convolutions, that made room.
    `params_added`: parameters after minus before; negative where a larger gate was replaced.
    """

    backbone: str
    module: str
    slot: str
    where: tuple[str, ...]
    inserted: int
    replaced: int
    params_added: int


def create_model(
    backbone: str,
    module: str = BARE,
    *,
    options: Mapping[str, Any] | None = None,
    per_stage: Mapping[str, Sequence[Any]] | None = None,
    at: str | Sequence[str] = "auto",
    input_size: tuple[int, int, int] | None = None,
    device: torch.device | str | None = None,
    **timm_kwargs: Any,
) -> nn.Module:
    """`timm.create_model(backbone, **timm_kwargs)` with `module` plugged in; `"none"` is bare.

    `options` go to every module; `per_stage` may also be a key of it, as `parse_options` gives;
    `input_size` is that of `plug`, whose report says where the modules went. A `checkpoint_path`
    among `timm_kwargs` is of the bare backbone; `load_state_dict` of the result takes its own.
    Weights are drawn on the CPU and then moved, so one seed means one initialisation on every
    device. Raises ValueError for an unknown backbone or module, and as `plug` does.
    """
    if isinstance(options, str):
        raise TypeError(f"options={options!r}; give a mapping, as attn.parse_options(...) makes it")
    options = dict(options or {})
    per_stage = options.pop("per_stage", None) if per_stage is None else per_stage
    if module != BARE:
        check_options(get(module), {**options, **(per_stage or {})})
    elif options or per_stage:
        raise ValueError(f"the bare backbone (module {BARE!r}) takes no options: {options}")
    if ":" not in backbone and not timm.is_model(backbone):
        hint = did_you_mean(backbone, timm.list_models())
        raise ValueError(f"timm has no backbone {backbone!r}{hint or ' (see timm.list_models())'}")
    on_meta = device is not None and torch.device(device).type == "meta"
    with torch.device("meta") if on_meta else nullcontext():
        try:
            model = timm.create_model(backbone, **timm_kwargs)
        except TypeError as error:
            mine = () if module == BARE else allowed_options(get(module)) or ()
            if not (words := [f"{name!r}: ..." for name in timm_kwargs if name in mine]):
                raise
            here = f"options of module {module!r} are given as options={{{', '.join(words)}}}"
            raise TypeError(f"{error}; {here}") from error
    if module != BARE:
        plug(model, module, at=at, per_stage=per_stage, input_size=input_size, **options)
    return model if device is None else model.to(device)


def plug(
    model: nn.Module,
    name: str,
    *,
    at: str | Sequence[str] = "auto",
    per_stage: Mapping[str, Sequence[Any]] | None = None,
    input_size: tuple[int, int, int] | None = None,
    **options: Any,
) -> Report:
    """Insert module `name` into `model`, in place, and say where.

    `at="auto"` is `"last_stage"` for PAM, CAM and DANet and `"blocks"` for the others, or
    `"stages"` in a backbone whose blocks have no place.

    - `"blocks"`: every block, at the place its class has in `attn.slots`: after the last norm of
      a residual block, on the expanded features of a mobile block. A built-in gate in that place
      (the SE of RegNetY, EfficientNet, MobileNetV3) is removed, and blocks of the same class that
      had none get the module too. A depthwise separable block, which expands nothing, gets one
      only where it had a gate or where there are no other blocks, so coordinate attention sits
      in 16 blocks of MobileNetV2 as in its official code.
    - `"stages"`, `"last_stage"`: after the stages of timm's `feature_info`, or the last of them.
    - a list of paths from `model.named_modules()`: the place of those blocks, or the output of
      any other module.

    SK replaces convolutions instead: those with an odd square kernel above 1 in the blocks, one
    a block where `attn.slots` says so, together with the BatchNorm and activation that follow.
    Stride and groups stay, the first branch is the old convolution with its weights, and the
    second the same with twice the dilation. A bias goes, and so does what a convolution of
    another class than `nn.Conv2d` does beside: standardised weights, other padding. `at` then says
    which blocks; `"stages"` is an error.

    `per_stage={"kernel_size": (3, 5, 5, 7)}` gives an option a value by stage. `input_size` is
    (channels, height, width) of the image that the places are found with, for a model built for
    another than its timm configuration names.

    Warns where one module goes behind the last map for want of blocks and stages that are known.

    Raises ValueError for a backbone without NCHW feature maps or without such places, for an
    unknown `at`, for a `per_stage` of the wrong length, and for a module that does not keep the
    shape of its map; TypeError for an unknown option and for arguments of another type.
    """
    spec = get(name)
    _require_plain(model, spec, input_size, {**options, **(per_stage or {})})
    check_options(spec, {**options, **(per_stage or {})})
    traced = trace(model, input_size)
    require_maps(model, traced)
    sites = find_sites(model, traced, spec, at)
    settings = site_settings(model, traced, sites, options, per_stage or {})
    if spec.quadratic:
        _warn_if_large(model, spec, sites, traced)

    before = _count_parameters(model)
    built = [build_at(model, s, spec, own) for s, own in zip(sites, settings, strict=True)]
    if not is_builtin(name):
        for site, module in zip(sites, built, strict=True):
            _require_shape(spec, site, module, traced)
    paths, replaced = put(model, spec, sites, built, traced)
    return Report(
        backbone=name_of(model),
        module=name,
        slot=slot_words(sites),
        where=paths,
        inserted=len(paths),
        replaced=replaced,
        params_added=_count_parameters(model) - before,
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


def executed(
    model: nn.Module, report: Report, input_size: tuple[int, int, int] | None = None
) -> int:
    """How many of the inserted modules one forward runs (on meta, so all in a moment)."""
    traced = trace(model, input_size)
    return sum(path in traced.index for path in report.where)


def slot_words(sites: list[Site]) -> str:
    words = sorted({site.slot for site in sites})
    return "+".join(words) if len(words) < 3 else "several"


def site_settings(
    model: nn.Module,
    traced: Trace,
    sites: list[Site],
    options: Mapping[str, Any],
    per_stage: Mapping[str, Sequence[Any]],
) -> list[dict[str, Any]]:
    """The options of each site, with the values of its stage."""
    stages = stage_indices(model, traced, sites)
    for option, values in per_stage.items():
        if option in options:
            raise ValueError(f"option {option!r} is given both for all stages and per stage")
        listed = hasattr(values, "__len__") and not isinstance(values, str)
        if not listed or len(values) != max(stages) + 1:
            raise ValueError(
                f"per_stage {option!r}={values!r} must hold one value for each of the"
                f" {max(stages) + 1} stages of {name_of(model)} with a module"
            )
    return [
        {**options, **{option: values[stage] for option, values in per_stage.items()}}
        for stage in stages
    ]


def _warn_if_large(model: nn.Module, spec: Spec, sites: list[Site], traced: Trace) -> None:
    height, width = max((site.map.shape[2:] for site in sites), key=lambda size: size[0] * size[1])
    pixels = height * width
    mib = pixels**2 * 4 / 2**20
    if mib > LARGE_MAP_MIB:
        warnings.warn(
            f"{spec.name} in {name_of(model)} compares all pairs of pixels: at the input size"
            f" {traced.input_size} its largest map is {height} x {width}, so {pixels} x {pixels}"
            f" values, {mib:.0f} MiB in float32 per image; at='last_stage' is the paper's place",
            stacklevel=3,
        )


def _require_plain(
    model: nn.Module, spec: Spec, input_size: Any, options: Mapping[str, Any]
) -> None:
    """Raise TypeError for what can't be plugged, an image size that is none, SK's own shape."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"plug takes a model, not {model!r}; attn.create_model takes a name")
    wrapped = (torch.jit.ScriptModule, nn.DataParallel, nn.parallel.DistributedDataParallel)
    if isinstance(model, wrapped):
        raise TypeError(f"a {type(model).__name__} was given; plug the model first, then wrap it")
    three = isinstance(input_size, Sequence) and len(input_size) == 3
    if input_size is not None and not (three and all(isinstance(n, int) for n in input_size)):
        raise TypeError(f"input_size={input_size!r}; give (channels, height, width)")
    shape = [name for name in ("stride", "out_channels") if name in options]
    if spec.replaces_conv and shape:
        raise TypeError(
            f"module {spec.name!r} was asked for with {shape[0]}, which it takes from the"
            " convolution that it replaces; leave it out"
        )


def _require_shape(spec: Spec, site: Site, module: nn.Module, traced: Trace) -> None:
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


def _count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
