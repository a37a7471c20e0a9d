"""Position attention by itself: its time and its memory against the map written out in full.

The reference is the official code's forward pass with the module's own weights: softmax(Q K^T) is
one tensor of (H W)^2 numbers an image.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, product
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks import alone, ratios, stats, surroundings
from benchmarks.cells import Benchmark, Cell, Column, Selection, choose
from benchmarks.fresh import in_fresh_process, keep_memory
from benchmarks.latency import one_timing_job
from benchmarks.timing import Record, cpu_timer, interleave

if TYPE_CHECKING:
    from torch import Tensor

SHAPES = ("2x512x32x32", "2x512x64x64")
ROUNDS = 6
PROCESSES = 6
ARMS = ("ours", "copy", "materialised")
MIB = 2**20


class Position(Benchmark):
    """Time and extra memory of position attention over those of the map written out in full."""

    name: ClassVar[str] = "position"
    title: ClassVar[str] = "Memory and time of position attention"
    code: ClassVar[tuple[str, ...]] = (
        "attn/arguments.py",
        "attn/passes.py",
        "attn/reductions.py",
        "benchmarks/alone.py",
        "benchmarks/fresh.py::keep_memory",
        "benchmarks/position.py",
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
    default_seconds: ClassVar[float] = 60.0
    columns: ClassVar[tuple[Column, ...]] = (
        Column("latency_ms", "number", "ms", "time of one call of the module of this project"),
        Column("materialised_ms", "number", "ms", "time with the map written out in full"),
        *ratios.over_processes("ratio", "latency_ms over materialised_ms, in the same session"),
        *ratios.NOISE,
        Column("verdict", "string", "", stats.verdict_text("the map written out in full")),
        Column(
            "extra_mib",
            "number",
            "MiB",
            "most memory that torch's tensors hold at once in one call, beyond what they hold "
            "before it: output, intermediates and gradients; exact, from the allocator's record",
        ),
        Column("materialised_extra_mib", "number", "MiB", "the same for the map written in full"),
        Column("memory_ratio", "number", "", "extra_mib over materialised_extra_mib"),
        Column("resident_mib", "number", "MiB", "growth of the resident set in that call (Linux)"),
        Column("materialised_resident_mib", "number", "MiB", "the same for the map in full"),
        Column("rounds", "integer", "", "samples of every arm in a process"),
        Column("processes", "integer", "", "fresh processes that timed"),
        Column("memory_kept", "boolean", "", "whether freed memory stayed with the process"),
        *surroundings.COLUMNS,
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """The suite `cpu`: one thread, two sizes, both modes."""
        if want.suite != "cpu" or want.device != "cpu" or want.backbones:
            return
        if want.modules is not None and ("pam", "") not in want.modules:
            return
        for data, mode in product(SHAPES, alone.MODES):
            yield Cell(self.name, "", "pam", data=data, recipe=mode, threads=1)

    def check(self, cells: Sequence[Cell]) -> None:
        for cell in cells:
            alone.check(cell)
            choose(cell.module, ("pam",), "module with a map written out in full")

    def configuration(self, cell: Cell) -> Any:
        from benchmarks.provenance import versions

        return versions("torch"), stats.VERDICT_RULE

    def same_machine(self, cell: Cell) -> bool:
        """Milliseconds of another machine say nothing here."""
        return True

    def group(self, cell: Cell) -> Hashable:
        """Each cell has a session of its own."""
        return replace(cell)

    def measure(self, cell: Cell) -> dict[str, Any]:
        threads = cell.threads or 1
        with one_timing_job():
            beside = surroundings.of_processor()
            sessions = [
                in_fresh_process(time_arms, cell, seed, ROUNDS, threads=threads)
                for seed in range(PROCESSES)
            ]
            memory = {
                arm: in_fresh_process(extra_memory, cell, arm, threads=threads)
                for arm in ("ours", "materialised")
            }
        ours, full = memory["ours"], memory["materialised"]
        return {
            **evaluate([record for record, _ in sessions]),
            "extra_mib": ours[0] / MIB,
            "materialised_extra_mib": full[0] / MIB,
            "memory_ratio": ours[0] / full[0],
            "resident_mib": None if ours[1] is None else ours[1] / MIB,
            "materialised_resident_mib": None if full[1] is None else full[1] / MIB,
            "memory_kept": all(kept for _, kept in sessions),
            **beside,
        }


def materialised(module: Any) -> Callable[[Tensor], Tensor]:
    """The official code's forward pass with the weights of a `PAM`."""
    import torch

    def forward(x: Tensor) -> Tensor:
        query = module.query_conv(x).flatten(2).transpose(1, 2)  # (N, HW, C/r)
        energy = torch.bmm(query, module.key_conv(x).flatten(2))  # (N, HW, HW)
        attention = torch.softmax(energy, dim=-1)
        value = module.value_conv(x).flatten(2)  # (N, C, HW)
        out = torch.bmm(value, attention.transpose(1, 2)).view_as(x)
        return module.gamma * out + x

    return forward


def _calls(cell: Cell) -> dict[str, alone.Call]:
    x, gradient = alone.maps(cell)
    ours, copy = alone.build(cell), alone.build(cell)
    copy.load_state_dict(ours.state_dict())
    weights = list(ours.parameters())
    return {
        "ours": alone.call(ours, weights, x, gradient),
        "copy": alone.call(copy, list(copy.parameters()), x, gradient),
        "materialised": alone.call(materialised(ours), weights, x, gradient),
    }


def time_arms(cell: Cell, seed: int, rounds: int) -> tuple[Record, bool]:
    """The arms of one cell, interleaved in random order; whether freed memory was kept.

    ``ARMS`` names them in their order.
    """
    import torch

    kept = keep_memory()
    torch.set_num_threads(cell.threads or 1)
    torch.manual_seed(seed)
    with torch.inference_mode(cell.recipe == "inference"):
        calls = _calls(cell)
        arms = [calls[arm] for arm in ARMS]
        record = interleave(arms, cpu_timer, rounds, random.Random(seed), warmup_s=0.0)
    return record, kept


def evaluate(records: Sequence[Record]) -> dict[str, Any]:
    """Times and verdict from the records of the processes. RuntimeError if an arm failed."""
    for arm, timing in ((a, t) for r in records for a, t in zip(ARMS, r.timings, strict=True)):
        if timing.error:
            raise RuntimeError(f"{arm} can't be timed: {timing.error}")
    ours, copy, full = ([r.timings[i].seconds for r in records] for i in range(len(ARMS)))
    ratio, noise = stats.process_interval(ours, full), stats.process_interval(copy, ours)
    return {
        "latency_ms": 1e3 * stats.fastest(ours),
        "materialised_ms": 1e3 * stats.fastest(full),
        "ratio": ratio.value,
        "ratio_low": ratio.low,
        "ratio_high": ratio.high,
        "noise_low": noise.low,
        "noise_high": noise.high,
        "verdict": stats.latency_verdict(ratio, noise),
        "rounds": min(len(s) for s in ours),
        "processes": len(ours),
    }


def extra_memory(cell: Cell, arm: str) -> tuple[int, int | None]:
    """Most bytes of tensors beyond those before one call, and growth of the resident set.

    The call comes second: the first one, on a small map, loads what the library loads once. The
    resident set is measured in a call without the profiler.
    """
    import torch

    torch.set_num_threads(cell.threads or 1)
    torch.manual_seed(0)
    images, channels, _, _ = alone.shape(cell.data)
    small = replace(cell, data=f"{images}x{channels}x8x8")
    with torch.inference_mode(cell.recipe == "inference"):
        _calls(small)[arm]()
        call = _calls(cell)[arm]
        resident = resident_growth(call)
        return peak_bytes(call), resident


def peak_bytes(call: alone.Call) -> int:
    """The largest sum of bytes that tensors hold in a call, from the record of the allocator.

    Scratch memory that a math library takes by itself is not in it.
    """
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        result = call()
    del result
    profiler: Any = found.profiler
    events = [e for e in profiler.kineto_results.events() if e.name() == "[memory]"]
    sizes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return max(accumulate(sizes, initial=0))


def resident_growth(call: alone.Call) -> int | None:
    """Growth of the largest resident set of this process in one call; None but on Linux."""
    try:
        with open("/proc/self/clear_refs", "w") as refs:
            refs.write("5")  # the peak starts anew
        before = _status("VmRSS")
        call()
        return _status("VmHWM") - before
    except (OSError, LookupError):
        return None


def _status(name: str) -> int:
    with open("/proc/self/status") as lines:
        for line in lines:
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    raise LookupError(name)
