"""Training speed: the suite's loop beside a bare one, and beside timm's training script.

The bare loop is forward, loss, backward and optimiser step over batches that were made before the
clock starts; nothing that trains can be faster, and what the suite's loop takes more is what its
augmentation, averaging, schedule and curves cost. timm's script is timed by its own log, in several
forms: one training on all cores against one of the suite's, and one a core against as many of the
suite's.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import product
from typing import Any

from benchmarks import loops, surroundings
from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.latency import cores, one_timing_job
from benchmarks.loops import LoopFailed, Process
from benchmarks.provenance import versions
from benchmarks.recipes import RECIPES
from benchmarks.stats import fastest, ratio_interval
from benchmarks.whole_machine import fill_machine, form_of, forms, setup_of, speed_ratio
from benchmarks.widths import BACKBONE

LOOP, BARE = "loop", "bare loop"
PROCESSES, ROUNDS, BATCHES = 3, 6, 16
"""Of the comparison with the bare loop: fresh processes, rounds in each, batches in a sample."""
SETTINGS = (("nchw", "fp32"), ("nhwc", "fp32"), ("nhwc", "bf16"))
"""Layout and precision; the last is how the main table is trained."""


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
        "benchmarks/whole_machine.py",
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
            "training speed of all processes together: beside the bare loop the fastest sample of "
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
            "the script Student's over the turns",
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
            for form in forms():
                yield replace(mine, threads=form.threads, recipe=form.recipe)

    def same_machine(self, cell: Cell) -> bool:
        """A speed of another machine says nothing here."""
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


def beside_bare(cells: Sequence[Cell]) -> dict[Cell, dict[str, Any] | Exception]:
    """The suite's loop, the bare one and a copy of it, interleaved in random order."""
    names = ("suite", "bare", "copy")
    seconds: dict[str, list[list[float]]] = {name: [] for name in names}
    try:
        for seed in range(PROCESSES):
            rng = random.Random(seed)
            with Process(setup_of(cells[0], batches=BATCHES, seed=seed)) as process:
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
        speed = images / fastest(seconds["bare" if cell.recipe == BARE else "suite"])
        values[cell] = {
            "images_per_second": speed,
            **speed_ratio(ratio_interval(seconds[arm], seconds[baseline])),
            "against": BARE,
            "processes": 1,
            "workers": 0,
            "samples": PROCESSES * ROUNDS,
            "images": images,
        }
    return values
