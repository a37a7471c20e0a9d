"""Put an attention module into a timm backbone after it has been built.

The backbone comes first, so its weights are the same for every module under one seed, and
pretrained weights load strictly. The model is then run once on the meta device, which tells the
place, the channels and the order of every candidate; `attn.slots` says which place a block class
has. A second meta run proves that each inserted module is reached exactly once.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import timm
import torch
from torch import nn

from attn.insert import build_at, put, require_shape
from attn.places import Site, find_sites, require_maps, stage_indices
from attn.registry import (
    BARE,
    Spec,
    allowed_options,
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
    `replaced`: gates that were there, or for SK convolutions, that made room.
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
      a residual block, on the expanded features of a mobile block. A gate in that place (the SE
      of RegNetY, EfficientNet, MobileNetV3, or what an earlier `plug` put there) is removed with
      its weights, and blocks of the same class that
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

    New parameters are trainable, whatever of the model is frozen; an optimiser, an average of the
    weights, DDP and `torch.compile` come after `plug`. Where a place is a norm (DLA, ResNeSt, the
    last stage of DenseNet) convert norms to SyncBatchNorm or freeze them before: a conversion makes
    new norms, and what hangs on the old ones is lost. `executed` counts the modules that are run.
    For SK plug first, as the norms that it brings have to be converted or frozen too.

    Warns where one module goes behind the last map for want of blocks and stages that are known,
    and where a stage gives no map.

    Raises ValueError for a backbone without NCHW feature maps or without such places, for an
    unknown `at`, for a `per_stage` of the wrong length, for a module that does not keep the shape
    of its map, and for SK before a frozen norm (plug first); TypeError for an unknown option and
    for arguments of another type.
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
            require_shape(spec, site, module, traced)
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


def _count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
