"""Ablation: the options of each module, trained as the main table of accuracies is.

A family holds arms that each change one thing of a module's default. The default itself and the
bare backbone are rows of `accuracy`, with equal seeds. `ablated` compares them.

An option that changes nothing at the widths of the trained net is no arm. The reduction of SE is
bounded by the narrowest block, unless its bottleneck is allowed one unit. That of coordinate
attention sinks below its least width of eight, so to go on it takes a smaller one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import tables
from benchmarks.accuracy import Accuracy, Arms, beside
from benchmarks.cells import Cell, Selection

SHUFFLED = "benchmarks.shuffled:ShuffledECA"


@dataclass(frozen=True)
class Family:
    """Arms that change one module, and the module whose default they are compared with."""

    title: str
    module: str
    arms: Arms

    @property
    def names(self) -> tuple[str, ...]:
        """The arms as people read them."""
        return tuple(tables.arm(*arm) for arm in self.arms)


FAMILIES = {
    "se-reduction": Family(
        "SE, reduction",
        "se",
        (("se", "reduction=4"), ("se", "reduction=8"), ("se", "min_channels=1 reduction=32")),
    ),
    "se-excitation": Family(
        "SE, excitation",
        "se",
        (("se_var1", ""), ("se_var2", ""), ("se_var3", ""), ("se_gc", "")),
    ),
    "cbam": Family(
        "CBAM",
        "cbam",
        (
            ("cbam", "order='spatial_first'"),
            ("cbam", "order='parallel'"),
            ("cbam", "pool='avg'"),
            ("cbam", "pool='max'"),
            ("cbam", "spatial=None"),
            ("cbam", "form='paper'"),
        ),
    ),
    "eca": Family(
        "ECA",
        "eca",
        (
            ("eca", "kernel_size=1"),
            ("eca", "kernel_size=5"),
            ("eca", "kernel_size=7"),
            ("eca", "kernel_size=9"),
            ("eca", "kernel_size='adaptive'"),
            ("eca_ns", ""),
            (SHUFFLED, ""),
        ),
    ),
    "coord": Family(
        "Coordinate attention",
        "coord",
        (
            ("coord", "reduction=4"),
            ("coord", "reduction=8"),
            ("coord", "min_channels=1 reduction=16"),
            ("coord", "axes='height'"),
            ("coord", "axes='width'"),
        ),
    ),
    "sk": Family(
        "SK",
        "sk",
        (
            ("sk", "branches=((3,1),(3,1))"),
            ("sk", "branches=((3,1),(5,1))"),
            ("sk", "branches=((3,1),(3,3))"),
            ("sk", "branches=((3,2),(3,3))"),
            ("sk", "branches=((3,1),(3,2),(3,3))"),
        ),
    ),
}
"""What is changed, by the name of its table. Each is a family for Holm's correction."""


class Ablation(Accuracy):
    """Train the arms of every family as those of the main table; last-epoch test accuracy."""

    name = "ablation"
    title = "Options of the modules: test accuracy with the recipe and seeds of the main table"

    def cells(self, want: Selection) -> Iterator[Cell]:
        """Family by family, and in each seed by seed, so that what is finished is paired.

        None for who asks for modules or backbones: `accuracy` trains these.
        """
        return beside(super().cells, want, (family.arms for family in FAMILIES.values()))
