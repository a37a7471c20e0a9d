"""Cost: what a module adds to a backbone, counted for one image, without timing anything.

Exact and the same on every machine: parameters and the work of one forward pass in eval mode.
Multiply-adds come from torch's counter on the meta device. fvcore's total stands beside them
because papers cite it: it adds batch normalisation and pooling and leaves out the operators that
`fvcore_uncounted` lists. Element-wise operations and bytes follow the conventions of `elementwise`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from benchmarks.cells import Benchmark, Cell, Column, Selection, choose
from benchmarks.elementwise import Work, count
from benchmarks.provenance import versions

if TYPE_CHECKING:
    from torch import nn

BACKBONES = (
    "resnet18",
    "resnet50",
    "resnext50_32x4d",
    "mobilenetv2_100",
    "mobilenetv3_large_100",
    "efficientnet_b0",
    "regnetx_004",
    "convnext_tiny",
)
"""The backbones of every table of costs."""

IMAGE_SIZE = 224

SMALL = {"resnet10_small": 28}
"""Nets for small images and their input size: what the trained benchmarks train."""

ABLATIONS = (
    ("se", "reduction=8"),
    ("se", "reduction=32"),
    ("se", "bias=False"),
    ("cbam", "kernel_size=3"),
    ("cbam", "spatial=None"),
    ("sk", "share=True"),
    ("pam", "reduction=1"),
    ("danet", "reduction=1"),
    ("eca", "kernel_size='adaptive'"),
    ("eca", "per_stage={'kernel_size':(3,5,5,7)}"),
    ("coord", "reduction=16"),
    ("coord", "axes='height'"),
)
"""Variants that the papers compare, measured on one backbone by the suite `cpu`."""

ABLATED = "resnet50"


@dataclass(frozen=True)
class Cost:
    """Parameters, where the module went, and the work for one image."""

    params: int
    slot: str
    inserted: int
    work: Work


class CostBenchmark(Benchmark):
    """Parameters, multiply-adds, element-wise operations and bytes of every arm."""

    name = "cost"
    title = "Parameters, multiply-adds and memory traffic"
    code = (
        "attn/arguments.py",
        "benchmarks/backbones.py",
        "benchmarks/cost.py",
        "benchmarks/elementwise.py",
        "attn/places.py",
        "attn/plug.py",
        "attn/registry.py",
        "attn/slots.py",
        "attn/trace.py",
    )
    default_seconds = 1.0
    columns = (
        Column("slot", "string", "", "where the module was placed"),
        Column("inserted", "integer", "", "modules placed in the backbone"),
        Column("params", "integer", "", "parameters of the whole model, its classifier included"),
        Column("params_added", "integer", "", "parameters more than the bare backbone"),
        Column("macs", "integer", "MAC", "multiply-adds of convolution, matmul and attention"),
        Column("macs_added", "integer", "MAC", "multiply-adds more than the bare backbone"),
        Column("fvcore_flops", "integer", "flop", "fvcore's own total"),
        Column("fvcore_uncounted", "string", "", "operators fvcore did not count, with calls"),
        Column("elementwise_ops", "integer", "op", "operations of all other operators"),
        Column("elementwise_ops_added", "integer", "op", "the same, more than the bare backbone"),
        Column("elementwise_bytes", "integer", "B", "read and written by all other operators"),
        Column("elementwise_bytes_added", "integer", "B", "more than the bare backbone"),
        Column("matmul_bytes", "integer", "B", "read and written by the multiplying operators"),
        Column("activations", "integer", "", "elements that the multiplying operators write"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        if want.suite not in ("quick", "cpu"):
            return
        backbones = want.backbones or (*BACKBONES, *SMALL)
        arms = [(backbone, arm) for backbone in backbones for arm in want.arms()]
        if want.suite == "cpu" and want.modules is None and ABLATED in backbones:
            arms += [(ABLATED, arm) for arm in ABLATIONS]
        for backbone, (module, variant) in arms:
            size = SMALL.get(backbone, IMAGE_SIZE)
            yield Cell(self.name, backbone, module, variant, device="meta", image_size=size)

    def configuration(self, cell: Cell) -> Any:
        """The libraries that build and count: another release may do either differently."""
        return versions("timm", "torch")

    def check(self, cells: Sequence[Cell]) -> None:
        import timm

        from benchmarks import backbones  # noqa: F401  registers the small-image nets with timm

        for backbone in {cell.backbone for cell in cells}:
            choose(backbone, timm.list_models(), "backbone")

    def measure(self, cell: Cell) -> dict[str, Any]:
        model, slot, inserted = plugged(cell.backbone, cell.module, cell.variant)
        cost = measured(model, slot, inserted, cell.image_size)
        bare = _bare(cell.backbone, cell.image_size)
        flops, uncounted = fvcore_total(model, cell.image_size)
        return {
            "slot": cost.slot,
            "inserted": cost.inserted,
            "params": cost.params,
            "params_added": cost.params - bare.params,
            "macs": cost.work.macs,
            "macs_added": cost.work.macs - bare.work.macs,
            "fvcore_flops": flops,
            "fvcore_uncounted": uncounted,
            "elementwise_ops": cost.work.elementwise,
            "elementwise_ops_added": cost.work.elementwise - bare.work.elementwise,
            "elementwise_bytes": cost.work.elementwise_bytes,
            "elementwise_bytes_added": cost.work.elementwise_bytes - bare.work.elementwise_bytes,
            "matmul_bytes": cost.work.matmul_bytes,
            "activations": cost.work.activations,
        }


def plugged(backbone: str, module: str, variant: str) -> tuple[nn.Module, str, int]:
    """The model on the meta device in eval mode, the slot's name and the number inserted."""
    import timm
    import torch

    import attn
    from benchmarks import backbones  # noqa: F401  registers the small-image nets with timm

    with torch.device("meta"):
        model = timm.create_model(backbone).eval()
    if module == "none":
        return model, "", 0
    options = attn.parse_options(variant)
    report = attn.plug(model, module, per_stage=options.pop("per_stage", None), **options)
    return model.eval(), report.slot, report.inserted


def measured(model: nn.Module, slot: str, inserted: int, image_size: int | None) -> Cost:
    """The cost of a model that lies on the meta device, for one image."""
    import torch

    params = sum(p.numel() for p in model.parameters())
    image = torch.empty(_shape(model, image_size), device="meta")
    return Cost(params, slot, inserted, count(model, image))


def _shape(model: Any, image_size: int | None) -> tuple[int, int, int, int]:
    size = image_size or IMAGE_SIZE
    return 1, model.pretrained_cfg["input_size"][0], size, size


@lru_cache(maxsize=8)
def _bare(backbone: str, image_size: int | None) -> Cost:
    return measured(*plugged(backbone, "none", ""), image_size)


def fvcore_total(model: nn.Module, image_size: int | None) -> tuple[int, str]:
    """fvcore's total for one image and what it left out, as `"add 16; mul 16"`.

    fvcore traces a real forward pass, so the meta model is given zeros for weights, in place.
    """
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # fvcore scripts functions at import
        from fvcore.nn import FlopCountAnalysis

    model.to_empty(device="cpu")
    for tensor in model.state_dict().values():
        tensor.zero_()
    analysis = FlopCountAnalysis(model, torch.zeros(_shape(model, image_size)))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with torch.no_grad():
        total = int(analysis.tracer_warnings("none").total())
    calls = {name.removeprefix("aten::"): n for name, n in analysis.unsupported_ops().items()}
    return total, "; ".join(f"{name} {calls[name]}" for name in sorted(calls))
