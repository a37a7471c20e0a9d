"""The clock itself: three ways of timing, tested on differences whose truth is known.

The network is one small layer run many times, so that a slower one is made by running the layer
more often: 334 times against 333 are 1/333 = 0.300 % more work, 343 times 10/333 = 3.003 %. A copy
of the network is 0 %. Each way of timing compares the same networks, beside nothing else and beside
two processes that are busy and idle by turns (`burst`). What it says is compared with the truth.

- ``interleaved``: the protocol of `latency` by the same functions, with as many builds, and as
  many more while the noise floor is wide. They are made in one process (fresh ones would take
  seconds each, and there are hundreds of measurements), and there are more rounds of shorter
  samples after each. The copy whose ratio is reported is a third one, which is no part of the noise
  floor that it is judged by.
- ``timm``: as timm's ``benchmark.py``: one network after the other, some calls to warm up, then the
  mean of the calls that follow.
- ``torch.utils.benchmark``: one network after the other by ``Timer.blocked_autorange``, the median.

The two have no verdict of their own; the reader of two numbers is taken to call a difference of
more than 1 % one, and the warning that torch's measurement gives is taken as "can't tell". timm's
way has as many calls of a network as ours, torch's an equal share of the time that ours took.
"""

from __future__ import annotations

import gc
import math
import random
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, ClassVar

import numpy as np

from benchmarks import evaluation, latency, stats, surroundings
from benchmarks.burst import bursts
from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.evaluation import BASELINE, Arm, evaluate
from benchmarks.latency import one_timing_job
from benchmarks.timing import Forward, Record, cpu_timer, interleave

NETWORK = "repeated_layer"
FEATURES = 32
LAYERS = {"0 %": 333, "0.3 %": 334, "3 %": 343}
"""How often the layer runs in the network of each planted difference; the baseline's is 333."""

LOADS = {"quiet": (), "two bursts": (1, 2)}
"""Seeds of the processes beside the measurement."""

METHODS = ("interleaved", "timm", "torch.utils.benchmark")
REPETITIONS = 100
BUILDS = latency.BUILDS * latency.PROCESSES
MOST_BUILDS = latency.BUILDS * latency.MOST_PROCESSES["cpu"]
"""With a wide noise floor, `interleaved` goes on to these, by as many as a process makes."""

ROUNDS = 28
SAMPLE_S = 0.0002
WARMUP_S = 0.002
TORCH_SHARE = 5
"""Networks that ours holds: torch's way has this share of its time for each of its own."""

WARMUP_CALLS = 10
"""timm's default."""

WITHIN = 0.01
CANNOT_TELL = "can't tell"


@dataclass(frozen=True)
class Found:
    """What one measurement said about one planted difference."""

    ratio: float
    verdict: str
    half_width: float | None = None
    """Of the interval, as a share of the ratio."""
    builds: int | None = None


@dataclass(frozen=True)
class Budget:
    """What ours took in its measurement before: seconds in all, timed calls of each network."""

    seconds: float = 0.0
    calls: int = 0
    sample_s: float = 0.0


@dataclass(frozen=True)
class Answer:
    """What one measurement said, and what it spent."""

    found: dict[str, Found]
    spent: Budget = Budget()


Method = Callable[[random.Random, Budget], Answer]


class ClockBenchmark(Benchmark):
    """How often a way of timing is right about a planted difference."""

    name: ClassVar[str] = "clock"
    title: ClassVar[str] = "Ways of timing against planted differences"
    code: ClassVar[tuple[str, ...]] = (
        "benchmarks/burst.py",
        "benchmarks/clock.py",
        "benchmarks/latency.py::settled",
        "benchmarks/timing.py",
        *evaluation.CODE,
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
        Column("half_width", "number", "%", "median half width of the interval, of ours"),
        Column("builds", "integer", "", "fewest times that all networks were built, of ours"),
        Column("builds_mean", "number", "", "mean times that all networks were built, of ours"),
        Column("rounds", "integer", "", "samples of every network after a build, of ours"),
        Column("sample_ms", "number", "ms", "median length of a sample, of ours"),
        Column("measurement_s", "number", "s", "mean time of a measurement of all networks"),
        *surroundings.COLUMNS,
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
        return BUILDS, latency.BUILDS, MOST_BUILDS, ROUNDS, stats.VERDICT_RULE

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
            beside = surroundings.of_processor()
            with bursts(LOADS[load]):
                answers, seconds = repeat(REPETITIONS, random.Random(0))
        for cell in cells:
            mine = [answer.found[cell.variant] for answer in answers[cell.recipe]]
            ours = cell.recipe == METHODS[0]
            samples = [answer.spent.sample_s for answer in answers[cell.recipe]]
            builds = [one.builds or 0 for one in mine]
            yield (
                cell,
                {
                    "method": cell.recipe,
                    "load": load,
                    **summary(mine, LAYERS[cell.variant] / LAYERS["0 %"]),
                    "builds": min(builds) if ours else None,
                    "builds_mean": float(np.mean(builds)) if ours else None,
                    "rounds": ROUNDS if ours else None,
                    "sample_ms": 1000 * float(np.median(samples)) if ours else None,
                    "measurement_s": float(np.mean(seconds[cell.recipe])),
                    **beside,
                },
            )


def repeat(
    repetitions: int, rng: random.Random
) -> tuple[dict[str, list[Answer]], dict[str, list[float]]]:
    """Measurements and their seconds by method; after the first, the methods' order is random."""
    import torch

    torch.set_num_threads(1)
    gc.freeze()  # what is there by now need not be searched for garbage before every measurement
    methods: dict[str, Method] = dict(zip(METHODS, (interleaved, timm_way, torch_way), strict=True))
    answers: dict[str, list[Answer]] = {name: [] for name in METHODS}
    seconds: dict[str, list[float]] = {name: [] for name in METHODS}
    for _ in range(repetitions):
        order = rng.sample(METHODS, len(METHODS)) if seconds[METHODS[0]] else METHODS
        for name in order:
            budget = Budget()
            if seconds[METHODS[0]]:
                budget = replace(answers[METHODS[0]][-1].spent, seconds=seconds[METHODS[0]][-1])
            start = time.perf_counter()
            with torch.inference_mode():
                answers[name].append(methods[name](rng, budget))
            seconds[name].append(time.perf_counter() - start)
    return answers, seconds


def summary(found: Sequence[Found], truth: float) -> dict[str, Any]:
    """Shares of the verdicts in percent and quantiles of the ratios."""
    ratios = np.array([one.ratio for one in found])
    verdicts = [one.verdict for one in found]

    def share(*words: str) -> float:
        return 100 * sum(verdict in words for verdict in verdicts) / len(found)

    ends = np.quantile(ratios, (0.025, 0.25, 0.5, 0.75, 0.975))
    widths = [one.half_width for one in found if one.half_width is not None]
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
        "half_width": 100 * float(np.median(widths)) if widths else None,
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


def interleaved(rng: random.Random, budget: Budget = Budget()) -> Answer:
    """Our protocol, with builds of two copies that are the baseline and of the rest.

    ``BUILDS`` of them, and more until the noise floor is small, ``MOST_BUILDS`` at most.
    """
    counts = [LAYERS["0 %"], LAYERS["0 %"], *LAYERS.values()]
    arms: list[Arm] = [BASELINE, BASELINE, *((name, "") for name in LAYERS)]
    records: list[Record] = []
    while len(records) < MOST_BUILDS:
        enough = len(records) >= BUILDS and len(records) % latency.BUILDS == 0
        if enough and latency.settled(records, "thread"):
            break
        networks: list[Forward | str] = [""] * len(counts)
        for i in rng.sample(range(len(counts)), len(counts)):
            networks[i] = network(counts[i])
        records.append(interleave(networks, cpu_timer, ROUNDS, rng, SAMPLE_S, WARMUP_S))
    values = evaluate(arms, records, "thread")
    found = {}
    for planted in LAYERS:
        row: Any = values[planted, ""]
        width = math.sqrt(row["ratio_high"] / row["ratio_low"]) - 1
        found[planted] = Found(row["ratio"], row["verdict"], width, row["builds"])
    first = [record.timings[0] for record in records]
    calls = ROUNDS * sum(timing.calls for timing in first)
    samples = [timing.calls * seconds for timing in first for seconds in timing.seconds]
    return Answer(found, Budget(calls=calls, sample_s=float(np.median(samples))))


def timm_way(rng: random.Random, budget: Budget) -> Answer:
    """Means of as many calls as ours had, of one network after the other."""

    def mean_time(layers: int) -> float:
        forward = network(layers)
        for _ in range(WARMUP_CALLS):
            forward()
        total = 0.0
        for _ in range(budget.calls):
            start = time.perf_counter()
            forward()
            total += time.perf_counter() - start
        return total / budget.calls

    baseline = mean_time(LAYERS["0 %"])
    ratios = {planted: mean_time(layers) / baseline for planted, layers in LAYERS.items()}
    return Answer({planted: Found(ratio, read(ratio)) for planted, ratio in ratios.items()})


def torch_way(rng: random.Random, budget: Budget) -> Answer:
    """Medians of ``torch.utils.benchmark`` of one network after the other."""
    from torch.utils.benchmark import Timer

    def measurement(layers: int) -> Any:
        timer = Timer("forward()", globals={"forward": network(layers)}, num_threads=1)
        return timer.blocked_autorange(min_run_time=budget.seconds / TORCH_SHARE)

    baseline = measurement(LAYERS["0 %"])
    found = {}
    for planted, layers in LAYERS.items():
        mine = measurement(layers)
        ratio = mine.median / baseline.median
        unsure = mine.has_warnings or baseline.has_warnings
        found[planted] = Found(ratio, CANNOT_TELL if unsure else read(ratio))
    return Answer(found)


def read(ratio: float) -> str:
    """What a reader makes of a ratio without an interval."""
    if ratio > 1 + stats.RESOLUTION:
        return "slower"
    return "faster" if ratio < 1 / (1 + stats.RESOLUTION) else stats.SAME
