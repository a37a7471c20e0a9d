"""Training speed: the suite's loop beside a bare one, and beside timm's training script.

The bare loop is forward, loss, backward and optimiser step over batches that were made before the
clock starts; nothing that trains can be faster, and what the suite's loop takes more is what its
augmentation, averaging, schedule and curves cost. timm's script is timed by its own log, on as many
cores as the suite's processes beside it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from benchmarks import loops, timm_script
from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.latency import cores, one_timing_job
from benchmarks.loops import LoopFailed, Process, Setup
from benchmarks.recipes import RECIPES
from benchmarks.stats import Interval, fastest, ratio_interval

LOOP, BARE = "loop", "bare loop"
MACHINE, SCRIPT, SCRIPT_PLAIN = "loop on all cores", "timm script", "timm script, no augmentation"
PROCESSES, ROUNDS, BATCHES = 2, 6, 16
"""Of the comparison with the bare loop: fresh processes, rounds in each, batches in a sample."""
EPOCH = 64
"""Batches in an epoch of the comparison with timm's script."""


class Throughput(Benchmark):
    """Images a second of the suite's loop, the bare loop and timm's script."""

    name = "throughput"
    title = "Training speed"
    exclusive = True
    default_seconds = 18.0
    code = (
        "benchmarks/loops.py",
        "benchmarks/throughput.py",
        "benchmarks/timm_script.py",
        "benchmarks/training.py",
        "benchmarks/stats.py::fastest",
        "benchmarks/stats.py::ratio_interval",
    )
    columns = (
        Column("images_per_second", "number", "images/s", "training rate of the fastest sample"),
        Column(
            "ratio",
            "number",
            "",
            "images_per_second over that of what it is compared with in the same session; for the "
            "bare loop itself that of its second copy, whose truth is 1",
        ),
        Column("ratio_low", "number", "", "lower end of the 95 % bootstrap interval of ratio"),
        Column("ratio_high", "number", "", "upper end of the 95 % bootstrap interval of ratio"),
        Column("against", "string", "", "what it is compared with"),
        Column("processes", "integer", "", "training processes side by side"),
        Column("workers", "integer", "", "processes that load images besides"),
        Column("samples", "integer", "", "samples that images_per_second is the fastest of"),
        Column("images", "integer", "images", "training images in one sample"),
        Column("command", "string", "", "command line of timm's script, without its folders"),
        Column("script", "string", "", "release of timm whose training script ran"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """The bare loop beside the suite's at one thread and at all; then the whole machine."""
        if want.suite != "cpu" or want.device != "cpu" or want.modules:
            return
        common = Cell(
            self.name,
            "",
            data="fashion-mnist",
            image_size=28,
            batch_size=RECIPES[loops.RECIPE].batch_size,
        )
        every = cores()
        for backbone in want.backbones or ("resnet10_small",):
            mine = replace(common, backbone=backbone)
            for layout, threads in dict.fromkeys([("nchw", 1), ("nchw", every), ("nhwc", 1)]):
                for recipe in (BARE, LOOP):
                    yield replace(mine, layout=layout, threads=threads, recipe=recipe)
            for layout in ("nchw", "nhwc"):
                for recipe in (SCRIPT, MACHINE, SCRIPT_PLAIN):
                    for threads in dict.fromkeys([1, every]):
                        yield replace(mine, layout=layout, threads=threads, recipe=recipe)

    def same_machine(self, cell: Cell) -> bool:
        """A rate of another machine says nothing here."""
        return True

    def configuration(self, cell: Cell) -> Any:
        """The layers of the model."""
        from benchmarks.accuracy import layers

        return layers(cell.backbone, "none", "")

    def group(self, cell: Cell) -> Hashable:
        """The two loops of a setting; all that fill the machine with one layout."""
        if cell.recipe in (LOOP, BARE):
            return replace(cell, recipe="")
        return cell.backbone, cell.layout

    def check(self, cells: Sequence[Cell]) -> None:
        """Load the images: DataError before any work if they are missing."""
        from benchmarks import data

        for name in {cell.data for cell in cells}:
            data.load(name)

    def measure_group(
        self, cells: Sequence[Cell]
    ) -> Iterator[tuple[Cell, dict[str, Any] | Exception]]:
        """The values of each cell of a session, or the exception that says why it has none."""
        side_by_side = cells[0].recipe in (LOOP, BARE)
        with one_timing_job():
            found = beside_bare(cells) if side_by_side else fill_machine(cells)
        yield from found.items()


def setup(cell: Cell, **changed: Any) -> Setup:
    """What a process of this cell trains."""
    return Setup(cell.backbone, cell.data, cell.layout, cell.threads or 1, **changed)


def beside_bare(cells: Sequence[Cell]) -> dict[Cell, dict[str, Any] | Exception]:
    """The suite's loop, the bare one and a copy of it, interleaved in random order."""
    names = ("suite", "bare", "copy")
    seconds: dict[str, list[list[float]]] = {name: [] for name in names}
    try:
        for seed in range(PROCESSES):
            rng = random.Random(seed)
            with Process(setup(cells[0], batches=BATCHES, seed=seed)) as process:
                process.answer()
                for name in names:
                    process.seconds(name)
                    seconds[name].append([])
                for _ in range(ROUNDS):
                    for name in rng.sample(names, len(names)):
                        seconds[name][-1].append(process.seconds(name))
    except LoopFailed as error:
        return dict.fromkeys(cells, error)
    values = {}
    for cell in cells:
        arm, baseline = (("suite", "bare"), ("copy", "bare"))[cell.recipe == BARE]
        images = BATCHES * (cell.batch_size or 1)
        rate = images / fastest(seconds["bare" if cell.recipe == BARE else "suite"])
        values[cell] = {
            "images_per_second": rate,
            **_ratio(ratio_interval(seconds[arm], seconds[baseline])),
            "against": BARE,
            "processes": 1,
            "workers": 0,
            "samples": PROCESSES * ROUNDS,
            "images": images,
        }
    return values


def fill_machine(cells: Sequence[Cell]) -> dict[Cell, dict[str, Any] | Exception]:
    """Each cell's rates on the whole machine, compared with the fastest form of timm's script."""
    rates: dict[Cell, list[float]] = {}
    failed: dict[Cell, Exception] = {}
    for cell in cells:
        try:
            rates[cell] = _MACHINE[cell.recipe](cell)
        except (LoopFailed, timm_script.ScriptFailed) as error:
            failed[cell] = error
    scripts = [cell for cell in rates if cell.recipe in (SCRIPT, SCRIPT_PLAIN)]
    if not scripts:
        nothing = LoopFailed(f"nothing to compare with: {next(iter(failed.values()))}")
        return {cell: failed.get(cell, nothing) for cell in cells}
    best = max(scripts, key=lambda cell: max(rates[cell]))
    values: dict[Cell, dict[str, Any] | Exception] = dict(failed)
    for cell, mine in rates.items():
        is_script = cell in scripts
        count = 1 if is_script else cores() // (cell.threads or 1)
        ratio = ratio_interval([[1 / r for r in mine]], [[1 / r for r in rates[best]]])
        values[cell] = {
            "images_per_second": max(mine),
            **_ratio(ratio),
            "against": f"{best.recipe}, {_threads(best)}",
            "processes": count,
            "workers": timm_script.WORKERS if is_script else 0,
            "samples": len(mine),
            "images": count * EPOCH * (cell.batch_size or 1),
            "command": " ".join(["python train.py", *_words(cell)]) if is_script else "",
            "script": timm_script.RELEASE if is_script else "",
        }
    return values


def _threads(cell: Cell) -> str:
    return f"{cell.threads} thread{'' if cell.threads == 1 else 's'}"


def _ratio(times: Interval) -> dict[str, float]:
    """A ratio of rates from one of times."""
    return {"ratio": 1 / times.value, "ratio_low": 1 / times.high, "ratio_high": 1 / times.low}


def _side_by_side(cell: Cell) -> list[float]:
    """The suite's loop in as many processes as fill the cores; each sample ends with the last."""
    count = max(1, cores() // (cell.threads or 1))
    rates = []
    with ExitStack() as stack:
        processes = [
            stack.enter_context(Process(setup(cell, batches=EPOCH, seed=seed)))
            for seed in range(count)
        ]
        for process in processes:
            process.answer()
        for _ in range(timm_script.EPOCHS):
            start = time.perf_counter()
            for process in processes:
                process.ask("suite")
            for process in processes:
                process.answer()
            seconds = time.perf_counter() - start
            rates.append(count * EPOCH * (cell.batch_size or 1) / seconds)
    return rates[1:]


def _words(cell: Cell) -> list[str]:
    plain = cell.recipe == SCRIPT_PLAIN
    size = cell.batch_size or 1
    return timm_script.options(cell.backbone, cell.layout, not plain, batch_size=size)


def _script(cell: Cell) -> list[float]:
    images = EPOCH * (cell.batch_size or 1)
    return timm_script.rates(_words(cell), cell.threads or 1, images)


_MACHINE: dict[str, Callable[[Cell], list[float]]] = {
    MACHINE: _side_by_side,
    SCRIPT: _script,
    SCRIPT_PLAIN: _script,
}
