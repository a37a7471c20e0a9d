"""What a gate costs a whole network, by layout, batch and mode: the settings beside `latency`.

`latency` times one image in NCHW and inference; here are batches, channels last and training.
The protocol and what is made of its samples are those of `latency`, with fewer builds and rounds:
a call is longer, so that a sample holds one. A session goes on while its noise floor is above
`FLOOR`, up to ``MOST_PROCESSES``.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar
from zlib import crc32

from benchmarks import alone, evaluation, models, ratios, stats, surroundings
from benchmarks.cells import Benchmark, Cell, Column, Selection, choose
from benchmarks.evaluation import BASELINE, Arm, TimingFailed, clock_of, evaluate
from benchmarks.fresh import KEEPING, ProcessDied, in_fresh_process, keeping_memory
from benchmarks.latency import one_timing_job, run_session
from benchmarks.session import Session
from benchmarks.timing import Forward, Record, cpu_timer, interleave, reason

if TYPE_CHECKING:
    import torch

BACKBONES = ("mobilenetv2_100", "resnet50")
MODULES = ("none", "se", "cbam", "eca", "coord")
SETTINGS = (
    ("inference", "nhwc", 1),
    ("inference", "nchw", 8),
    ("inference", "nhwc", 8),
    ("training", "nchw", 8),
)
"""Mode, layout, images in a batch."""

ROUNDS = {"inference": 8, "training": 4}
BUILDS = 2
PROCESSES = 3
MOST_PROCESSES = 10
FLOOR = 0.03
"""A session with a wider noise floor goes on, up to ``MOST_PROCESSES``."""

IMAGE_SIZE = 224


class Networks(Benchmark):
    """Time of a network with a gate over that of the bare one, by layout, batch and mode."""

    name: ClassVar[str] = "networks"
    title: ClassVar[str] = "Whole networks by layout, batch and mode"
    code: ClassVar[tuple[str, ...]] = (
        "attn/passes.py",
        "attn/reductions.py",
        "benchmarks/fresh.py::environment",
        "benchmarks/fresh.py::keeping_memory",
        "benchmarks/latency.py::run_session",
        "benchmarks/models.py::create",
        "benchmarks/networks.py",
        "benchmarks/session.py",
        "benchmarks/timing.py",
        *evaluation.CODE,
    )
    exclusive: ClassVar[bool] = True
    default_seconds: ClassVar[float] = 10.0
    columns: ClassVar[tuple[Column, ...]] = (
        Column(
            "latency_ms",
            "number",
            "ms",
            "wall-clock time of a batch: forward pass, and in training the backward pass to the "
            "parameters; minimum of each build, geometric mean over builds",
        ),
        *ratios.over_builds(
            "as in latency: time over that of the two copies of the bare backbone in the same "
            "session; for the bare backbone that of its second copy over the first",
        ),
        Column("clock", "string", "", "what ratio compares, as in latency"),
        *ratios.BUILDS,
        *surroundings.COLUMNS,
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """The suite `cpu`: one thread, two backbones, four settings."""
        if want.suite != "cpu" or want.device != "cpu":
            return
        arms = want.arms() if want.modules else [(m, "") for m in MODULES]
        for backbone, (mode, layout, batch) in product(want.backbones or BACKBONES, SETTINGS):
            setting = Cell(self.name, backbone, recipe=mode, layout=layout, batch_size=batch)
            setting = replace(setting, image_size=IMAGE_SIZE, threads=1)
            for module, variant in arms:
                yield replace(setting, module=module, variant=variant)

    def check(self, cells: Sequence[Cell]) -> None:
        for cell in cells:
            choose(cell.recipe, alone.MODES, "mode")
            choose(cell.layout, alone.LAYOUTS, "layout")

    def configuration(self, cell: Cell) -> Any:
        """The layers of the model, and the constants of the verdict."""
        from benchmarks.accuracy import layers

        protocol = ROUNDS[cell.recipe], BUILDS, PROCESSES, MOST_PROCESSES, FLOOR
        kept = protocol, stats.VERDICT_RULE, KEEPING
        return *kept, layers(cell.backbone, cell.module, cell.variant)

    def same_machine(self, cell: Cell) -> bool:
        """Milliseconds of another machine say nothing here."""
        return True

    def group(self, cell: Cell) -> Hashable:
        """All arms of one setting."""
        return replace(cell, module="", variant="")

    def measure(self, cell: Cell) -> dict[str, Any]:
        """The values of one cell, from a session of its own."""
        ((_, values),) = self.measure_group([cell])
        if isinstance(values, Exception):
            raise values
        return values

    def measure_group(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Any]]:
        """The values of each cell, or the exception that says why it has none."""
        wanted = {(c.module, c.variant): c for c in cells}
        arms = (BASELINE, BASELINE, *(arm for arm in wanted if arm != BASELINE))
        session = _session(cells[0], arms)
        with one_timing_job(), keeping_memory():
            beside = surroundings.of_processor()
            try:
                clock = clock_of("cpu", session.threads)
                records = until_quiet(cells[0].recipe, session, clock)
                values = evaluate(arms, records, clock, len(records) // BUILDS)
            except TimingFailed as error:
                values = dict.fromkeys(wanted, error)
        kept = {column.name for column in self.columns}
        for arm, cell in wanted.items():
            found = values[arm]
            if isinstance(found, dict):
                found = {k: v for k, v in found.items() if k in kept} | beside
            yield cell, found


def _session(cell: Cell, arms: tuple[Arm, ...]) -> Session:
    return Session(
        backbone=cell.backbone,
        arms=arms,
        layout=cell.layout,
        image_size=cell.image_size or IMAGE_SIZE,
        batch_size=cell.batch_size or 1,
        threads=cell.threads or 1,
        builds=BUILDS,
        rounds=ROUNDS[cell.recipe],
    )


def until_quiet(mode: str, session: Session, clock: str) -> list[Record]:
    """The records of ``PROCESSES`` fresh processes, and of more while the noise floor is wide.

    It looks at the two copies of the baseline alone, so that no arm ends a session by its result.
    What is there when an added process dies stays.
    """
    records = _records(mode, session, PROCESSES)
    for done in range(PROCESSES, MOST_PROCESSES):
        copies: Any = evaluate((BASELINE, BASELINE), records, clock)[BASELINE]
        floor = stats.Interval(copies["ratio"], copies["floor_low"], copies["floor_high"])
        if stats.floor_of(floor) <= FLOOR:
            break
        try:
            records += _records(mode, replace(session, seed=done), 1)
        except (TimingFailed, ProcessDied):
            break
    return records


def _records(mode: str, session: Session, processes: int) -> list[Record]:
    if mode == "inference":
        return run_session(session, processes)
    seed = crc32(repr(session).encode())
    seeds = range(seed, seed + processes)
    answers = [in_fresh_process(time_training, session, s, threads=session.threads) for s in seeds]
    return [record for answer in answers for record in answer]


def time_training(session: Session, seed: int) -> list[Record]:
    """The arms' forward and backward passes, interleaved in random order in this process.

    All arms are made anew for each of the builds.
    """
    import torch

    torch.set_num_threads(session.threads)
    torch.manual_seed(seed)
    rng = random.Random(seed)
    size = (session.batch_size, 3, session.image_size, session.image_size)
    layout = torch.channels_last if session.layout == "nhwc" else torch.contiguous_format
    images = torch.randn(size).to(memory_format=layout)
    records = []
    for _ in range(session.builds):
        steps: list[Forward | str] = [""] * len(session.arms)
        for i in rng.sample(range(len(steps)), len(steps)):  # none always gets the same memory
            try:
                steps[i] = _step(session, session.arms[i], images, layout)
            except Exception as error:
                steps[i] = reason(error)
        records.append(interleave(steps, cpu_timer, session.rounds, rng))
    return records


def _step(
    session: Session, arm: tuple[str, ...], images: torch.Tensor, layout: torch.memory_format
) -> Forward:
    import torch

    module, variant, *backbone = arm
    name = backbone[0] if backbone else session.backbone
    model = models.create(name, module, variant).train().to(memory_format=layout)
    parameters = list(model.parameters())

    def step() -> object:
        scores = model(images)
        return torch.autograd.grad(scores.square().mean(), parameters)

    return step
