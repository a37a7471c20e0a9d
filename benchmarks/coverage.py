"""Coverage: into which timm architectures a module goes, where, and why not.

Everything happens on the meta device: the architecture is built, the module plugged in at its
default place, and one forward pass shows that every inserted module runs and that no map changed
its shape. A row that fails says why.

Which architectures count: every one of timm whose file is not in `EXCLUDED`. Those files hold
networks that mix positions by attention, MLP, recurrence or state space in every stage, or that
have no feature maps at all. What is left is measured, and the column `kind` says what was found:
`convolutional`, or `hybrid` for convolutions with some attention between positions (global
context blocks are seen as that too). An architecture without a single row that succeeded is
counted as convolutional, so that a failure never leaves the share.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.cells import Benchmark, Cell, Column, Selection, choose
from benchmarks.provenance import versions

if TYPE_CHECKING:
    from torch import nn

    from attn.trace import Trace

_TOKENS = "transformer on a sequence of tokens"
_WINDOWS = "transformer: attention in every stage"
_MIXER = "mixes tokens by MLPs"

EXCLUDED = {
    "beit": _TOKENS,
    "cait": _TOKENS,
    "coat": _TOKENS,
    "convit": _TOKENS,
    "crossvit": _TOKENS,
    "davit": _WINDOWS,
    "deepseek_vit": _TOKENS,
    "deit": _TOKENS,
    "efficientformer": "transformer on tokens in its last stage",
    "efficientvim": "mixes tokens by a state space",
    "efficientvit_msra": _WINDOWS,
    "eva": _TOKENS,
    "gcvit": _WINDOWS,
    "gemma4_vit": _TOKENS,
    "hiera": _TOKENS,
    "hieradet_sam2": _WINDOWS,
    "levit": _WINDOWS,
    "mlp_mixer": _MIXER,
    "mvitv2": _TOKENS,
    "naflexvit": _TOKENS,
    "nest": _WINDOWS,
    "pit": _TOKENS,
    "pvt_v2": _WINDOWS,
    "qwen3_vit": _TOKENS,
    "sequencer": "mixes tokens by an LSTM",
    "swin_transformer": _WINDOWS,
    "swin_transformer_v2": _WINDOWS,
    "swin_transformer_v2_cr": _WINDOWS,
    "tnt": _TOKENS,
    "twins": _WINDOWS,
    "vision_transformer": _TOKENS,
    "vision_transformer_hybrid": "transformer on tokens from a convolutional stem",
    "vision_transformer_relpos": _TOKENS,
    "vision_transformer_sam": _TOKENS,
    "visformer": _WINDOWS,
    "vitamin": "transformer on tokens from a convolutional stem",
    "volo": _TOKENS,
    "xcit": _TOKENS,
}
"""Files of timm's models that are left out, and why."""

HYBRIDS = frozenset(
    (
        *("byoanet", "cpubone", "csatv2", "edgenext", "efficientformer_v2", "efficientvit_mit"),
        *("fastvit", "iformer", "lowformer", "maxxvit", "mobilevit"),
        *("mobilenetv5", "nextvit", "shvit", "swiftformer", "tiny_vit"),
    )
)
"""Files that hold hybrids: measured after everything else."""

SAMPLE = (
    "resnet18",
    "mobilenetv2_100",
    "mobilenetv3_small_100",
    "efficientnet_b0",
    "regnety_002",
    "convnext_atto",
    "densenet121",
    "vgg11_bn",
    "repvgg_a0",
    "ese_vovnet19b_dw",
    "darknet53",
    "hrnet_w18_small",
)
"""One architecture of each of a dozen kinds, for the suite `quick`."""

POINTWISE = frozenset(
    ("elu", "gelu", "hardsigmoid", "hardswish", "leaky_relu", "mish")
    + ("relu", "sigmoid", "silu", "softplus", "tanh")
)
"""Operators that give each element of their input a new value."""


class CoverageBenchmark(Benchmark):
    """Where each module goes in every architecture of timm that is not a transformer."""

    name = "coverage"
    title = "Which timm architectures take the modules"
    code = (
        "attn/arguments.py",
        "benchmarks/coverage.py",
        "attn/places.py",
        "attn/plug.py",
        "attn/registry.py",
        "attn/slots.py",
        "attn/trace.py",
    )
    plugs = False
    default_seconds = 0.7
    limit_seconds = 120.0
    columns = (
        Column("family", "string", "", "file of timm that defines the architecture"),
        Column("kind", "string", "", "convolutional, or hybrid with attention between positions"),
        Column("input_size", "integer", "px", "height and width of the input"),
        Column("params", "integer", "", "parameters of the bare architecture"),
        Column("params_added", "integer", "", "parameters more than the bare architecture"),
        Column("slot", "string", "", "where in its block or stage the module was placed"),
        Column("inserted", "integer", "", "modules placed"),
        Column("executed", "integer", "", "modules that one forward pass ran"),
        Column("replaced", "integer", "", "built-in gates or convolutions that made room"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        if want.suite not in ("quick", "cpu"):
            return
        for backbone in want.backbones or (SAMPLE if want.suite == "quick" else architectures()):
            for module, variant in want.arms():
                if module != "none":
                    yield Cell(self.name, backbone, module, variant, device="meta")

    def configuration(self, cell: Cell) -> Any:
        """The libraries that build and count: another release may do either differently."""
        return versions("timm", "torch")

    def check(self, cells: Sequence[Cell]) -> None:
        import timm

        for backbone in {cell.backbone for cell in cells}:
            choose(backbone, timm.list_models(), "backbone")

    def group(self, cell: Cell) -> Hashable:
        return cell.backbone

    def measure(self, cell: Cell) -> dict[str, Any]:
        ((_, result),) = self.measure_group([cell])
        if isinstance(result, Exception):
            raise result
        return result

    def measure_group(
        self, cells: Sequence[Cell]
    ) -> Iterator[tuple[Cell, dict[str, Any] | Exception]]:
        from attn.trace import family, trace

        model = _built(cells[0].backbone)
        with _shapes_only():
            traced = trace(model)
        bare = {
            "family": family_file(cells[0].backbone),
            "kind": family(model, traced).kind,
            "input_size": traced.input_size[1],
            "params": sum(p.numel() for p in model.parameters()),
        }
        for cell in cells:
            try:
                yield cell, {**bare, **_plugged(copy.deepcopy(model), cell, traced)}
            except Exception as error:
                yield cell, error


def architectures() -> list[str]:
    """Names of timm's architectures outside `EXCLUDED`, hybrids last."""
    import timm

    names = [n for n in timm.list_models() if timm.model_entrypoint(n).__module__[:5] == "timm."]
    names = [name for name in names if family_file(name) not in EXCLUDED]
    return sorted(names, key=lambda name: (family_file(name) in HYBRIDS, name))


def family_file(backbone: str) -> str:
    """The file of timm's models that defines an architecture, `"resnet"` for `"resnet50"`."""
    import timm

    return timm.model_entrypoint(backbone).__module__.rpartition(".")[2]


def _built(backbone: str) -> nn.Module:
    import timm
    import torch

    with torch.device("meta"):
        return timm.create_model(backbone).eval()


def _plugged(model: nn.Module, cell: Cell, bare: Trace) -> dict[str, Any]:
    """Plug in one module, in place; RuntimeError if it does not run or changes a shape."""
    import attn
    from attn.trace import trace

    options = attn.parse_options(cell.variant)
    with _shapes_only(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # large attention maps: nothing is allocated
        report = attn.plug(model, cell.module, per_stage=options.pop("per_stage", None), **options)
        traced = trace(model, bare.input_size)
    executed = sum(traced.count.get(path, 0) for path in report.where)
    if report.inserted == 0 or executed != report.inserted:
        raise RuntimeError(f"{report.inserted} modules inserted, but {executed} executed")
    _require_equal_shapes(bare, traced, report.where)
    return {
        "params_added": report.params_added,
        "slot": report.slot,
        "inserted": report.inserted,
        "executed": executed,
        "replaced": report.replaced,
    }


def _shapes_only() -> Any:
    """A mode in which operators that keep their input's shape are not worked out on meta.

    torch decomposes them in Python there, which is two thirds of the time of a forward pass.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class ShapesOnly(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
        ) -> Any:
            name = func.overloadpacket.__name__
            if name in POINTWISE:
                return torch.empty_like(args[0])
            if name.removesuffix("_") in POINTWISE:
                return args[0]
            if name == "native_layer_norm":
                return torch.empty_like(args[0]), args[0].new_empty(0), args[0].new_empty(0)
            if name == "native_batch_norm":
                x, weight = args[0], args[1]
                if weight is not None and weight.numel() != x.shape[1]:
                    raise RuntimeError(f"a norm of {weight.numel()} channels got {x.shape[1]}")
                return torch.empty_like(x), x.new_empty(0), x.new_empty(0)
            return func(*args, **(kwargs or {}))

    return ShapesOnly()


def _require_equal_shapes(bare: Trace, traced: Trace, where: tuple[str, ...]) -> None:
    inside = tuple(f"{path}." for path in where)
    for path in bare.index.keys() & traced.index.keys():
        before, after = bare.output(path), traced.output(path)
        if before is None or after is None or path.startswith(inside):
            continue
        if before.shape != after.shape:
            shapes = f"{tuple(before.shape)} became {tuple(after.shape)}"
            raise RuntimeError(f"the output of {path!r} changed its shape: {shapes}")
