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

from benchmarks import models
from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.provenance import versions

if TYPE_CHECKING:
    from torch import nn

    from attn.trace import Trace
    from benchmarks.meta import Bare

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


class CoverageBenchmark(Benchmark):
    """Where each module goes in every architecture of timm that is not a transformer."""

    name = "coverage"
    title = "Which timm architectures take the modules"
    code = (
        *models.PLUGGING,
        "benchmarks/coverage.py",
        "benchmarks/elementwise.py",
        "benchmarks/meta.py",
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
        from attn.trace import family
        from benchmarks.meta import bare

        short = bare(cells[0].backbone)
        about = {
            "family": family_file(cells[0].backbone),
            "kind": family(short.model, short.traced).kind,
            "input_size": short.traced.input_size[1],
            "params": short.arm.params,
        }
        for cell in cells:
            try:
                yield cell, {**about, **_covered(short, cell)}
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


def _covered(short: Bare, cell: Cell) -> dict[str, Any]:
    """Where the module goes and that it runs, the short way where that applies."""
    import attn
    from benchmarks.meta import Unusual

    try:
        arm = short.plugged(cell.module, attn.parse_options(cell.variant))
    except Unusual:
        return by_plugging(copy.deepcopy(short.model), cell, short.traced)
    return {
        "params_added": arm.params - short.arm.params,
        "slot": arm.slot,
        "inserted": arm.inserted,
        "executed": arm.inserted,
        "replaced": arm.replaced,
    }


def by_plugging(model: nn.Module, cell: Cell, bare: Trace) -> dict[str, Any]:
    """The same the longer way: plug the module in, in place, and run the whole model.

    RuntimeError if a module does not run, or if the output of any other changed its shape.
    """
    import attn
    from attn.trace import trace
    from benchmarks.elementwise import Counter
    from benchmarks.meta import changed_shapes

    options = attn.parse_options(cell.variant)
    with Counter(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # large attention maps: nothing is allocated
        report = attn.plug(model, cell.module, per_stage=options.pop("per_stage", None), **options)
        traced = trace(model, bare.input_size)
    executed = sum(traced.count.get(path, 0) for path in report.where)
    if report.inserted == 0 or executed != report.inserted:
        raise RuntimeError(f"{report.inserted} modules inserted, but {executed} executed")
    for path, before, after in changed_shapes(bare, traced):
        if not path.startswith(tuple(f"{put}." for put in report.where)):
            shapes = f"{tuple(before.shape)} became {tuple(after.shape)}"
            raise RuntimeError(f"the output of {path!r} changed its shape: {shapes}")
    return {
        "params_added": report.params_added,
        "slot": report.slot,
        "inserted": report.inserted,
        "executed": executed,
        "replaced": report.replaced,
    }
