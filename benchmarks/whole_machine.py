"""Trainings that fill the machine: the suite's, and timm's script in several forms.

One training on all cores is compared with one of the suite's, and one a core with as many of the
suite's; the speed of each is by its own clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks import display, loops, timm_script
from benchmarks.cells import Cell
from benchmarks.latency import cores
from benchmarks.loops import LoopFailed, Process, Setup
from benchmarks.provenance import versions
from benchmarks.recipes import RECIPES
from benchmarks.stats import Interval, build_interval, geometric_mean

SUITE, SCRIPT, SCRIPT_PLAIN = "suite", "timm script", "timm script, no augmentation"
ONE, EACH = "one training", "one a core"
EPOCH, TURNS = 40, 4
"""Batches in a sample, and samples of each form, taken by turns."""


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


def forms() -> tuple[Form, ...]:
    """The suite's form of each comparison, then those of the script: they differ in workers."""
    every = cores()
    found = [Form(SUITE, ONE, every), Form(SUITE, EACH, 1)]
    for program in (SCRIPT_PLAIN, SCRIPT):
        found += [Form(program, ONE, 1, 2), Form(program, EACH, 1, 1)]
        if program == SCRIPT_PLAIN:
            found += [Form(program, ONE, every, 0), Form(program, ONE, every, 2)]
            found += [Form(program, EACH, 1, 0)]
    return tuple(dict.fromkeys(found))


def form_of(cell: Cell) -> Form:
    """The form that a cell asks for."""
    known = {(form.recipe, form.threads): form for form in forms()}
    return known[cell.recipe, cell.threads or 1]


def setup_of(cell: Cell, **changed: Any) -> Setup:
    """What a process of this cell trains."""
    threads = cell.threads or 1
    return Setup(cell.backbone, cell.data, cell.layout, cell.precision, threads, **changed)


def speed_ratio(times: Interval) -> dict[str, float]:
    """A ratio of speeds from one of times."""
    return {"ratio": 1 / times.value, "ratio_low": 1 / times.high, "ratio_high": 1 / times.low}


def fill_machine(cells: Sequence[Cell]) -> dict[Cell, dict[str, Any] | Exception]:
    """Speeds of one comparison: every form by turns, against the script's fastest over all turns.

    Which form is the fastest is seen in the turns that it is compared by, so luck among forms that
    are close makes the suite look a little slower than it is.
    """
    speeds: dict[Cell, list[float]] = {cell: [] for cell in cells}
    failed: dict[Cell, Exception] = {}
    with ExitStack() as stack:
        stacks = {cell: stack.enter_context(ExitStack()) for cell in cells}
        running: dict[Cell, list[Process]] = {}
        for turn in range(TURNS):
            for cell in cells[:: -1 if turn % 2 else 1]:
                try:
                    if cell not in failed:
                        speeds[cell].append(_speed(cell, running, stacks[cell]))
                except (LoopFailed, timm_script.ScriptFailed) as error:
                    failed[cell] = error
                    stacks[cell].close()  # its other processes must not run beside the next form
    scripts = [c for c in cells if c not in failed and form_of(c).program != SUITE]
    if not scripts:
        nothing = LoopFailed(f"nothing to compare with: {next(iter(failed.values()), '')}")
        return {cell: failed.get(cell, nothing) for cell in cells}
    best = max(scripts, key=lambda cell: geometric_mean(speeds[cell]))
    return {cell: failed.get(cell) or _values(cell, best, speeds) for cell in cells}


def _values(cell: Cell, best: Cell, speeds: dict[Cell, list[float]]) -> dict[str, Any]:
    form = form_of(cell)
    mine, theirs = ([[1 / speed] for speed in speeds[each]] for each in (cell, best))
    values: dict[str, Any] = {
        "images_per_second": geometric_mean(speeds[cell]),
        **speed_ratio(build_interval(mine, theirs)),
        "against": f"{best.recipe}, {display.many(best.threads, 'thread')}",
        "processes": form.copies,
        "workers": form.workers,
        "samples": len(mine),
        "images": form.copies * EPOCH * (cell.batch_size or 1),
        "timm": versions("timm")["timm"] or "",
    }
    if form.program != SUITE:
        values["command"] = " ".join(["python train.py", *words(cell)])
        values["script"] = timm_script.RELEASE
    return values


def _speed(cell: Cell, running: dict[Cell, list[Process]], stack: ExitStack) -> float:
    """Images a second of one sample; the suite's processes are started once, and kept."""
    if form_of(cell).program != SUITE:
        return scripts_speed(cell)
    if cell not in running:
        running[cell] = _started(cell, stack)
    return _suite_speed(cell, running[cell])


def _started(cell: Cell, stack: ExitStack) -> list[Process]:
    """The suite's processes of a form, each after one epoch."""
    processes = [
        stack.enter_context(Process(setup_of(cell, batches=EPOCH, seed=seed)))
        for seed in range(form_of(cell).copies)
    ]
    for process in processes:
        process.answer()
    _suite_speed(cell, processes)
    return processes


def _suite_speed(cell: Cell, processes: Sequence[Process]) -> float:
    """Images a second of an epoch by each process's own clock, summed, as the script's are.

    Of several processes, one that is ahead trains another epoch, so that its core stays busy while
    the others are timed.
    """
    epochs = 1 if len(processes) == 1 else 2
    for process in processes:
        for _ in range(epochs):
            process.ask("suite")
    seconds = [[float(process.answer()) for _ in range(epochs)] for process in processes]
    return sum(EPOCH * (cell.batch_size or 1) / first for first, *_ in seconds)


def scripts_speed(cell: Cell) -> float:
    """Images a second of timm's script, in as many processes as the form has."""
    form, size = form_of(cell), cell.batch_size or 1
    return timm_script.speed(words(cell), form.threads, EPOCH * size, size, form.copies)


def words(cell: Cell) -> list[str]:
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
