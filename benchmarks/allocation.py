"""What the C library's memory allocation costs a network, and why `latency` keeps memory.

By its defaults glibc gives large blocks back to the system, at sizes that depend on what a process
freed before. The next forward pass then pays for a page fault every 4 KiB of its feature maps.
Each process here does nothing but run one network, with the defaults or with freed memory kept
(`fresh.KEEPING`). One of each is alive at a time, and they take a sample by turns in random order.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from benchmarks import latency, models, ratios, stats, surroundings
from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.fresh import KEEPING, keeping_memory, leave_with
from benchmarks.latency import one_timing_job
from benchmarks.timing import calibrate, cpu_timer

MODULES = ("cbam", "cam")
WITH_MODULES = ("resnet10_small", "mobilenetv2_100")
"""Backbones that are timed with `MODULES` too; all others of `latency` are timed bare."""

PROCESSES = 6
ROUNDS = 24
"""Samples of each process."""

SAMPLE_S = 0.05
"""A sample begins in caches that the other process has filled; it is long against that."""

STATES = ("default", "kept")


class Allocation(Benchmark):
    """Time of a forward pass by glibc's defaults over that with freed memory kept."""

    name: ClassVar[str] = "allocation"
    title: ClassVar[str] = "Memory allocation"
    code: ClassVar[tuple[str, ...]] = (
        "benchmarks/allocation.py",
        "benchmarks/fresh.py::keeping_memory",
        "benchmarks/fresh.py::leave_with",
        "benchmarks/models.py::create",
        "benchmarks/stats.py::_same_rounds",
        "benchmarks/stats.py::build_interval",
        "benchmarks/stats.py::faster_half",
        "benchmarks/stats.py::geometric_mean",
        "benchmarks/timing.py",
    )
    exclusive: ClassVar[bool] = True
    default_seconds: ClassVar[float] = 60.0
    columns: ClassVar[tuple[Column, ...]] = (
        Column(
            "default_ms",
            "number",
            "ms",
            "processor time of a forward pass in a process with the C library's defaults: mean of "
            "the faster half of the samples, geometric mean over processes",
        ),
        Column("kept_ms", "number", "ms", "the same in processes that keep the memory they free"),
        *ratios.over_processes("ratio", "default_ms over kept_ms"),
        Column("ratios", "string", "", "that of each pair of processes, one of each kind"),
        Column(
            "default_faults",
            "number",
            "faults",
            "page faults that a forward pass has by the defaults, mean over processes",
        ),
        Column("kept_faults", "number", "faults", "the same where freed memory is kept"),
        Column("processes", "integer", "", "fresh processes of each kind, in pairs"),
        Column("rounds", "integer", "", "samples of each process"),
        *surroundings.COLUMNS,
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """The suite `cpu`: every backbone of `latency` at one thread, two of them with modules."""
        if want.suite != "cpu" or want.device != "cpu":
            return
        for backbone in want.backbones or latency.BACKBONES:
            size, batch = latency.SMALL_IMAGES.get(backbone, (224, 1))
            bare = Cell(self.name, backbone, image_size=size, batch_size=batch, threads=1)
            yield bare
            arms = [(m, "") for m in MODULES] if backbone in WITH_MODULES else []
            for module, variant in arms if want.modules is None else want.modules:
                if module != "none":
                    yield replace(bare, module=module, variant=variant)

    def configuration(self, cell: Cell) -> Any:
        """The layers of the model, the constants of the interval and what keeps memory."""
        from benchmarks.accuracy import layers

        constants = PROCESSES, ROUNDS, SAMPLE_S, KEEPING, stats.VERDICT_RULE
        return constants, layers(cell.backbone, cell.module, cell.variant)

    def same_machine(self, cell: Cell) -> bool:
        """Another machine's C library and kernel say nothing here."""
        return True

    def measure(self, cell: Cell) -> dict[str, Any]:
        """Both times of one network.

        RuntimeError where the C library is not glibc, or its defaults are not what is set.
        """
        if platform.libc_ver()[0] != "glibc":
            raise RuntimeError("these are settings of glibc, which is not the C library here")
        library, *settings = surroundings.malloc(os.environ).split("; ")
        if settings:
            raise RuntimeError(
                f"the defaults of {library} can't be timed where {' and '.join(settings)} is set: "
                "unset it and run this again"
            )
        rng = random.Random(cell.key)
        with one_timing_job():
            beside = surroundings.of_processor()
            pairs = [by_turns(cell, rng) for _ in range(PROCESSES)]
        times = {state: [[s.seconds for s in pair[state]] for pair in pairs] for state in STATES}
        ratio = stats.build_interval(*(times[state] for state in STATES))
        fast = [[stats.faster_half(seconds) for seconds in times[state]] for state in STATES]
        found = {}
        for state, seconds in zip(STATES, fast, strict=True):
            faults = [sample.faults for pair in pairs for sample in pair[state]]
            found[f"{state}_ms"] = 1e3 * stats.geometric_mean(seconds)
            found[f"{state}_faults"] = sum(faults) / len(faults)
        return {
            **found,
            "ratio": ratio.value,
            "ratio_low": ratio.low,
            "ratio_high": ratio.high,
            "ratios": " ".join(f"{ours / theirs:.4f}" for ours, theirs in zip(*fast, strict=True)),
            "processes": PROCESSES,
            "rounds": ROUNDS,
            **beside,
        }


@dataclass(frozen=True)
class Sample:
    """Processor time of the thread, in seconds a forward pass, and page faults of it."""

    seconds: float
    faults: float


def by_turns(cell: Cell, rng: random.Random) -> dict[str, list[Sample]]:
    """Samples of two fresh processes, one of each state; a round has one of both."""
    with _process(cell, "default") as default, _process(cell, "kept") as kept:
        runs = {"default": default, "kept": kept}
        for run in runs.values():
            run(_warm_up)
        found: dict[str, list[Sample]] = {state: [] for state in STATES}
        for _ in range(ROUNDS):
            for state in rng.sample(STATES, len(STATES)):
                found[state].append(runs[state](_sample))
    return found


Run = Callable[[Callable[[], Any]], Any]
"""Calls a function of this file in another process and waits for its value."""


@contextmanager
def _process(cell: Cell, state: str) -> Iterator[Run]:
    """A fresh process that holds the network of a cell and ends with ours."""
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, spawn) as pool,
        keeping_memory() if state == "kept" else nullcontext(),
    ):
        pool.submit(_hold, cell, os.getpid()).result()  # it starts here, with what is set by now
        yield lambda function: pool.submit(function).result()


_here: dict[str, Any] = {}
"""What a process of `_process` holds: its forward pass, and the passes that fill a sample."""


def _hold(cell: Cell, parent: int) -> None:
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=leave_with, args=(parent,), daemon=True).start()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = models.create(cell.backbone, cell.module, cell.variant).eval()
    channels = model.pretrained_cfg["input_size"][0]
    size = cell.image_size or 224
    images = torch.randn(cell.batch_size or 1, channels, size, size)
    _here["forward"] = torch.inference_mode()(lambda: model(images))


def _warm_up() -> None:
    _here["calls"] = calibrate(_here["forward"], cpu_timer, SAMPLE_S)


def _sample() -> Sample:
    calls = _here["calls"]
    before, busy = _faults(), time.thread_time()
    cpu_timer(_here["forward"], calls)
    return Sample((time.thread_time() - busy) / calls, (_faults() - before) / calls)


def _faults() -> int:
    import resource  # no module of Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
