"""Training speed: the suite's loop beside a bare one, and beside timm's training script.

The bare loop is forward, loss, backward and optimiser step over batches that were made before the
clock starts; nothing that trains can be faster, and what the suite's loop takes more is what its
augmentation, averaging, schedule and curves cost. timm's script is timed by its own log, in several
forms: one training on all cores against one of the suite's, and one a core against as many of the
suite's.
"""

from __future__ import annotations

import random
import time
from collections.abc import Hashable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

from benchmarks import display, loops, surroundings, timm_script
from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.latency import cores, one_timing_job
from benchmarks.loops import LoopFailed, Process, Setup
from benchmarks.provenance import versions
from benchmarks.recipes import RECIPES
from benchmarks.stats import Interval, build_interval, fastest, geometric_mean, ratio_interval
from benchmarks.widths import BACKBONE

LOOP, BARE = "loop", "bare loop"
SUITE, SCRIPT, SCRIPT_PLAIN = "suite", "timm script", "timm script, no augmentation"
ONE, EACH = "one training", "one a core"
PROCESSES, ROUNDS, BATCHES = 3, 6, 16
"""Of the comparison with the bare loop: fresh processes, rounds in each, batches in a sample."""
EPOCH, ALTERNATIONS = 40, 3
"""Of the comparison with timm's script: batches in a sample, and samples of the suite and of the
script's fastest form, by turns. Every form has one sample before, which says which is fastest."""
SETTINGS = (("nchw", "fp32"), ("nhwc", "fp32"), ("nhwc", "bf16"))
"""Layout and precision; the last is how the main table is trained."""


@dataclass(frozen=True)
class Form:
    """One way to fill the machine with training; ``workers`` load images for one training."""

    program: str
    comparison: str
    threads: int
    workers: int = 0

    @property
    def recipe(self) -> str:
        """What a cell of this form says, beside its threads."""
        if self.program == SUITE:
            return f"{SUITE}, {self.comparison}"
        return f"{self.program}, {self.comparison}, {self.workers} workers"

    @property
    def copies(self) -> int:
        """Trainings side by side."""
        return 1 if self.comparison == ONE else max(1, cores() // self.threads)


def forms(layout: str) -> tuple[Form, ...]:
    """The suite's form of each comparison, then those of the script: they differ in workers."""
    every = cores()
    found = [Form(SUITE, ONE, every), Form(SUITE, EACH, 1)]
    for program in (SCRIPT_PLAIN, SCRIPT):
        found += [Form(program, ONE, 1, 2), Form(program, EACH, 1, 1)]
        if program == SCRIPT_PLAIN:
            found += [Form(program, ONE, every, 0), Form(program, ONE, every, 2)]
            found += [Form(program, EACH, 1, 0)]
        if layout == "nhwc":
            break
    return tuple(dict.fromkeys(found))


def form_of(cell: Cell) -> Form:
    """The form that a cell asks for."""
    known = {(form.recipe, form.threads): form for form in forms(cell.layout)}
    return known[cell.recipe, cell.threads or 1]


class Throughput(Benchmark):
    """Images a second of the suite's loop, the bare loop and timm's script."""

    name = "throughput"
    title = "Training speed"
    exclusive = True
    default_seconds = 18.0
    code = (
        "benchmarks/backbones.py",
        "benchmarks/data.py",
        "benchmarks/fresh.py::environment",
        "benchmarks/loops.py",
        "benchmarks/models.py::create",
        "benchmarks/throughput.py",
        "benchmarks/timm_script.py",
        "benchmarks/training.py",
        "benchmarks/stats.py::_same_rounds",
        "benchmarks/stats.py::build_interval",
        "benchmarks/stats.py::faster_half",
        "benchmarks/stats.py::fastest",
        "benchmarks/stats.py::geometric_mean",
        "benchmarks/stats.py::ratio_interval",
    )
    columns = (
        Column(
            "images_per_second",
            "number",
            "images/s",
            "training rate of all processes together: beside the bare loop the fastest sample of "
            "each process, beside timm's script the geometric mean of the samples",
        ),
        Column(
            "ratio",
            "number",
            "",
            "images_per_second over that of what it is compared with, of samples taken by turns; "
            "for the bare loop itself that of its second copy, whose truth is 1",
        ),
        Column(
            "ratio_low",
            "number",
            "",
            "lower end of the 95 % interval of ratio: beside the bare loop by bootstrap, beside "
            "the script Student's over the turns; none for a form with one sample",
        ),
        Column("ratio_high", "number", "", "upper end of that interval"),
        Column("against", "string", "", "what it is compared with"),
        Column("processes", "integer", "", "training processes side by side"),
        Column("workers", "integer", "", "processes that load images for each of them"),
        Column("samples", "integer", "", "samples that images_per_second is from"),
        Column("images", "integer", "images", "training images in one sample, all processes"),
        Column("command", "string", "", "command line of timm's script, without its folders"),
        Column("script", "string", "", "release of timm that the training script is from"),
        Column("timm", "string", "", "release of timm that was installed, which builds the model"),
        *surroundings.COLUMNS,
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
        for backbone, (layout, precision) in product(want.backbones or (BACKBONE,), SETTINGS):
            mine = replace(common, backbone=backbone, layout=layout, precision=precision)
            counts = [1, every] if (layout, precision) == SETTINGS[0] else [1]
            for threads, recipe in product(dict.fromkeys(counts), (BARE, LOOP)):
                yield replace(mine, threads=threads, recipe=recipe)
            for form in forms(layout):
                yield replace(mine, threads=form.threads, recipe=form.recipe)

    def same_machine(self, cell: Cell) -> bool:
        """A rate of another machine says nothing here."""
        return True

    def configuration(self, cell: Cell) -> Any:
        """The layers of the model, the recipe, and the libraries that train."""
        from benchmarks.accuracy import layers

        recipe = asdict(RECIPES[loops.RECIPE])
        return layers(cell.backbone, "none", ""), recipe, versions("torch", "timm")

    def group(self, cell: Cell) -> Hashable:
        """The two loops of a setting; all forms of one comparison, layout and precision."""
        if cell.recipe in (LOOP, BARE):
            return replace(cell, recipe="")
        return cell.backbone, cell.layout, cell.precision, form_of(cell).comparison

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
            beside = surroundings.of_processor()
            found = beside_bare(cells) if side_by_side else fill_machine(cells)
        for cell, values in found.items():
            yield cell, values if isinstance(values, Exception) else values | beside


def setup(cell: Cell, **changed: Any) -> Setup:
    """What a process of this cell trains."""
    threads = cell.threads or 1
    return Setup(cell.backbone, cell.data, cell.layout, cell.precision, threads, **changed)


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
    """Rates of one comparison: every form once, then the suite and the fastest script by turns.

    What made a form the fastest is in no ratio of the turns: it is partly luck.
    """
    rates: dict[Cell, list[float]] = {}
    failed: dict[Cell, Exception] = {}
    with ExitStack() as stack:
        running: dict[Cell, list[Process]] = {}

        def sample(cell: Cell) -> None:
            try:
                if form_of(cell).program != SUITE:
                    rate = scripts_rate(cell)
                else:
                    if cell not in running:
                        running[cell] = _started(cell, stack)
                    rate = _suite_rate(cell, running[cell])
                rates.setdefault(cell, []).append(rate)
            except (LoopFailed, timm_script.ScriptFailed) as error:
                failed[cell] = error
                rates.pop(cell, None)

        for cell in cells:
            sample(cell)
        scripts = [cell for cell in rates if form_of(cell).program != SUITE]
        if not scripts:
            nothing = LoopFailed(f"nothing to compare with: {next(iter(failed.values()), '')}")
            return {cell: failed.get(cell, nothing) for cell in cells}
        best = max(scripts, key=lambda cell: rates[cell][0])
        turns = [best, *(cell for cell in rates if form_of(cell).program == SUITE)]
        for turn in range(ALTERNATIONS):
            for cell in turns[:: -1 if turn % 2 else 1]:
                if cell not in failed:
                    sample(cell)
    if best in failed:
        return {cell: failed.get(cell, failed[best]) for cell in cells}
    return {cell: failed.get(cell) or _values(cell, rates[cell], best, rates) for cell in cells}


def _values(
    cell: Cell, mine: list[float], best: Cell, rates: dict[Cell, list[float]]
) -> dict[str, Any]:
    form, theirs = form_of(cell), rates[best]
    values: dict[str, Any] = {"ratio": mine[0] / theirs[0]}
    if len(mine) > 1:
        mine, theirs = mine[1:], theirs[1:]
        values = _ratio(build_interval([[1 / r] for r in mine], [[1 / r] for r in theirs]))
    values |= {
        "images_per_second": geometric_mean(mine),
        "against": f"{best.recipe}, {display.many(best.threads, 'thread')}",
        "processes": form.copies,
        "workers": form.workers,
        "samples": len(mine),
        "images": form.copies * EPOCH * (cell.batch_size or 1),
        "timm": versions("timm")["timm"] or "",
    }
    if form.program != SUITE:
        values["command"] = " ".join(["python train.py", *_words(cell)])
        values["script"] = timm_script.RELEASE
    return values


def _ratio(times: Interval) -> dict[str, float]:
    """A ratio of rates from one of times."""
    return {"ratio": 1 / times.value, "ratio_low": 1 / times.high, "ratio_high": 1 / times.low}


def _started(cell: Cell, stack: ExitStack) -> list[Process]:
    """The suite's processes of a form, each after one epoch."""
    processes = [
        stack.enter_context(Process(setup(cell, batches=EPOCH, seed=seed)))
        for seed in range(form_of(cell).copies)
    ]
    for process in processes:
        process.answer()
    _suite_rate(cell, processes)
    return processes


def _suite_rate(cell: Cell, processes: Sequence[Process]) -> float:
    """Images a second of an epoch in every process; it ends with the last."""
    start = time.perf_counter()
    for process in processes:
        process.ask("suite")
    for process in processes:
        process.answer()
    seconds = time.perf_counter() - start
    return len(processes) * EPOCH * (cell.batch_size or 1) / seconds


def scripts_rate(cell: Cell) -> float:
    """Images a second of timm's script, in as many processes as the form has."""
    form, size = form_of(cell), cell.batch_size or 1
    return timm_script.rate(_words(cell), form.threads, EPOCH * size, size, form.copies)


def _words(cell: Cell) -> list[str]:
    form = form_of(cell)
    return timm_script.options(
        cell.backbone,
        cell.layout,
        cell.precision,
        form.program == SCRIPT,
        recipe=RECIPES[loops.RECIPE],
        workers=form.workers,
        copies=form.copies,
    )
