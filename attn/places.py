"""Where in a model a module can go, found from one meta run and the table of `attn.slots`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

from timm.layers import DropPath
from torch import Tensor, nn

from attn.registry import Spec, did_you_mean
from attn.slots import Slot, slot_of
from attn.trace import Trace, family, is_nchw, last_map, name_of, stage_outputs

WHERE = ("auto", "blocks", "stages", "last_stage")
CHILD = "attn"


@dataclass(frozen=True)
class Site:
    """A place for one module. `order` is the position of its map among the traced calls."""

    path: str
    slot: str
    map: Tensor
    order: int
    appended: bool = False
    absorbed: tuple[str, ...] = ()


def find_sites(model: nn.Module, traced: Trace, spec: Spec, at: str | Sequence[str]) -> list[Site]:
    if isinstance(at, str) and at not in WHERE:
        raise ValueError(f"at={at!r}; allowed: {', '.join(WHERE)}, or a list of module paths")
    if not isinstance(at, str | Sequence) or not all(isinstance(path, str) for path in at):
        raise TypeError(f"at={at!r}; allowed: {', '.join(WHERE)}, or a list of module paths")
    if spec.replaces_conv:
        sites = _conv_sites(model, traced, at, spec)
    elif not isinstance(at, str):
        sites = [_site_at(model, traced, path) for path in dict.fromkeys(at)]
    elif at == "last_stage" or (at == "auto" and spec.place == "last_stage"):
        sites = _stage_sites(model, traced)[-1:]
        if not getattr(model, "feature_info", None):
            warnings.warn(
                f"{name_of(model)} has no stages in a feature_info of timm's: the module goes"
                " behind its last map. Of a model that wraps a backbone plug the backbone, or pass"
                " at=[a path from model.named_modules()]",
                stacklevel=3,
            )
        sites = [Site(s.path, "last_stage", s.map, s.order, s.appended) for s in sites]
    else:
        sites = [] if at == "stages" else _block_sites(model, traced)
        if not sites and at != "blocks":
            sites = _stage_sites(model, traced)
            _warn_of_few(model, traced, sites)
    if not sites:
        hint = "use at='stages' or a list of paths from model.named_modules()"
        if spec.replaces_conv:
            hint = "it replaces convolutions with an odd square kernel above 1 and same padding"
        raise ValueError(
            f"{name_of(model)} has no place for module {spec.name!r} with at={at!r}; {hint}"
        )
    return sorted(sites, key=lambda site: site.order)


def _block_sites(model: nn.Module, traced: Trace) -> list[Site]:
    major: list[Site] = []
    minor: list[Site] = []
    for path, block in model.named_modules():
        site = _block_site(path, block, traced)
        if site is None:
            continue
        slot = slot_of(block)
        yields = slot is not None and slot.minor and not is_gate(submodule(model, site.path))
        (minor if yields else major).append(site)
    return major or minor


def _block_site(path: str, block: nn.Module, traced: Trace) -> Site | None:
    slot = slot_of(block)
    if slot is None:
        if not isinstance(getattr(block, "drop_path", None), nn.Module):
            return None
        slot = Slot(("drop_path",))
    prefix = f"{path}." if path else ""
    if slot.after:
        inner = path if slot.after == "." else prefix + slot.after
        return _appended(inner, "block" if slot.after == "." else slot.after, traced)
    names = [name for name in slot.names if hasattr(block, name)]
    if not names:
        return None
    name = next((name for name in names if is_gate(getattr(block, name))), names[0])
    place = prefix + name
    if place in traced.index:
        tensor, order = traced.input(place), traced.index[place]
        if traced.count[place] > 1:
            return None
    else:
        fed = [prefix + feed for feed in slot.feeds if prefix + feed in traced.index]
        if not fed:
            return None
        tensor, order = traced.output(fed[-1]), traced.index[fed[-1]]
    if tensor is None or not is_nchw(tensor, traced.input_size):
        return None
    return Site(place, name, tensor, order)


def _stage_sites(model: nn.Module, traced: Trace) -> list[Site]:
    paths = stage_outputs(model, traced)
    last = last_map(model, traced)
    paths = paths or ([last] if last else [])
    sites = [_appended(_open_end(model, path, traced), "stages", traced) for path in paths]
    return [site for site in sites if site is not None]


def _warn_of_few(model: nn.Module, traced: Trace, sites: list[Site]) -> None:
    """Warn where neither blocks nor stages are known, so that there is one module in all.

    And where a stage of timm's `feature_info` gives no map that a module could take.
    """
    stages = stage_outputs(model, traced)
    if not stages:
        warnings.warn(
            f"{name_of(model)} has no block of a class that attn.slots knows and no stages in a"
            " feature_info of timm's: one module goes behind its last map. Blocks of your own take"
            " one each with at=[paths from model.named_modules()]",
            stacklevel=4,
        )
    elif len(sites) < len(stages):
        warnings.warn(
            f"{name_of(model)}: of its stages {', '.join(stages)} only {len(sites)} give one NCHW"
            " map; no module goes behind the others",
            stacklevel=4,
        )


def _open_end(model: nn.Module, path: str, traced: Trace) -> str:
    """`path`, or the layer that takes its output, if the module runs each child itself."""
    output = traced.output(path)
    if output is None or not isinstance(model.get_submodule(path), nn.ModuleDict | nn.ModuleList):
        return path
    for call in traced.calls[traced.index[path] + 1 :]:
        if call.input is output and call.output is not None and call.output.shape == output.shape:
            return call.path
    return path


def _site_at(model: nn.Module, traced: Trace, path: str) -> Site:
    block = _require_path(model, traced, path)
    site = _block_site(path, block, traced) or _appended(path, "output", traced)
    if site is None:
        shape = traced.output(path)
        raise ValueError(
            f"{name_of(model)}: {path!r} does not give one NCHW map"
            f" ({'no tensor' if shape is None else tuple(shape.shape)})"
        )
    return site


def _appended(path: str, slot: str, traced: Trace) -> Site | None:
    tensor = traced.output(path)
    if tensor is None or not is_nchw(tensor, traced.input_size):
        return None
    return Site(f"{path}.{CHILD}", slot, tensor, traced.index[path], appended=True)


def _conv_sites(model: nn.Module, traced: Trace, at: str | Sequence[str], spec: Spec) -> list[Site]:
    if at == "stages":
        raise ValueError(f"module {spec.name!r} replaces convolutions; at='stages' has none")
    regions = _conv_regions(model, traced)
    if not isinstance(at, str):
        for path in at:
            _require_path(model, traced, path)
        inside = [r for r in regions if any(_is_under(r, path) for path in at)]
        regions = [*inside, *(path for path in at if not any(_is_under(r, path) for r in inside))]
    ours = [p for p, m in model.named_modules() if type(m).__module__.startswith("attn.")]
    sites = [
        Site(
            path,
            path.rpartition(".")[2],
            output,
            traced.index[path],
        )
        for path, module in model.named_modules()
        if any(_is_under(path, region) for region in regions)
        and not any(_is_under(path, module_of_ours) for module_of_ours in ours)
        and isinstance(module, nn.Conv2d)
        and _is_replaceable(module, path, traced)
        and (output := traced.output(path)) is not None
    ]
    if at == "last_stage" and sites:
        stages = stage_indices(model, traced, sites)
        sites = [s for s, stage in zip(sites, stages, strict=True) if stage == max(stages)]
    return [replace(site, absorbed=_following(model, traced, site.path)) for site in sites]


def _conv_regions(model: nn.Module, traced: Trace) -> list[str]:
    """Paths that hold the convolutions to replace: the blocks, or all but the stem."""
    regions: list[str] = []
    for path, block in model.named_modules():
        slot = slot_of(block)
        if slot is not None and slot.convs:
            regions += [f"{path}.{conv}" for conv in slot.convs]
        elif slot is not None or _block_site(path, block, traced) is not None:
            regions.append(path)
    if regions:
        return regions
    convs = [p for p, m in model.named_modules() if isinstance(m, nn.Conv2d) and p in traced.index]
    convs.sort(key=traced.index.__getitem__)
    return [path for path in convs[1:] if "stem" not in path]


def _is_replaceable(conv: nn.Conv2d, path: str, traced: Trace) -> bool:
    kernel, stride, dilation = conv.kernel_size, conv.stride, conv.dilation
    source, output = traced.input(path), traced.output(path)
    size = traced.input_size
    if traced.count.get(path) != 1 or not is_nchw(source, size) or not is_nchw(output, size):
        return False
    assert source is not None and output is not None
    square = len({*kernel}) == len({*stride}) == len({*dilation}) == 1
    return (
        square
        and kernel[0] > 1
        and kernel[0] % 2 == 1
        and output.shape[2] == -(-source.shape[2] // stride[0])
    )


def _following(model: nn.Module, traced: Trace, path: str) -> tuple[str, ...]:
    """Paths of the BatchNorm, and the activation after it, that a convolution alone feeds.

    SK's branches have their own, and its sum has none (SKNet, section 3.1 and prototxt).
    """
    current = traced.output(path)
    absorbed: list[str] = []
    for call in traced.calls[traced.index[path] + 1 :]:
        if call.input is not current:
            continue
        module = model.get_submodule(call.path)
        if isinstance(module, nn.Identity):
            continue
        if type(module).__name__.startswith("FrozenBatchNorm"):
            raise ValueError(
                f"{name_of(model)}: {call.path!r} is frozen, and a module that takes the place of"
                f" {path!r} brings a norm that is not; plug first, then freeze the norms"
            )
        norm = isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm) and not absorbed
        activation = bool(absorbed) and _is_activation(module)
        if traced.count[call.path] > 1 or not (norm or activation):
            break
        absorbed.append(call.path)
        current = call.output
        if activation:
            break
    return tuple(absorbed)


def _is_activation(module: nn.Module) -> bool:
    files = ("torch.nn.modules.activation", "timm.layers.activations")
    return type(module).__module__.startswith(files) and not list(module.parameters())


def stage_indices(model: nn.Module, traced: Trace, sites: Sequence[Site]) -> list[int]:
    """The stage of each site, counted from 0 over the stages that have a site.

    A stage is an entry of timm's `feature_info`; without that, a size of the map.
    """
    ends = [traced.index[path] for path in stage_outputs(model, traced)]
    if ends:
        levels = [sum(end < site.order for end in ends) for site in sites]
    else:
        levels = [-site.map.shape[2] for site in sites]
    ranks = {level: rank for rank, level in enumerate(sorted(set(levels)))}
    return [ranks[level] for level in levels]


def require_maps(model: nn.Module, traced: Trace) -> None:
    """Raise ValueError for a backbone whose last stage is not an NCHW map."""
    found = family(model, traced)
    if found.kind in ("tokens", "channels_last"):
        raise ValueError(
            f"backbone {name_of(model)} has no NCHW feature maps, which the modules take:"
            f" {found.reason}; choose a convolutional backbone, such as resnet50,"
            " mobilenetv2_100 or convnext_tiny"
        )


def is_gate(module: nn.Module | None) -> bool:
    """Whether a slot holds something that a new module would remove."""
    return module is not None and not isinstance(module, nn.Identity | nn.Dropout | DropPath)


def submodule(model: nn.Module, path: str) -> nn.Module | None:
    """The module at a path whose last name may be missing or None."""
    parent, _, name = path.rpartition(".")
    return getattr(model.get_submodule(parent), name, None)


def _is_under(path: str, region: str) -> bool:
    return not region or path == region or path.startswith(f"{region}.")


def _require_path(model: nn.Module, traced: Trace, path: str) -> nn.Module:
    named = dict(model.named_modules())
    if path not in named:
        raise ValueError(
            f"{name_of(model)} has no module {path!r}{did_you_mean(path, list(named))}"
        )
    if path not in traced.index:
        raise ValueError(f"{name_of(model)} does not call module {path!r} in its forward")
    return named[path]
