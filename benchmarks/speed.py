"""Speed of each gate by itself: ours, timm's, timm's compiled, and the bare passes over memory.

All are timed side by side in one session, with a second copy of ours, whose ratio of 1 is the
noise floor. A cell's module, input and mode are those of ``alone``; no backbone is involved.
"""

from __future__ import annotations

import os
import random
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, ClassVar
from zlib import crc32

from benchmarks import alone, ratios, stats, surroundings
from benchmarks.cells import Benchmark, Cell, Column, Selection, choose
from benchmarks.fresh import in_fresh_process, keep_memory
from benchmarks.latency import one_timing_job
from benchmarks.timing import Forward, Record, cpu_timer, interleave, reason

MODULES = ("se", "eca", "cbam", "coord")
"""Gates that timm has too, with the same result for the same weights."""

SHAPES = ("8x256x56x56", "8x512x28x28", "8x2048x7x7")
"""The three feature maps: early, middle and last of a ResNet-50."""

ARMS = ("ours", "copy", "timm", "compiled", "floor")
ROUNDS = 25
PROCESSES = 6
WARMUP_S = 0.05
"""Every arm is warmed up for so long, beside the calls that fill its first samples."""


class SpeedFailed(RuntimeError):
    """An arm that a row can't do without could not be timed; the message says why."""


def _ratio(name: str, other: str) -> tuple[Column, ...]:
    return ratios.over_processes(name, f"time over that of {other}, in the same session")


class Speed(Benchmark):
    """Time of one gate by itself against timm's, compiled timm's and the bare memory passes."""

    name: ClassVar[str] = "speed"
    title: ClassVar[str] = "Speed of each module by itself"
    code: ClassVar[tuple[str, ...]] = (
        "attn/arguments.py",
        "attn/passes.py",
        "attn/reductions.py",
        "benchmarks/alone.py",
        "benchmarks/fresh.py::keep_memory",
        "benchmarks/speed.py",
        "benchmarks/stats.py::_same_rounds",
        "benchmarks/stats.py::build_interval",
        "benchmarks/stats.py::faster_half",
        "benchmarks/stats.py::fastest",
        "benchmarks/stats.py::floor_of",
        "benchmarks/stats.py::geometric_mean",
        "benchmarks/stats.py::latency_verdict",
        "benchmarks/stats.py::process_interval",
        "benchmarks/timing.py",
    )
    exclusive: ClassVar[bool] = True
    plugs: ClassVar[bool] = False
    default_seconds: ClassVar[float] = 18.0
    limit_seconds: ClassVar[float] = 300.0
    columns: ClassVar[tuple[Column, ...]] = (
        Column("latency_ms", "number", "ms", "time of one call of the module of this project"),
        Column("timm_ms", "number", "ms", "time of timm's module of the same size and weights"),
        Column("compiled_ms", "number", "ms", "time of timm's module after torch.compile"),
        Column("floor_ms", "number", "ms", "time of the bare passes over memory, see alone.PASSES"),
        *_ratio("ratio", "timm's module"),
        Column("verdict", "string", "", stats.verdict_text("timm's module")),
        *_ratio("compiled_ratio", "timm's module after torch.compile"),
        Column("compiled_verdict", "string", "", stats.verdict_text("the compiled module")),
        Column("compiled_reason", "string", "", "why the compiled module has no time"),
        *_ratio("floor_ratio", "the bare passes over memory"),
        *ratios.NOISE,
        Column("rounds", "integer", "", "samples of every arm in a process"),
        Column("processes", "integer", "", "fresh processes"),
        Column("memory_kept", "boolean", "", "whether freed memory stayed with the process"),
        *surroundings.COLUMNS,
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """The suite `cpu`: one thread, the three maps, both layouts, both modes."""
        if want.suite != "cpu" or want.device != "cpu" or want.backbones:
            return
        modules = [m for m in MODULES if want.modules is None or (m, "") in want.modules]
        for mode, layout, data, module in product(alone.MODES, alone.LAYOUTS, SHAPES, modules):
            yield Cell(self.name, "", module, data=data, recipe=mode, layout=layout, threads=1)

    def check(self, cells: Sequence[Cell]) -> None:
        for cell in cells:
            alone.check(cell)
            choose(cell.module, MODULES, "module with a twin in timm")

    def configuration(self, cell: Cell) -> Any:
        from benchmarks.provenance import versions

        return versions("timm", "torch"), stats.VERDICT_RULE

    def same_machine(self, cell: Cell) -> bool:
        """Milliseconds of another machine say nothing here."""
        return True

    def group(self, cell: Cell) -> Hashable:
        """What one session times: a mode and a layout."""
        return replace(cell, module="", variant="", data="")

    def measure(self, cell: Cell) -> dict[str, Any]:
        """The values of one cell, from a session of its own."""
        ((_, values),) = self.measure_group([cell])
        if isinstance(values, Exception):
            raise values
        return values

    def measure_group(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Any]]:
        """The values of each cell, or the exception that says why it has none."""
        threads = cells[0].threads or 1
        with one_timing_job():
            beside = surroundings.of_processor()
            sessions = [
                in_fresh_process(time_cells, tuple(cells), seed, ROUNDS, threads=threads)
                for seed in range(PROCESSES)
            ]
        beside["memory_kept"] = all(kept for _, kept in sessions)
        for i, cell in enumerate(cells):
            try:
                yield cell, {**evaluate([records[i] for records, _ in sessions]), **beside}
            except SpeedFailed as error:
                yield cell, error


def time_cells(cells: Sequence[Cell], seed: int, rounds: int) -> tuple[list[Record], bool]:
    """One session: the arms of every cell, cell after cell; whether freed memory was kept."""
    kept = keep_memory()
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # no workers beside the timing
    import torch

    torch.set_num_threads(cells[0].threads or 1)
    return [time_cell(cell, seed, rounds) for cell in cells], kept


def time_cell(cell: Cell, seed: int, rounds: int, warmup_s: float = WARMUP_S) -> Record:
    """The arms of one cell, interleaved in random order; ``ARMS`` names them in their order."""
    import torch

    seed += crc32(str(cell).encode())
    torch.manual_seed(seed)
    with torch.inference_mode(cell.recipe == "inference"):
        arms = _arms(cell)
        return interleave(arms, cpu_timer, rounds, random.Random(seed), warmup_s=warmup_s)


def _arms(cell: Cell) -> list[Forward | str]:
    import torch

    channels = alone.shape(cell.data)[1]
    x, gradient = alone.maps(cell)
    ours, copy = alone.build(cell), alone.build(cell)
    copy.load_state_dict(ours.state_dict())
    timm = alone.twin(cell.module, ours, channels)

    def timed(module: Any, parameters: Any) -> Forward:
        return alone.call(module, list(parameters), x, gradient)

    plain = [timed(module, module.parameters()) for module in (ours, copy, timm)]
    torch._dynamo.reset()  # else the limit of recompilations is reached after a few cells
    try:
        compiled = timed(torch.compile(timm, fullgraph=True), timm.parameters())
    except Exception as error:  # where torch.compile does not exist for this Python or system
        compiled = reason(error)
    return [*plain, compiled, alone.bare_passes(cell, x, gradient)]


def evaluate(records: Sequence[Record]) -> dict[str, Any]:
    """The values of one cell from its records, one a process. SpeedFailed without ours or timm's.

    The compiled arm may be missing; its columns are then empty but for the reason.
    """
    timings = {arm: [record.timings[i] for record in records] for i, arm in enumerate(ARMS)}
    errors = {arm: next((t.error for t in mine if t.error), "") for arm, mine in timings.items()}
    for arm in ARMS:
        if errors[arm] and arm != "compiled":
            raise SpeedFailed(f"{arm} can't be timed: {errors[arm]}")
    seconds = {arm: [t.seconds for t in mine] for arm, mine in timings.items()}
    ours = seconds["ours"]
    noise = stats.process_interval(seconds["copy"], ours)
    values: dict[str, Any] = {
        "latency_ms": 1e3 * stats.fastest(ours),
        "noise_low": noise.low,
        "noise_high": noise.high,
        "rounds": min(len(s) for s in ours),
        "processes": len(ours),
    }
    for arm, prefix in (("timm", ""), ("compiled", "compiled_"), ("floor", "floor_")):
        if errors[arm]:
            values["compiled_reason"] = errors[arm]
            continue
        ratio = stats.process_interval(ours, seconds[arm])
        values[f"{arm}_ms"] = 1e3 * stats.fastest(seconds[arm])
        values[f"{prefix}ratio"] = ratio.value
        values[f"{prefix}ratio_low"] = ratio.low
        values[f"{prefix}ratio_high"] = ratio.high
        if arm != "floor":
            values[f"{prefix}verdict"] = stats.latency_verdict(ratio, noise)
    return values
