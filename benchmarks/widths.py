"""The trained small net and the bare backbone at other widths: what else a budget could buy.

A module spends parameters, multiply-adds and time that a wider bare backbone could spend too. The
widths here lie around the costs of all arms; `scaled` registers them with timm, `equal_cost`
compares. Their costs are counted as those of `cost`, on the images that they are trained on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.cells import Cell, Selection
from benchmarks.cost import CostBenchmark

BACKBONE = "resnet10_small_os8"
"""The backbone of the main table of accuracies."""

IMAGE_SIZE = 28


def named(width: float) -> str:
    """The timm name of the backbone with so many times its channels."""
    return f"{BACKBONE}_w{round(1000 * width):04d}"


WIDTHS = {named(width): width for width in (0.75, 1.125, 1.25, 1.5)}
"""Timm names with their channels over those of `BACKBONE`."""


class Widths(CostBenchmark):
    """Costs of every arm of `BACKBONE`, and of the bare backbone at the other widths."""

    name = "widths"
    title = "Parameters and multiply-adds of the trained net and of its widths"
    code = (
        *CostBenchmark.code,
        "benchmarks/scaled.py",
        "benchmarks/widths.py",
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        if want.suite not in ("quick", "cpu"):
            return
        for backbone in (BACKBONE, *WIDTHS):
            if want.backbones and backbone not in want.backbones:
                continue
            for module, variant in want.arms() if backbone == BACKBONE else [("none", "")]:
                cell = Cell(self.name, backbone, module, variant, device="meta")
                yield replace(cell, image_size=IMAGE_SIZE)
