"""Cost: what a module adds to a backbone, counted for one image, without timing anything.

Exact and the same on every machine: parameters and the work of one forward pass in eval mode.
Multiply-adds come from torch's formulas on the meta device (`meta` says how). fvcore's total
stands beside them because papers cite it: it adds batch normalisation and pooling and leaves out
the operators that `fvcore_uncounted` lists. Element-wise operations and bytes follow the
conventions of `elementwise`.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any

from benchmarks import models
from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.provenance import versions

if TYPE_CHECKING:
    from torch import nn

    from benchmarks.meta import Arm

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


class CostBenchmark(Benchmark):
    """Parameters, multiply-adds, element-wise operations and bytes of every arm."""

    name = "cost"
    title = "Parameters, multiply-adds and memory traffic"
    code = (
        *models.PLUGGING,
        "benchmarks/backbones.py",
        "benchmarks/cost.py",
        "benchmarks/elementwise.py",
        "benchmarks/meta.py",
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

    def group(self, cell: Cell) -> Hashable:
        return cell.backbone, cell.image_size

    def measure(self, cell: Cell) -> dict[str, Any]:
        from benchmarks.meta import by_plugging

        model, _, _ = by_plugging(cell.backbone, cell.module, cell.variant)
        flops, uncounted = fvcore_total(model, cell.image_size)
        return {**counted(cell), "fvcore_flops": flops, "fvcore_uncounted": uncounted}


def counted(cell: Cell) -> dict[str, Any]:
    """All columns of a row but fvcore's."""
    bare = arm_of(cell.backbone, "none", "", cell.image_size)
    arm = arm_of(cell.backbone, cell.module, cell.variant, cell.image_size)
    return {
        "slot": arm.slot,
        "inserted": arm.inserted,
        "params": arm.params,
        "params_added": arm.params - bare.params,
        "macs": arm.work.macs,
        "macs_added": arm.work.macs - bare.work.macs,
        "elementwise_ops": arm.work.elementwise,
        "elementwise_ops_added": arm.work.elementwise - bare.work.elementwise,
        "elementwise_bytes": arm.work.elementwise_bytes,
        "elementwise_bytes_added": arm.work.elementwise_bytes - bare.work.elementwise_bytes,
        "matmul_bytes": arm.work.matmul_bytes,
        "activations": arm.work.activations,
    }


def arm_of(backbone: str, module: str, variant: str, image_size: int | None) -> Arm:
    """A module in a backbone, for one image, the short way where that applies."""
    import attn
    from benchmarks.meta import Unusual, bare

    short = bare(backbone)
    if short.traced.input_size[1:] == (image_size, image_size):
        try:
            if module == "none":
                return short.arm
            return short.plugged(module, attn.parse_options(variant))
        except Unusual:
            pass
    return arm_by_plugging(backbone, module, variant, image_size)


def arm_by_plugging(backbone: str, module: str, variant: str, image_size: int | None) -> Arm:
    """The same the longer way: the module is plugged in and the whole model runs."""
    import torch

    from benchmarks.elementwise import count
    from benchmarks.meta import Arm, by_plugging, parameters

    model, slot, inserted = by_plugging(backbone, module, variant)
    work = count(model, torch.empty(_shape(model, image_size), device="meta"))
    return Arm(parameters(model), slot, inserted, work)


def _shape(model: Any, image_size: int | None) -> tuple[int, int, int, int]:
    size = image_size or IMAGE_SIZE
    return 1, model.pretrained_cfg["input_size"][0], size, size


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
