"""How fast the suite counts: its own counting on the meta device against fvcore on real tensors.

Both count the same rows in one process, one after the other. fvcore is used as its users do: for
each row the model is created, the module plugged in, and one image traced, with as many threads as
torch takes by default. Both have counted one small net before the clock starts, so that imports
are in neither time. Then multiply-adds are compared, row by row.
"""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from benchmarks import models, surroundings
from benchmarks.cells import MODULES, Benchmark, Cell, Column, Selection
from benchmarks.latency import one_timing_job
from benchmarks.paper import MODULE_FILES
from benchmarks.provenance import versions

TABLES = {"cost": "the whole table", "coverage": "a random sample of 6 architectures"}
"""Tables to count, and how much of each: fvcore would take hours for all of timm."""

SAMPLED = 6
SEED = 20261125

PRODUCTS = ("conv", "linear", "addmm")
"""fvcore's words for convolutions and linear layers."""
PAIRS = ("matmul", "bmm", "baddbmm", "einsum")
"""fvcore's words for products of two batches of matrices."""


@dataclass(frozen=True)
class Macs:
    """Multiply-adds of one row, and what the counter left out."""

    conv_linear: int
    pairs: int
    uncounted: str = ""


class CountingBenchmark(Benchmark):
    """Seconds for the same rows: meta device and fvcore, and whether they agree."""

    name = "counting"
    title = "How fast multiply-adds are counted"
    code = (
        *models.PLUGGING,
        *(f"attn/{file}.py" for file in MODULE_FILES),
        "benchmarks/backbones.py",
        "benchmarks/cost.py",
        "benchmarks/counting.py",
        "benchmarks/coverage.py",
        "benchmarks/elementwise.py",
        "benchmarks/meta.py",
        "benchmarks/models.py::create",
    )
    exclusive = True
    plugs = False
    default_seconds = 240.0
    columns = (
        Column("rows", "integer", "", "rows that both counted, failed ones included"),
        Column("rows_failed", "integer", "", "rows that have no place for the module, both ways"),
        Column("seconds_meta", "number", "s", "all columns of these rows on the meta device"),
        Column("seconds_fvcore", "number", "s", "fvcore: create, plug and count, for each row"),
        Column("seconds_fvcore_alone", "number", "s", "of that, fvcore's own counting"),
        Column("ratio", "number", "", "seconds_fvcore over seconds_meta"),
        Column("equal_conv_linear", "integer", "", "rows with equal MACs of conv and linear"),
        Column("equal_macs", "integer", "", "rows with equal MACs of conv, linear and matmul"),
        Column("differences", "string", "", "rows whose MACs differ, and why"),
        Column("cores", "integer", "", "threads that torch took for fvcore's forward pass"),
        *surroundings.COLUMNS,
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        if want.suite != "cpu" or want.backbones or want.modules:
            return
        for table, part in TABLES.items():
            yield Cell(self.name, "none", data=table, recipe=part)

    def same_machine(self, cell: Cell) -> bool:
        return True

    def configuration(self, cell: Cell) -> Any:
        """The libraries that build and count: another release may do either differently."""
        return versions("timm", "torch", "fvcore")

    @one_timing_job()
    def measure(self, cell: Cell) -> dict[str, Any]:
        import torch

        beside = surroundings.of_processor()
        rows = _rows(cell.data)
        _warm_up()
        begin = time.perf_counter()
        _count_on_meta(cell.data, rows)
        seconds = time.perf_counter() - begin
        begin = time.perf_counter()
        theirs, alone = _count_with_fvcore(rows)
        seconds_fvcore = time.perf_counter() - begin
        return {
            "rows": len(rows),
            "seconds_meta": round(seconds, 3),
            "seconds_fvcore": round(seconds_fvcore, 3),
            "seconds_fvcore_alone": round(alone, 3),
            "ratio": round(seconds_fvcore / seconds, 2),
            "cores": torch.get_num_threads(),
            **compared({row: on_meta(row) for row in rows}, theirs),
            **beside,
        }


def _rows(table: str) -> list[Cell]:
    """Cells of a table: all of the cost table, some architectures with every module of coverage."""
    from benchmarks.cost import CostBenchmark
    from benchmarks.coverage import architectures

    if table == "cost":
        return list(CostBenchmark().cells(Selection("cpu")))
    backbones = random.Random(SEED).sample(architectures(), SAMPLED)
    return [Cell("coverage", b, m, device="meta") for b in backbones for m in MODULES[1:]]


def _warm_up() -> None:
    from benchmarks.cost import counted

    small = Cell("cost", "resnet10_small", "se", device="meta", image_size=28)
    counted(small)
    with_fvcore(small)


def _count_on_meta(table: str, rows: list[Cell]) -> None:
    """What the suite does for these rows, apart from fvcore's column."""
    from benchmarks.cost import counted
    from benchmarks.coverage import CoverageBenchmark

    if table == "cost":
        for row in rows:
            counted(row)
        return
    coverage = CoverageBenchmark()
    for _, group in groupby(rows, coverage.group):
        for _ in coverage.measure_group(list(group)):
            pass


def _count_with_fvcore(rows: list[Cell]) -> tuple[dict[Cell, Macs | None], float]:
    """Multiply-adds of each row, and the seconds of the counting alone."""
    found: dict[Cell, Macs | None] = {}
    seconds = 0.0
    for row in rows:
        try:
            found[row], took = with_fvcore(row)
        except ValueError:  # no place for the module
            found[row], took = None, 0.0
        seconds += took
    return found, seconds


def on_meta(row: Cell) -> Macs | None:
    """The multiply-adds that the suite counts for a row; None where the module has no place."""
    from benchmarks.cost import arm_of
    from benchmarks.meta import bare

    size = row.image_size or bare(row.backbone).traced.input_size[1]
    try:
        work = arm_of(row.backbone, row.module, row.variant, size).work
    except ValueError:
        return None
    return Macs(work.macs - work.pair_macs, work.pair_macs)


def with_fvcore(row: Cell) -> tuple[Macs, float]:
    """The multiply-adds that fvcore counts for a row, and its seconds without the model's making.

    Raises ValueError where the module has no place.
    """
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fvcore scripts functions at import; large maps
        from fvcore.nn import FlopCountAnalysis

        model = models.create(row.backbone, row.module, row.variant).eval()
        channels, height, width = model.pretrained_cfg["input_size"]
        if row.image_size:
            height = width = row.image_size
        begin = time.perf_counter()
        with torch.no_grad():
            analysis = FlopCountAnalysis(model, torch.randn(1, channels, height, width))
            analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            macs = analysis.tracer_warnings("none").by_operator()
        seconds = time.perf_counter() - begin
    left = {name.removeprefix("aten::"): n for name, n in analysis.unsupported_ops().items()}
    lacks = [f"{name} {left[name]}" for name in sorted(left) if _multiplies(name)]
    conv_linear, pairs = (int(sum(macs[name] for name in names)) for names in (PRODUCTS, PAIRS))
    return Macs(conv_linear, pairs, "; ".join(lacks)), seconds


def _multiplies(operator: str) -> bool:
    words = ("attention", "matmul", "bmm", "einsum", "conv", "linear", "mm")
    return any(word in operator for word in words)


def compared(ours: dict[Cell, Macs | None], theirs: dict[Cell, Macs | None]) -> dict[str, Any]:
    """How many rows agree, and the others by name. RuntimeError if only one way fails."""
    failed = [row for row, macs in ours.items() if macs is None]
    if failed != [row for row, macs in theirs.items() if macs is None]:
        raise RuntimeError("a row fails on the meta device or on real tensors, but not on both")
    pairs = [(row, a, b) for row, a in ours.items() if a and (b := theirs[row])]
    conv_linear = [row for row, a, b in pairs if a.conv_linear == b.conv_linear]
    total = [r for r, a, b in pairs if a.conv_linear + a.pairs == b.conv_linear + b.pairs]
    other = [f"{r.backbone} {r.arm}: {_reason(a, b)}" for r, a, b in pairs if r not in total]
    return {
        "rows_failed": len(failed),
        "equal_conv_linear": len(conv_linear),
        "equal_macs": len(total),
        "differences": "; ".join(other),
    }


def _reason(ours: Macs, theirs: Macs) -> str:
    more = ours.conv_linear + ours.pairs - theirs.conv_linear - theirs.pairs
    if theirs.uncounted:
        return f"fvcore does not count {theirs.uncounted} ({more} MACs)"
    return f"{more} MACs more on the meta device"
