"""What a run says while it works: what runs now, how far it is, and the time left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from benchmarks.cells import Cell, benchmarks
from benchmarks.engine import Finished
from benchmarks.runner import Plan, processes

WIDE = 110
"""Columns of a terminal from which the bar is a long one."""

PRIOR = 0.05
"""Share of the work that is taken to go as estimated, however the first cells went."""

EVERY_S = 15.0
"""Seconds between two lines where there is no terminal, at least."""

GOOD = ("ok", "equal")
"""Statuses that nobody needs to be told of."""

MEASURED = (*GOOD, "differs")
"""Statuses of cells whose seconds say how fast the work goes: the others end early or late."""


@dataclass
class _Group:
    """Cells that one process has at work, together or one after the other."""

    name: str
    left: set[Cell]
    since: float
    """When the process began with what is left."""


class _Left(ProgressColumn):
    """The time left, as of now."""

    def __init__(self, left: Callable[[], str]) -> None:
        super().__init__(Column(no_wrap=True))
        self.left = left

    def render(self, task: Task) -> Text:
        return Text(self.left())


class Show:
    """A bar with the time left on a terminal, a line for each stretch of work elsewhere."""

    def __init__(self, work: Plan, jobs: int | None, console: Console) -> None:
        self.console = console
        self.estimates = work.seconds
        self.total = sum(work.seconds.values())
        self.cells = len(work.seconds)
        self.processes = {n: processes(benchmarks()[n], c, jobs) for n, c in work.todo.items()}
        self.still = {n: sum(work.seconds[c] for c in cells) for n, cells in work.todo.items()}
        """Estimated seconds of what has no row yet, by benchmark."""
        self.finished = 0
        self.working: dict[Cell, _Group] = {}
        """What began and has no row yet."""
        self.lock = threading.Lock()
        """Held for the numbers of `left`, which the thread of the bar asks for."""
        self.expected = self.spent = 0.0
        """Seconds of what was measured: as estimated, and as it was."""
        self.printed = float("-inf")
        self.bar = Progress(
            TextColumn("{task.fields[count]}", table_column=Column(no_wrap=True)),
            _Left(self.left),
            BarColumn(bar_width=12 if console.width < WIDE else 24),
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
            ),
            console=console,
            expand=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task(
            "starting", total=max(self.total, 1e-9), count=f"0/{self.cells}"
        )

    def __enter__(self) -> Show:
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()

    def begin(self, cells: Sequence[Cell]) -> None:
        """A group of cells starts."""
        group = _Group(cells[0].benchmark, set(cells), time.monotonic())
        with self.lock:
            self.working.update(dict.fromkeys(cells, group))
        more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
        self.bar.update(self.task, description=f"{cells[0].title}{more}")
        self._line(f"begins: {cells[0].title}{more}")

    def done(self, finished: Finished) -> None:
        """One cell has its row."""
        cell = finished.cell
        together = benchmarks()[cell.benchmark].exclusive  # all of a group's rows come at its end
        with self.lock:
            group = self.working.pop(cell, _Group(cell.benchmark, set(), 0.0))
            group.left.discard(cell)
            if not together:
                group.since = time.monotonic()
            self.finished += 1
            self.still[cell.benchmark] -= self.estimates[cell]
            if finished.status in MEASURED:
                self.expected += self.estimates[cell]
                self.spent += finished.seconds
        worked = self.total - sum(self.still.values())
        self.bar.update(self.task, completed=worked, count=f"{self.finished}/{self.cells}")
        if finished.status not in GOOD:
            self.console.print(
                f"{finished.status}: {cell.title}: {finished.reason}", style="red", markup=False
            )
        elif not (together and group.left):
            self._line(cell.title)

    def _line(self, what: str) -> None:
        if not self.console.is_terminal and time.monotonic() - self.printed > EVERY_S:
            self.printed = time.monotonic()
            count = f"{self.finished}/{self.cells}"
            self.console.print(f"[{count}] {what}; {self.left()}", markup=False)

    def left(self) -> str:
        """The time left: the plan's estimate, scaled by how long what was measured took.

        What runs now counts as done as far as its time has gone, at most as a whole.
        """
        with self.lock:
            if self.finished == self.cells:
                return "about 0 s left"
            prior = PRIOR * self.total
            pace = (self.spent + prior) / (self.expected + prior)
            now, still = time.monotonic(), dict(self.still)
            for group in {id(group): group for group in self.working.values()}.values():
                estimate = sum(self.estimates[cell] for cell in group.left)
                still[group.name] -= min(estimate, (now - group.since) / pace)
        seconds = pace * sum(max(0.0, still[name]) / self.processes[name] for name in still)
        return f"about {duration(seconds)} left" if seconds >= 0.5 else "longer than expected"


def duration(seconds: float) -> str:
    """Seconds as people say them: ``45 s``, ``3 min``, ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
