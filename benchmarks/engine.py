"""Worker processes on this machine: groups of cells go in, outcomes come out one at a time.

A worker that crashes or runs too long takes only its own cells with it; when the parent is gone,
however it went, its workers leave too.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from benchmarks.cells import ROOT, Benchmark, Busy, Cell, Diverged
from benchmarks.fresh import ending, leave_with

POLL_SECONDS = 0.5

LOCK_WAIT_S = 1800.0
"""How long a timing job waits for another one."""

BUSY = "busy"
"""Status of what the machine could not measure now; no row has it."""

ENDED = ("crashed", "timeout")
"""What became of a cell whose process ended before it: that may be the machine's doing."""

OUT_OF_MEMORY = " (perhaps by the system, for want of memory: fewer --jobs need less)"

OF_THE_MACHINE = (
    "AcceleratorError",
    "MemoryError",
    "OutOfMemoryError",
    "ProcessDied",
    "SessionDied",
)
"""Exceptions that are as likely the machine's doing as the cell's: what they end has crashed."""

NICENESS = 10
"""Priority of a worker that times nothing: behind other work, before what is only idle."""


@dataclass(frozen=True)
class Finished:
    """What became of one cell."""

    cell: Cell
    values: dict[str, Any]
    status: str
    reason: str
    seconds: float


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    left: list[Cell] = field(default_factory=list)
    """Cells of its group that have not come back."""
    busy: bool = False
    started: float = 0.0
    limit: float = 0.0
    spoiled: bool = False
    """Whether a cell on a GPU failed: its process may not be able to use that GPU again."""

    def late(self) -> bool:
        return self.busy and time.monotonic() - self.started > self.limit


def measure(
    benchmark: Benchmark,
    groups: Sequence[Sequence[Cell]],
    jobs: int,
    started: Callable[[Sequence[Cell]], None],
) -> Generator[Finished, None, None]:
    """Measure groups of cells, ``jobs`` at a time; ``started`` is told what begins.

    Workers have a low priority unless the benchmark times something. Closing the iterator (or an
    exception in the caller) ends them.
    """
    queue = deque(groups)
    workers: list[_Worker] = []
    try:
        for _ in range(min(jobs, len(queue))):
            workers.append(_start(benchmark))
        while queue or any(worker.busy for worker in workers):
            for i, worker in enumerate(workers):
                if queue and not worker.busy:
                    if not worker.process.is_alive():
                        worker = workers[i] = _start(benchmark)
                    _give(worker, benchmark, queue.popleft())
                    started(worker.left)
            ready = wait([w.connection for w in workers if w.busy], timeout=POLL_SECONDS)
            for worker in workers:
                if worker.connection in ready:
                    yield from _receive(worker)
                elif worker.late():
                    yield from _lose(worker, "timeout", f"stopped after {worker.limit:.0f} s")
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join(10)
            if worker.process.is_alive():
                worker.process.kill()


def _give(worker: _Worker, benchmark: Benchmark, cells: Sequence[Cell]) -> None:
    worker.left, worker.busy, worker.started = list(cells), True, time.monotonic()
    waits = LOCK_WAIT_S if benchmark.exclusive else 0.0  # for another timing job
    worker.limit = waits + benchmark.limit_seconds * len(cells)
    with suppress(ConnectionError):  # it has just died: `_receive` will find its end
        worker.connection.send((benchmark, worker.left))


def _receive(worker: _Worker) -> Iterator[Finished]:
    try:
        finished: Finished | None = worker.connection.recv()
    except (EOFError, OSError):
        worker.process.join(10)
        code = worker.process.exitcode
        hint = OUT_OF_MEMORY if code == -9 else ""
        yield from _lose(worker, "crashed", f"its process {ending(code)}{hint}")
        return
    if finished is not None:
        worker.left.remove(finished.cell)
        failed = finished.status in ("failed", *ENDED)
        worker.spoiled |= failed and finished.cell.device.startswith("cuda")
        yield finished
        return
    worker.busy = False
    if worker.spoiled:  # the next group gets a new process
        worker.process.kill()
        worker.process.join(10)
    for cell in worker.left:
        seconds = time.monotonic() - worker.started
        yield Finished(cell, {}, "failed", "the measurement gave nothing for this cell", seconds)


def _lose(worker: _Worker, status: str, reason: str) -> Iterator[Finished]:
    """End a worker; what it had not returned gets a status."""
    worker.process.kill()
    worker.process.join(10)
    worker.busy = False
    for cell in worker.left:
        yield Finished(cell, {}, status, reason, time.monotonic() - worker.started)


def _start(benchmark: Benchmark) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    niceness = 0 if benchmark.exclusive else NICENESS
    how = (theirs, os.getpid(), niceness, benchmark.rounds_fp32)
    process = context.Process(target=_serve, args=how, daemon=False)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _serve(connection: Connection, parent: int, niceness: int, rounds_fp32: bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=leave_with, args=(parent,), daemon=True).start()
    if not rounds_fp32:
        os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # PyTorch's default is TF32 in convolutions
    if niceness:
        _give_way(niceness)
    try:
        while True:
            benchmark, cells = connection.recv()
            for finished in _measure(benchmark, cells):
                connection.send(finished)
            connection.send(None)
    except (EOFError, BrokenPipeError):
        return


def _give_way(niceness: int) -> None:
    """Lower this process behind other work, that of other terminals too.

    Linux shares the processor among sessions first (autogroups, sched(7)), so a process gives way
    to those of other terminals only in a session of its own.
    """
    with suppress(AttributeError, OSError):  # no priorities, or no autogroups, on this system
        os.nice(niceness)
        os.setsid()
        for _ in range(50):
            with suppress(BlockingIOError):  # one such change in 100 ms, on the whole machine
                Path("/proc/self/autogroup").write_text(str(niceness))
                return
            time.sleep(random.uniform(0.05, 0.2))


def _measure(benchmark: Benchmark, cells: list[Cell]) -> Iterator[Finished]:
    """Outcomes as they come; cells that are timed side by side share their time evenly."""
    if benchmark.exclusive:
        together = list(_one_by_one(benchmark, cells))
        seconds = sum(finished.seconds for finished in together) / len(cells)
        yield from (replace(finished, seconds=seconds) for finished in together)
        return
    yield from _one_by_one(benchmark, cells)


def _one_by_one(benchmark: Benchmark, cells: list[Cell]) -> Iterator[Finished]:
    begin = time.monotonic()
    left = list(cells)
    try:
        for cell, result in benchmark.measure_group(cells):
            left.remove(cell)
            yield _finished(cell, result, time.monotonic() - begin)
            begin = time.monotonic()
    except Exception as error:
        for cell in left:
            yield _finished(cell, error, time.monotonic() - begin)


def _finished(cell: Cell, result: dict[str, Any] | Exception, seconds: float) -> Finished:
    if isinstance(result, Busy):
        return Finished(cell, {}, BUSY, str(result), seconds)
    if isinstance(result, Diverged):
        return Finished(cell, result.values, "diverged", str(result), seconds)
    if not isinstance(result, dict):
        what = f"{type(result).__name__}: {result}"
        reason = what if isinstance(result, Exception) else f"it gave no values but {what}"
        hint = OUT_OF_MEMORY if "SIGKILL" in reason else ""
        reason = _public(" ".join(f"{reason}{hint}".split()))
        return Finished(
            cell, {}, "crashed" if _of_the_machine(result) else "failed", reason, seconds
        )
    return Finished(cell, result, "ok", "", seconds)


def _of_the_machine(error: object) -> bool:
    """Whether a name of `OF_THE_MACHINE` is an error's, or in the words of what a process said."""
    full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    words = (*(f"{name}: " for name in OF_THE_MACHINE), "SIGKILL")
    return full or any(word in f"{type(error).__name__}: {error}" for word in words)


def _public(reason: str) -> str:
    """A reason without the folders of this machine: tables are published."""
    folders = {str(ROOT): "."}
    with suppress(RuntimeError):  # an account without a home
        home = Path.home()
        if len(home.parts) > 1:  # the root of a container's account is in every path
            folders[str(home)] = "~"
    for folder, sign in folders.items():
        for written in (folder, folder.replace("\\", "\\\\")):  # as errors of Windows show it
            reason = reason.replace(written, sign)
    return reason
