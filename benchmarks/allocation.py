"""What the C library's memory allocation costs a network, and why `latency` keeps memory.

By its defaults glibc gives large blocks back to the system, at sizes that depend on what a process
freed before. The next forward pass then pays for a page fault every 4 KiB of its feature maps.
Each process here does nothing but run one network, with the defaults or with freed memory kept
(`fresh.KEEPING`), one process of each by turns in random order.
"""

from __future__ import annotations

import os
import platform
import random
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, ClassVar

from benchmarks import latency, models, ratios, stats, surroundings
from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.fresh import KEEPING, in_fresh_process, keeping_memory
from benchmarks.latency import one_timing_job
from benchmarks.timing import calibrate, cpu_timer

MODULES = ("cbam", "cam")
WITH_MODULES = ("resnet10_small", "mobilenetv2_100")
"""Backbones that are timed with `MODULES` too; all others of `latency` are timed bare."""

PROCESSES = 4
SECONDS = 2.0
"""Samples of a process together: what else the machine does comes and goes within that time."""

STATES = ("default", "kept")


class Allocation(Benchmark):
    """Time of a forward pass by glibc's defaults over that with freed memory kept."""

    name: ClassVar[str] = "allocation"
    title: ClassVar[str] = "Memory allocation"
    code: ClassVar[tuple[str, ...]] = (
        "benchmarks/allocation.py",
        "benchmarks/fresh.py::keeping_memory",
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
        Column(
            "default_faults",
            "number",
            "faults",
            "page faults that a forward pass has by the defaults, mean over processes",
        ),
        Column("kept_faults", "number", "faults", "the same where freed memory is kept"),
        Column("processes", "integer", "", "fresh processes of each kind"),
        Column("samples", "integer", "", "fewest samples in a process"),
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

        return KEEPING, stats.VERDICT_RULE, layers(cell.backbone, cell.module, cell.variant)

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
        times: dict[str, list[float]] = {state: [] for state in STATES}
        samples: list[int] = []
        faults: dict[str, list[float]] = {state: [] for state in STATES}
        with one_timing_job():
            beside = surroundings.of_processor()
            for _ in range(PROCESSES):
                for state in rng.sample(STATES, len(STATES)):
                    with keeping_memory() if state == "kept" else nullcontext():
                        seconds, count = in_fresh_process(alone, cell, SECONDS, threads=1)
                    times[state].append(stats.faster_half(seconds))
                    samples.append(len(seconds))
                    faults[state].append(count)
        ratio = stats.build_interval(*([[time] for time in times[state]] for state in STATES))
        found = {}
        for state in STATES:
            found[f"{state}_ms"] = 1e3 * stats.geometric_mean(times[state])
            found[f"{state}_faults"] = sum(faults[state]) / PROCESSES
        return {
            **found,
            "ratio": ratio.value,
            "ratio_low": ratio.low,
            "ratio_high": ratio.high,
            "processes": PROCESSES,
            "samples": min(samples),
            **beside,
        }


def alone(cell: Cell, seconds: float) -> tuple[list[float], float]:
    """Samples of one network in this process for so long, and its page faults a forward pass.

    A sample is processor time of this thread, in seconds a forward pass.
    """
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = models.create(cell.backbone, cell.module, cell.variant).eval()
    channels = model.pretrained_cfg["input_size"][0]
    size = cell.image_size or 224
    images = torch.randn(cell.batch_size or 1, channels, size, size)
    samples: list[float] = []
    with torch.inference_mode():
        calls = calibrate(lambda: model(images), cpu_timer)
        begun, before = time.monotonic(), _faults()
        while not samples or time.monotonic() - begun < seconds:
            busy = time.thread_time()
            cpu_timer(lambda: model(images), calls)
            samples.append((time.thread_time() - busy) / calls)
        faults = _faults() - before
    return samples, faults / (calls * len(samples))


def _faults() -> int:
    import resource  # no module of Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
