"""Latency of every arm as a ratio to the bare backbone, timed side by side.

One session holds the baseline, a second copy of the baseline and every variant, and times them
interleaved in random order, in several fresh processes and after several builds in each. The ratio
of the two copies, whose truth is 1, is the noise floor of the session: nothing is called slower or
faster below it. On a processor a session goes on with more processes while its floor is above the
difference that is never called one, and its processes keep the memory that they free: what a system
allocator costs depends on what was freed before, and can be as much as the network itself.
`clock` tests this protocol on planted differences.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, ClassVar
from zlib import crc32

from filelock import FileLock, Timeout

from benchmarks import evaluation, fresh, provenance, ratios, stats
from benchmarks.cells import ROOT, Benchmark, Busy, Cell, Column, Selection, choose
from benchmarks.engine import LOCK_WAIT_S
from benchmarks.evaluation import (
    BASELINE,
    TimingFailed,
    clock_of,
    evaluate,
    gpu_columns,
)
from benchmarks.fresh import KEEPING, keeping_memory
from benchmarks.nets import MOBILE, SIZES
from benchmarks.resources import cores
from benchmarks.session import Session, SessionDied, in_fresh_process
from benchmarks.surroundings import surroundings
from benchmarks.timing import Record
from benchmarks.widths import BACKBONE, WIDTHS

ROUNDS = {"cpu": 16, "cuda": 8}
BUILDS = 3
PROCESSES = 4
MOST_PROCESSES = {"cpu": 8, "cuda": PROCESSES}
"""A session ends with these, however wide its noise floor is. A GPU is often lent by the minute."""

PRECISIONS = ("fp32", "tf32", "bf16")
LAYOUTS = ("nchw", "nhwc")
ON_GPU = (
    ("nhwc", "bf16"),
    ("nchw", "fp32"),
    ("nhwc", "tf32"),
    ("nhwc", "fp32"),
    ("nchw", "tf32"),
    ("nchw", "bf16"),
)
"""Layouts and precisions of the suite ``gpu``, in the order in which they are measured: first what
networks are trained in on a GPU, then plain 32 bits."""
BACKBONES = (
    "resnet10_small",
    BACKBONE,
    "resnet18",
    "mobilenetv2_100",
    "efficientnet_b0",
    "resnet50",
)
QUICK_BACKBONES = ("resnet10_small", "resnet18", "mobilenetv2_100")
SMALL_IMAGES = {
    **dict.fromkeys(("resnet10_small", BACKBONE, *WIDTHS), (28, 32)),
    **{name: (size, 32) for name, size in SIZES.items()},
}
"""Image size and batch size on a processor of nets that are not for one image of 224 pixels."""


class TimingBusy(Busy):
    """Another timing job holds this machine, or its GPU was never quiet."""


OF_AMPERE = {"tf32": (8, 0), "bf16": (8, 0)}
"""The least compute capability of a GPU that calculates so itself."""


class Latency(Benchmark):
    """Time of a forward pass in evaluation mode, relative to the bare backbone."""

    name: ClassVar[str] = "latency"
    title: ClassVar[str] = "Latency"
    code: ClassVar[tuple[str, ...]] = (
        "benchmarks/latency.py::run_session",
        "benchmarks/device.py",
        "benchmarks/fresh.py::environment",
        "benchmarks/models.py::create",
        "benchmarks/session.py",
        "benchmarks/timing.py",
        *evaluation.CODE,
    )
    exclusive: ClassVar[bool] = True
    rounds_fp32: ClassVar[bool] = True
    default_seconds: ClassVar[float] = 25.0
    columns: ClassVar[tuple[Column, ...]] = (
        Column(
            "latency_ms",
            "number",
            "ms",
            "wall-clock time of one forward pass of a batch: minimum of each build, geometric mean "
            "over builds; compare it on one machine only",
        ),
        Column("latency_p10_ms", "number", "ms", "as latency_ms, with the 10 % quantile"),
        *ratios.over_builds(
            "time over that of the two copies of the bare backbone in the same session, by the "
            "faster half of the samples; for the bare backbone itself that of its second copy over "
            "the first, whose truth is 1; of the bare trained net at another width, over the two "
            "copies of the net itself, in its session",
        ),
        *ratios.BUILDS,
        Column("calls", "integer", "", "fewest forward passes in one sample"),
        Column(
            "load_average",
            "number",
            "processes",
            "load of the machine over the minute before the session, an earlier session included",
        ),
        Column(
            "clock",
            "string",
            "",
            "what ratio compares: thread, the processor time of the one thread that computes; "
            "wall, the time on the wall; events, the time between two events of the GPU",
        ),
        Column(
            "preempted",
            "integer",
            "",
            "samples in which the thread waited for the processor (only where clock is thread)",
        ),
        Column("affinity", "string", "", "processors that the process may run on"),
        Column("malloc", "string", "", "C library, preloaded libraries and settings of malloc"),
        Column("sm_clock_low_mhz", "integer", "MHz", "lowest clock of the GPU between rounds"),
        Column("sm_clock_high_mhz", "integer", "MHz", "highest clock of the GPU between rounds"),
        Column("discarded", "integer", "", "rounds thrown away for the state of the GPU"),
        Column("discarded_why", "string", "", "reasons of these, with counts"),
        Column("governor", "string", "", "frequency governor of the processor, if it can be read"),
        Column("cudnn_benchmark", "boolean", "", "whether cuDNN chose its algorithms by timing"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """On a processor one image at 1 thread and at all cores (``quick``: at 1), else a batch
        of 64 in both layouts and every precision. Small-image nets get a batch of small images,
        and suite ``cpu`` has the bare ones at the other widths too."""
        quick = want.suite == "quick"
        known = QUICK_BACKBONES if quick else BACKBONES
        if want.suite == "cpu":
            known = (*known, MOBILE)  # the other net of this suite's accuracies
        backbones = want.backbones or known
        common = Cell("latency", "", device=want.device, image_size=224, threads=1)
        if want.device == "cpu":
            counts = (1,) if quick else sorted({1, cores()})
            settings = [replace(common, batch_size=1, threads=n) for n in counts]
        else:
            settings = [
                replace(common, batch_size=64, layout=layout, precision=precision)
                for layout, precision in ON_GPU
            ]
        pairs = [(setting, backbone) for backbone in backbones for setting in settings]
        if want.device != "cpu":  # a setting of all backbones before the next setting
            pairs = list(product(settings, backbones))
        for setting, backbone in pairs:
            size, batch = SMALL_IMAGES.get(backbone, (setting.image_size, setting.batch_size))
            if want.device != "cpu":
                batch = setting.batch_size
            mine = replace(setting, backbone=backbone, image_size=size, batch_size=batch)
            for module, variant in want.arms():
                yield replace(mine, module=module, variant=variant)
        if want.suite == want.device == "cpu" and not want.backbones and not want.modules:
            for backbone in WIDTHS:
                size, batch = SMALL_IMAGES[backbone]
                yield replace(common, backbone=backbone, image_size=size, batch_size=batch)

    def check(self, cells: Sequence[Cell]) -> None:
        """ValueError for an unknown layout or precision."""
        for layout in {c.layout for c in cells}:
            choose(layout, LAYOUTS, "layout")
        for precision in {c.precision for c in cells}:
            choose(precision, PRECISIONS, "precision")

    def configuration(self, cell: Cell) -> Any:
        """The layers of the model, and the constants of the protocol."""
        from benchmarks.accuracy import layers

        kind = _kind(cell.device)
        protocol: tuple[Any, ...] = (ROUNDS[kind], BUILDS, PROCESSES, stats.VERDICT_RULE)
        if kind == "cpu":
            protocol += (MOST_PROCESSES[kind], KEEPING, provenance.fingerprint(ON_PROCESSOR))
        return protocol, layers(cell.backbone, cell.module, cell.variant)

    def same_machine(self, cell: Cell) -> bool:
        """Milliseconds of another machine say nothing here."""
        return True

    def group(self, cell: Cell) -> Cell:
        """All arms of one setting; the bare other widths of a trained net are among its arms."""
        other_width = cell.module == "none" and cell.backbone in WIDTHS
        backbone = BACKBONE if other_width else cell.backbone
        return replace(cell, backbone=backbone, module="", variant="")

    def measure(self, cell: Cell) -> dict[str, Any]:
        """The values of one cell, from a session of its own."""
        ((_, values),) = self.measure_group([cell])
        if isinstance(values, Exception):
            raise values
        return values

    def measure_group(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Any]]:
        """The values of each cell, or the exception that says why it has none.

        If the baseline can't be timed, no cell can. TimingBusy after half an hour of waiting, and
        where no round counted, for the state of the GPU.
        """
        first = self.group(cells[0])
        kind = _kind(first.device)
        wanted: dict[Any, Cell] = {_arm(cell, first.backbone): cell for cell in cells}
        arms = (BASELINE, BASELINE, *(arm for arm in wanted if arm != BASELINE))
        session = Session(
            backbone=first.backbone,
            arms=arms,
            device=first.device,
            precision=first.precision,
            layout=first.layout,
            image_size=first.image_size or 224,
            batch_size=first.batch_size or 1,
            threads=first.threads or cores(),
            builds=BUILDS,
            rounds=ROUNDS[kind],
            seed=first.seed or 0,
        )
        clock = clock_of(first.device, session.threads)
        if clock == "thread" and COARSE:
            clock = "wall"
        with one_timing_job(), keeping_memory() if kind == "cpu" else nullcontext():
            beside = surroundings(first.device)
            records: list[Record] = []
            try:
                require_precision(first.device, first.precision)
                records = until_settled(session, clock)
                beside |= gpu_columns(records)
                values = evaluate(arms, records, clock, len(records) // BUILDS)
            except TimingFailed as error:
                why: Exception = TimingBusy(str(error)) if _never_quiet(records) else error
                if isinstance(error.__cause__, SessionDied):
                    why = error.__cause__
                values = dict.fromkeys(wanted, why)
        for arm, cell in wanted.items():
            found = values[arm]
            yield cell, found if isinstance(found, Exception) else {**found, **beside}


def _arm(cell: Cell, backbone: str) -> tuple[str, ...]:
    """A cell in a session of a backbone."""
    arm = (cell.module, cell.variant)
    return arm if cell.backbone == backbone else (*arm, cell.backbone)


def require_precision(device: str, precision: str) -> None:
    """TimingFailed for a GPU that does not calculate in this precision itself.

    It would be timed all the same: torch takes 32 bits in place of TF32, and slow substitutes of
    the kernels for bfloat16. A fresh process asks the GPU, which no other one may use meanwhile.
    """
    least = OF_AMPERE.get(precision)
    if least is None or not device.startswith("cuda"):
        return
    found = fresh.in_fresh_process(capability, device)
    if tuple(found) < least:
        raise TimingFailed(
            f"{precision} was asked for; this GPU has compute capability {found[0]}.{found[1]}, "
            f"and calculates so from {least[0]}.{least[1]} on"
        )


def capability(device: str) -> tuple[int, int]:
    """The compute capability of a GPU."""
    import torch

    return torch.cuda.get_device_capability(device)


def _never_quiet(records: Sequence[Record]) -> bool:
    """Whether a copy of the baseline has no sample, and no error either, after a build."""
    copies = [timing for record in records for timing in record.timings[:2]]
    return any(not t.seconds for t in copies) and not any(t.error for t in copies)


def run_session(session: Session, processes: int = PROCESSES) -> list[Record]:
    """The records of fresh processes one after the other, each with an order of its own.

    An arm that ends a process while it is built or warms up (a crash, memory) is left out.
    TimingFailed if a process ends for another reason.
    """
    base = crc32(repr(session).encode())
    answers: list[list[Record]] = []
    while len(answers) < processes:
        try:
            answers.append(in_fresh_process(replace(session, seed=base + len(answers))))
        except SessionDied as died:
            if died.arm is None or died.arm < 2:
                raise TimingFailed(str(died)) from died
            session = replace(session, skip=(*session.skip, (died.arm, str(died))))
    return [record for answer in answers for record in answer]


def until_settled(session: Session, clock: str) -> list[Record]:
    """The records of ``PROCESSES`` fresh processes, and of more until they are `settled`.

    It ends with ``MOST_PROCESSES`` of the device. TimingFailed as `run_session`.
    """
    records = run_session(session)
    for done in range(PROCESSES, MOST_PROCESSES[_kind(session.device)]):
        if settled(records, clock):
            break
        try:
            records += run_session(replace(session, seed=done), processes=1)
        except TimingFailed:
            break  # what is there stays; its floor says how good it is
    return records


def settled(records: Sequence[Record], clock: str) -> bool:
    """Whether the noise floor is within the difference that is never called one.

    It looks at the two copies of the baseline alone, so that no arm ends a session by its result.
    """
    copies: Any = evaluate((BASELINE, BASELINE), records, clock)[BASELINE]
    floor = stats.Interval(copies["ratio"], copies["floor_low"], copies["floor_high"])
    return stats.floor_of(floor) <= stats.RESOLUTION


ON_PROCESSOR = tuple(
    f"{ROOT}/benchmarks/{name}"
    for name in ("fresh.py::keeping_memory", "latency.py::settled", "latency.py::until_settled")
)
"""What decides a latency on a processor and no other, beside ``Latency.code``."""


COARSE = os.name == "nt"
"""Windows counts the processor time of a thread in steps as long as a sample."""


@contextmanager
def one_timing_job(wait_s: float = LOCK_WAIT_S, path: Path | None = None) -> Iterator[None]:
    """Hold the machine's timing lock; wait with a message, raise TimingBusy after ``wait_s``."""
    path = path or _lock_of_all()
    lock = FileLock(path, mode=0o666)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"waiting for the timing job that holds {path}", file=sys.stderr, flush=True)
        try:
            lock.acquire(timeout=wait_s)
        except Timeout:
            raise TimingBusy(
                f"another timing job held {path} for {wait_s:.0f} s; two at a time would time "
                "each other: run this again when it has ended"
            ) from None
    except OSError as error:
        raise TimingBusy(f"can't open the timing lock {path}: {error}; remove the file") from error
    try:
        yield
    finally:
        lock.release()


def _lock_of_all() -> Path:
    """The lock's file, in a folder that every account of the machine may write to.

    In the folder of temporary files itself Linux lets nobody open what another account made there.
    """
    folder = Path(tempfile.gettempdir()) / "attn-bench"
    with suppress(OSError):  # another account's already, or a file: opening the lock will tell
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
    return folder / "timing.lock"


def _kind(device: str) -> str:
    """``cuda`` of ``cuda:1``; ValueError for a device that nothing here times."""
    return choose(device.partition(":")[0], tuple(ROUNDS), "device")
