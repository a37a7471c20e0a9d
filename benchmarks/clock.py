"""The clock itself: three ways of timing, tested on differences whose truth is known.

The network is one small layer run many times, so that a slower one is made by running the layer
more often: 334 times against 333 are 0.3 % more work, 343 times 3 %, exactly. A copy of the
network is 0 %. Each way of timing compares the same four networks, beside nothing else and beside
two processes that are busy and idle by turns (`burst`). What it says is compared with the truth.

- ``interleaved``: the protocol of `latency` by the same functions, with the builds of one process
  (a fresh process a build would take seconds, and there are hundreds of measurements).
- ``timm``: as timm's ``benchmark.py``: one network after the other, ten calls to warm up, then the
  mean of the calls that follow.
- ``torch.utils.benchmark``: one network after the other by ``Timer.blocked_autorange``, the median.

The two have no verdict of their own; the reader of two numbers is taken to call a difference of
more than 1 % one, and the warning that torch's measurement gives is taken as "can't tell". timm's
way has as many calls of a network as ours, torch's a quarter of the time that ours took.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np

from benchmarks import stats
from benchmarks.burst import bursts
from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.latency import BASELINE, Arm, evaluate, one_timing_job
from benchmarks.surroundings import surroundings
from benchmarks.timing import Forward, cpu_timer, interleave

NETWORK = "repeated_layer"
FEATURES = 32
LAYERS = {"0 %": 333, "0.3 %": 334, "3 %": 343}
"""How often the layer runs in the network of each planted difference; the baseline's is 333."""

LOADS = {"quiet": (), "two bursts": (1, 2)}
"""Seeds of the processes beside the measurement."""

METHODS = ("interleaved", "timm", "torch.utils.benchmark")
REPETITIONS = 100
BUILDS = 14
ROUNDS = 30
SAMPLE_S = 0.0002
WARMUP_S = 0.002
WARMUP_CALLS = 10
"""timm's default."""

WITHIN = 0.01
CANNOT_TELL = "can't tell"


@dataclass(frozen=True)
class Found:
    """What one measurement said about one planted difference."""

    ratio: float
    verdict: str


Method = Callable[[random.Random, float], dict[str, Found]]


class ClockBenchmark(Benchmark):
    """How often a way of timing is right about a planted difference."""

    name: ClassVar[str] = "clock"
    title: ClassVar[str] = "Ways of timing against planted differences"
    code: ClassVar[tuple[str, ...]] = (
        "benchmarks/burst.py",
        "benchmarks/clock.py",
        "benchmarks/latency.py::evaluate",
        "benchmarks/stats.py::build_interval",
        "benchmarks/stats.py::faster_half",
        "benchmarks/stats.py::floor_of",
        "benchmarks/stats.py::latency_verdict",
        "benchmarks/timing.py",
    )
    exclusive: ClassVar[bool] = True
    plugs: ClassVar[bool] = False
    default_seconds: ClassVar[float] = 60.0
    columns: ClassVar[tuple[Column, ...]] = (
        Column("method", "string", "", "way of timing, see the file clock.py"),
        Column("load", "string", "", "what ran beside it: quiet, or two bursty processes"),
        Column("truth", "number", "", "ratio of the two networks' work, exact by construction"),
        Column("repetitions", "integer", "", "measurements, each with networks of its own"),
        Column("within", "number", "%", "measurements whose ratio is within 1 % of the truth"),
        Column("slower", "number", "%", "measurements that called the network slower"),
        Column("faster", "number", "%", "measurements that called the network faster"),
        Column("same", "number", "%", "measurements that saw no measurable difference"),
        Column("cannot_tell", "number", "%", "measurements that said they can't tell"),
        Column("ratio_q025", "number", "", "2.5 % quantile of the measured ratios"),
        Column("ratio_q25", "number", "", "25 % quantile of the measured ratios"),
        Column("ratio_median", "number", "", "median of the measured ratios"),
        Column("ratio_q75", "number", "", "75 % quantile of the measured ratios"),
        Column("ratio_q975", "number", "", "97.5 % quantile of the measured ratios"),
        Column("measurement_s", "number", "s", "mean time of a measurement of all four networks"),
        Column("load_average", "number", "processes", "load of the machine before the first one"),
        Column("governor", "string", "", "frequency governor of the processor, if it can be read"),
        Column("affinity", "string", "", "processors that the process may run on"),
        Column("malloc", "string", "", "C library, preloaded libraries and settings of malloc"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """Every method, difference and load in the suite `cpu`; none where arms were chosen."""
        if want.suite != "cpu" or want.device != "cpu" or want.modules or want.backbones:
            return
        for load, method, planted in product(LOADS, METHODS, LAYERS):
            yield Cell(
                self.name,
                NETWORK,
                variant=planted,
                data=load,
                recipe=method,
                batch_size=1,
                threads=1,
            )

    def configuration(self, cell: Cell) -> Any:
        """The constants of the protocol that are not in the functions named above."""
        return stats.MAX_FLOOR, stats.RESOLUTION

    def same_machine(self, cell: Cell) -> bool:
        """How steady another machine is says nothing here."""
        return True

    def group(self, cell: Cell) -> Hashable:
        """All methods beside one load take turns."""
        return cell.data

    def measure(self, cell: Cell) -> dict[str, Any]:
        """The values of one cell; the other methods run too, since they take turns."""
        ((_, values),) = self.measure_group([cell])
        return values

    def measure_group(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Any]]:
        load = cells[0].data
        with one_timing_job():
            beside = surroundings("cpu")
            del beside["cudnn_benchmark"]
            with bursts(LOADS[load]):
                found, seconds = repeat(REPETITIONS, random.Random(0))
        for cell in cells:
            mine = [one[cell.variant] for one in found[cell.recipe]]
            yield (
                cell,
                {
                    "method": cell.recipe,
                    "load": load,
                    **summary(mine, LAYERS[cell.variant] / LAYERS["0 %"]),
                    "measurement_s": float(np.mean(seconds[cell.recipe])),
                    **beside,
                },
            )


def repeat(
    repetitions: int, rng: random.Random
) -> tuple[dict[str, list[dict[str, Found]]], dict[str, list[float]]]:
    """Measurements and their seconds by method; after the first, the methods' order is random."""
    import torch

    torch.set_num_threads(1)
    gc.freeze()  # what is there by now need not be searched for garbage before every measurement
    methods: dict[str, Method] = dict(zip(METHODS, (interleaved, timm_way, torch_way), strict=True))
    found: dict[str, list[dict[str, Found]]] = {name: [] for name in METHODS}
    seconds: dict[str, list[float]] = {name: [] for name in METHODS}
    for _ in range(repetitions):
        order = rng.sample(METHODS, len(METHODS)) if seconds[METHODS[0]] else METHODS
        for name in order:
            budget = seconds[METHODS[0]][-1] if seconds[METHODS[0]] else 0.0
            start = time.perf_counter()
            with torch.inference_mode():
                found[name].append(methods[name](rng, budget))
            seconds[name].append(time.perf_counter() - start)
    return found, seconds


def summary(found: Sequence[Found], truth: float) -> dict[str, Any]:
    """Shares of the verdicts in percent and quantiles of the ratios."""
    ratios = np.array([one.ratio for one in found])
    verdicts = [one.verdict for one in found]

    def share(*words: str) -> float:
        return 100 * sum(verdict in words for verdict in verdicts) / len(found)

    ends = np.quantile(ratios, (0.025, 0.25, 0.5, 0.75, 0.975))
    names = ("ratio_q025", "ratio_q25", "ratio_median", "ratio_q75", "ratio_q975")
    return {
        "truth": truth,
        "repetitions": len(found),
        "within": 100 * float(np.mean(np.abs(ratios / truth - 1) <= WITHIN)),
        "slower": share("slower"),
        "faster": share("faster"),
        "same": share(stats.SAME),
        "cannot_tell": share(CANNOT_TELL, stats.NOISY),
        **dict(zip(names, map(float, ends), strict=True)),
    }


def network(layers: int) -> Forward:
    """A network that runs one linear layer of its own so many times, on an input of its own."""
    import torch
    from torch import nn
    from torch.nn import functional

    layer = nn.Linear(FEATURES, FEATURES)
    weight, bias, images = layer.weight, layer.bias, torch.randn(1, FEATURES)

    def forward() -> object:
        x = images
        for _ in range(layers):
            x = functional.linear(x, weight, bias)
        return x

    return forward


def interleaved(rng: random.Random, budget: float = 0.0) -> dict[str, Found]:
    """Our protocol, with ``BUILDS`` builds of the networks."""
    counts = [LAYERS["0 %"], *LAYERS.values()]
    arms: list[Arm] = [BASELINE, BASELINE, *((name, "") for name in LAYERS if name != "0 %")]
    records = []
    for _ in range(BUILDS):
        networks: list[Forward | str] = [""] * len(counts)
        for i in rng.sample(range(len(counts)), len(counts)):
            networks[i] = network(counts[i])
        records.append(interleave(networks, cpu_timer, ROUNDS, rng, SAMPLE_S, WARMUP_S))
    values = evaluate(arms, records, "thread")
    found = {}
    for arm, planted in zip((BASELINE, *arms[2:]), LAYERS, strict=True):
        row: Any = values[arm]
        found[planted] = Found(row["ratio"], row["verdict"])
    return found


def timm_way(rng: random.Random, budget: float = 0.0) -> dict[str, Found]:
    """Means of calls of one network after the other."""

    def mean_time(layers: int) -> float:
        forward = network(layers)
        for _ in range(WARMUP_CALLS):
            forward()
        total = 0.0
        for _ in range(BUILDS * ROUNDS):
            start = time.perf_counter()
            forward()
            total += time.perf_counter() - start
        return total / (BUILDS * ROUNDS)

    baseline = mean_time(LAYERS["0 %"])
    ratios = {planted: mean_time(layers) / baseline for planted, layers in LAYERS.items()}
    return {planted: Found(ratio, read(ratio)) for planted, ratio in ratios.items()}


def torch_way(rng: random.Random, budget: float) -> dict[str, Found]:
    """Medians of ``torch.utils.benchmark`` of one network after the other."""
    from torch.utils.benchmark import Timer

    def measurement(layers: int) -> Any:
        timer = Timer("forward()", globals={"forward": network(layers)}, num_threads=1)
        return timer.blocked_autorange(min_run_time=budget / 4)

    baseline = measurement(LAYERS["0 %"])
    found = {}
    for planted, layers in LAYERS.items():
        mine = measurement(layers)
        ratio = mine.median / baseline.median
        unsure = mine.has_warnings or baseline.has_warnings
        found[planted] = Found(ratio, CANNOT_TELL if unsure else read(ratio))
    return found


def read(ratio: float) -> str:
    """What a reader makes of a ratio without an interval."""
    if ratio > 1 + stats.RESOLUTION:
        return "slower"
    return "faster" if ratio < 1 / (1 + stats.RESOLUTION) else stats.SAME
