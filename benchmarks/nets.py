"""The trained nets beside `widths.BACKBONE`: their names, their images, what an arm costs there.

`small_nets` registers them with timm. Costs are counted as those of `cost`, on images of the size
that a net is trained on.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.cells import Cell, Selection
from benchmarks.cost import CostBenchmark

MOBILE = "mobilenetv2_small"
"""The second backbone of a processor's accuracies."""

CIFAR = ("resnet20_cifar", "resnet56_cifar", "mobilenetv2_cifar")
"""The backbones of a GPU's accuracies."""

SIZES = {MOBILE: 28, **dict.fromkeys(CIFAR, 32)}
"""The nets and the size of their images in pixels."""


class Nets(CostBenchmark):
    """Costs of every arm in the trained nets."""

    name = "nets"
    title = "Parameters and multiply-adds of the other trained nets"
    code = (
        *CostBenchmark.code,
        "benchmarks/nets.py",
        "benchmarks/small_nets.py",
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """The net of a processor's accuracies; in suite ``cpu`` those of a GPU's too."""
        known = {"quick": (MOBILE,), "cpu": tuple(SIZES)}.get(want.suite, ())
        for backbone in want.backbones or known:
            if backbone not in SIZES or not known:
                continue
            for module, variant in want.arms():
                size = SIZES[backbone]
                yield Cell(self.name, backbone, module, variant, device="meta", image_size=size)
