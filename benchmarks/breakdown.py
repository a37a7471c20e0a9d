"""Where the time of a module goes, operator by operator, forward and backward.

The profiler's own time of each operator (without those that it calls), the smallest of several
calls; the kinds sum them up. The module is by itself, see ``alone``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks import alone, surroundings
from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.fresh import keep_memory
from benchmarks.latency import one_timing_job

if TYPE_CHECKING:
    from torch import nn

TWINS = {
    "se": "timm.layers:SEModule",
    "eca": "timm.layers:EcaModule",
    "cbam": "timm.layers.cbam:CbamModule",
    "coord": "timm.layers.coord_attn:CoordAttn",
}
"""timm's module beside each of ours, with our options and weights (see ``alone.twin``)."""

SHAPES = ("8x256x56x56", "8x2048x7x7")
PAM_SHAPE = "2x512x32x32"
REPEATS = 12

SUM = "batch_norm_backward of the weight alone"
"""The operator with which ours sum a product; with other outputs it belongs to a normalisation."""

KINDS: dict[str, tuple[str, ...]] = {
    "pool": ("mean", "sum", "amax", "max", "dot", "var_mean", "pool2d", SUM),
    "product": (
        *("mul", "add", "sub", "div", "addcmul", "sigmoid", "relu", "hardswish", "clamp", "neg"),
        *("threshold", "eq", "where", "masked_fill", "rsub", "sqrt", "exp", "square"),
    ),
    "matrix": ("mm", "bmm", "baddbmm", "addmm", "addmv", "mv", "conv", "attention", "einsum"),
    "norm": ("batch_norm", "softmax"),
    "move": (
        *("copy", "clone", "cat", "fill", "zero", "scatter", "gather", "index", "pad", "empty"),
        *("resize", "new_zeros", "slice_backward", "select_backward", "contiguous", "to_copy"),
    ),
}
"""Words in an operator's name, by kind; of several that fit, the longest decides."""

WORDS = {
    "pool": "pooling and other sums",
    "product": "element-wise",
    "matrix": "matrix products and convolutions",
    "norm": "normalisation and softmax",
    "move": "copies, fills and reserving memory",
    "other": "views, dispatch and autograd's bookkeeping",
}
"""What each kind holds, as people read it."""


class Breakdown(Benchmark):
    """Share of time by kind of operator, of our modules and timm's."""

    name: ClassVar[str] = "breakdown"
    title: ClassVar[str] = "Where the time of a module goes"
    code: ClassVar[tuple[str, ...]] = (
        "attn/arguments.py",
        *(f"attn/{module}.py" for module in TWINS),
        "attn/passes.py",
        "attn/reductions.py",
        "benchmarks/alone.py",
        "benchmarks/breakdown.py",
        "benchmarks/fresh.py::keep_memory",
    )
    exclusive: ClassVar[bool] = True
    plugs: ClassVar[bool] = False
    default_seconds: ClassVar[float] = 4.0
    columns: ClassVar[tuple[Column, ...]] = (
        Column("operators_ms", "number", "ms", "sum of the operators' own times in one call"),
        Column("calls", "integer", "", "operators that ran in one call, views included"),
        *(
            Column(f"{kind}_share", "number", "%", f"share of operators_ms: {words}")
            for kind, words in WORDS.items()
        ),
        Column("operations", "string", "", "share of each operator (in %) and its calls, by time"),
        *surroundings.COLUMNS,
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """The suite `cpu`: one thread, NCHW, an early and a late map, both modes."""
        if want.suite != "cpu" or want.device != "cpu" or want.backbones:
            return
        both = [(m, data) for own in TWINS.items() for m, data in product(own, SHAPES)]
        for (module, data), mode in product([*both, ("pam", PAM_SHAPE)], alone.MODES):
            if want.modules is None or (module, "") in want.modules:
                yield Cell(self.name, "", module, data=data, recipe=mode, threads=1)

    def check(self, cells: Sequence[Cell]) -> None:
        for cell in cells:
            alone.check(cell)

    def configuration(self, cell: Cell) -> Any:
        from benchmarks.provenance import versions

        return versions("timm", "torch")

    def same_machine(self, cell: Cell) -> bool:
        """Shares of time are a machine's too."""
        return True

    def measure(self, cell: Cell) -> dict[str, Any]:
        import torch

        keep_memory()
        torch.set_num_threads(cell.threads or 1)
        torch.manual_seed(0)
        with one_timing_job(), torch.inference_mode(cell.recipe == "inference"):
            beside = surroundings.of_processor()
            module = build(cell)
            call = alone.call(module, list(module.parameters()), *alone.maps(cell))
            return summed(own_times(call)) | beside


def build(cell: Cell) -> nn.Module:
    """The cell's module; where it is timm's, with the size, options and weights of ours."""
    ours = {theirs: name for name, theirs in TWINS.items()}.get(cell.module)
    if ours is None:
        return alone.build(cell)
    mine = alone.build(replace(cell, module=ours))
    return alone.twin(ours, mine, alone.shape(cell.data)[1])


def own_times(call: alone.Call, repeats: int = REPEATS) -> dict[str, tuple[float, int]]:
    """Seconds and calls of every operator in one call; of each the fastest of the repeats."""
    from torch.profiler import ProfilerActivity, profile

    call()
    found: dict[str, tuple[float, int]] = {}
    for _ in range(repeats):
        with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as seen:
            call()
        one: dict[str, list[float]] = {}
        for event in seen.events() or ():
            one.setdefault(_name(event), []).append(1e-6 * event.self_cpu_time_total)
        for name, times in one.items():
            least = min(sum(times), found[name][0]) if name in found else sum(times)
            found[name] = least, len(times)
    return found


def _name(event: Any) -> str:
    """An operator's name, with what was asked of it where that decides its kind."""
    name = event.name.removeprefix("aten::")
    if name.endswith("batch_norm_backward"):
        asked = (getattr(event, "concrete_inputs", None) or [None])[-1]
        if asked == [False, True, False]:
            return f"{name} of the weight alone"
    return name


def kind(name: str) -> str:
    """The kind of an operator by its name, ``other`` if none fits."""
    if "::" in name or name.endswith(("Backward", "Backward0", "Backward1")):
        return "other"  # autograd's wrapper: its operators come under their own names
    fits = [(len(word), kind) for kind, words in KINDS.items() for word in words if word in name]
    return max(fits)[1] if fits else "other"


def summed(times: Mapping[str, tuple[float, int]]) -> dict[str, Any]:
    """The values of a row from seconds and calls by operator."""
    total = sum(seconds for seconds, _ in times.values())
    shares = dict.fromkeys(WORDS, 0.0)
    for name, (seconds, _) in times.items():
        shares[kind(name)] += 100 * seconds / total
    by_time = sorted(times.items(), key=lambda item: (-item[1][0], item[0]))
    words = [f"{n} {100 * s / total:.1f} ({c})" for n, (s, c) in by_time if s >= 0.001 * total]
    return {
        "operators_ms": 1e3 * total,
        "calls": sum(calls for _, calls in times.values()),
        **{f"{name}_share": share for name, share in shares.items()},
        "operations": "; ".join(words),
    }
