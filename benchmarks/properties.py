"""Properties: what the attention modules can and can't do, exactly, with nothing trained.

Each row is one number of one module with random weights; the seed makes weights and maps. Zeros are
zeros up to the last digits of a sum (float64).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.provenance import versions

SEEDS = 5
GATES = ("se", "se_var1", "se_var3", "eca", "cbam", "coord")
CHANNEL_GATES = ("se", "se reduction=4", "se_var1", "se_var2", "se_var3", "se_gc", "eca")
FOLLOWERS = (*GATES, "pam", "cam")


@dataclass(frozen=True)
class Property:
    """A number of a module: what it says, and the modules it is asked of.

    ``setting`` is what else the number is of, and goes into the column ``data``.
    """

    name: str
    what: str
    modules: tuple[str, ...]
    settings: tuple[str, ...] = ("",)
    seeds: int = SEEDS


PROPERTIES = {
    p.name: p
    for p in (
        Property(
            "gate changes",
            "largest change of a gate when the input is shuffled so",
            GATES,
            ("pixels", "rows", "columns"),
        ),
        Property(
            "output follows",
            "largest |f(P x) - P f(x)| over the largest |f(x)|, for a shuffle P of these",
            FOLLOWERS,
            ("pixels", "rows", "columns", "channels"),
        ),
        Property("rank", "rank of the derivative of gates by pooled channels", CHANNEL_GATES),
        Property("links", "share of that derivative that is not zero", CHANNEL_GATES),
        Property(
            "outer product", "second singular value of a channel's gate over the first", ("coord",)
        ),
        Property("lowest gate", "smallest gate on maps without a negative value", ("se_var1",)),
        Property("weights sum", "largest |a + b - 1| of the weights of two branches", ("sk",)),
        Property("weights sigmoid", "largest |a - sigmoid(difference of logits)|", ("sk",)),
        Property("start", "largest |f(x) - x| of a new module", ("pam", "cam", "danet")),
        Property(
            "order",
            "distance of the output from that with this product, relative; C = N",
            ("pam reduction=1",),
            ("C'B", "BC'"),
        ),
        Property(
            "dissimilar",
            "share of channels where the least similar other one outweighs the most similar",
            ("cam form='code'", "cam form='paper'"),
        ),
        Property(
            "parameters",
            "parameters at 64 channels",
            ("se", "cbam spatial=None", "cbam", "eca", "coord", "se_var1", "se_var2", "se_var3"),
            seeds=0,
        ),
        Property(
            "branch",
            "parameters of a depthwise branch at 64 channels",
            ("sk",),
            ("5x5", "3x3 dilated"),
            seeds=0,
        ),
        Property("reach", "pixels along a side that it reads", ("sk",), ("5x5", "3x3 dilated"), 0),
        Property(
            "width of z",
            "numbers that selective kernels squeeze the channels to",
            ("sk",),
            ("C=64", "C=512", "C=1024", "C=2048"),
            seeds=0,
        ),
        Property(
            "kernel size",
            "k of the paper's formula at this number of channels",
            ("eca",),
            tuple(f"C={2**i}" for i in range(4, 12)),
            seeds=0,
        ),
        Property(
            "kernel size, linear",
            "k = (C + 1) / 2, from the linear rule C = 2 k - 1",
            ("eca",),
            tuple(f"C={2**i}" for i in range(4, 12)),
            seeds=0,
        ),
        Property(
            "not nearest odd",
            "widths from 4 to 8192 whose k is not the nearest odd number, ties up",
            ("eca",),
            seeds=0,
        ),
    )
}
"""A property without seeds has one row: chance has no part in it."""

BRANCHES = {"5x5": (5, 1), "3x3 dilated": (3, 2)}


class PropertiesBenchmark(Benchmark):
    """One exact number of one module."""

    name = "properties"
    title = "Exact properties of the attention modules"
    code = ("attn/arguments.py", "benchmarks/notes/gates.py", "benchmarks/properties.py")
    plugs = False
    default_seconds = 0.05
    columns = (
        Column("value", "number", "", "the number that `what` describes; it has no unit"),
        Column("what", "string", "", "what the number is"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        if want.suite not in ("quick", "cpu") or want.backbones:
            return
        for about in PROPERTIES.values():
            for arm in about.modules:
                module, _, variant = arm.partition(" ")
                if want.modules is not None and (module, variant) not in want.arms():
                    continue
                for data in about.settings:
                    for seed in range(about.seeds) if about.seeds else (None,):
                        yield Cell(self.name, "", module, variant, data, about.name, seed)

    def configuration(self, cell: Cell) -> Any:
        """The library that draws and calculates."""
        return versions("torch")

    def measure(self, cell: Cell) -> dict[str, Any]:
        value = MEASURES[cell.recipe](cell)
        return {"value": float(value), "what": PROPERTIES[cell.recipe].what}


def _options(cell: Cell) -> dict[str, Any]:
    import attn

    return attn.parse_options(cell.variant)


def _of_module(name: str, channels: int = 64) -> Callable[[Cell], float]:
    """Measure by a function of `notes.gates` that takes the module; ``data`` may follow."""

    def measure(cell: Cell) -> float:
        from benchmarks.notes import gates

        module = gates.built(cell.module, _options(cell), cell.seed or 0, channels)
        return getattr(gates, name)(module, *((cell.data,) if cell.data else ()))

    return measure


def _at_start(cell: Cell) -> float:
    import torch

    from benchmarks.notes import gates

    torch.manual_seed(cell.seed or 0)
    return gates.at_start(cell.module, _options(cell))


def _parameters(cell: Cell) -> float:
    from benchmarks.notes import gates

    return gates.parameters(cell.module, _options(cell))


def _branch(cell: Cell) -> float:
    from benchmarks.notes import gates

    return sum(p.numel() for p in gates.branch_of(*BRANCHES[cell.data]).parameters())


def _reach(cell: Cell) -> float:
    from benchmarks.notes import gates

    return gates.reach(gates.branch_of(*BRANCHES[cell.data]))


def _width_of_z(cell: Cell) -> float:
    import attn

    module: Any = attn.build("sk", _channels(cell), device="meta")
    return module.select.fc1.out_channels


def _channels(cell: Cell) -> int:
    return int(cell.data.removeprefix("C="))


def _kernel_size(cell: Cell) -> float:
    from attn.eca import eca_kernel_size

    return eca_kernel_size(_channels(cell))


def _linear_kernel_size(cell: Cell) -> float:
    return (_channels(cell) + 1) / 2


def _not_nearest_odd(cell: Cell) -> float:
    from math import log2

    from attn.eca import eca_kernel_size

    def nearest_odd(t: float) -> int:
        return min(range(1, 99, 2), key=lambda k: (abs(k - t), -k))

    widths = (2**i for i in range(2, 14))
    return sum(eca_kernel_size(c) != nearest_odd((log2(c) + 1) / 2) for c in widths)


MEASURES: dict[str, Callable[[Cell], float]] = {
    "gate changes": _of_module("sees"),
    "output follows": _of_module("follows"),
    "rank": _of_module("rank"),
    "links": _of_module("share_nonzero"),
    "outer product": _of_module("outer_product"),
    "lowest gate": _of_module("lowest_gate"),
    "weights sum": _of_module("sum_less_one"),
    "weights sigmoid": _of_module("less_sigmoid"),
    "start": _at_start,
    "order": _of_module("position_by", channels=36),
    "dissimilar": _of_module("reads_dissimilar"),
    "parameters": _parameters,
    "branch": _branch,
    "reach": _reach,
    "width of z": _width_of_z,
    "kernel size": _kernel_size,
    "kernel size, linear": _linear_kernel_size,
    "not nearest odd": _not_nearest_odd,
}
