"""What a run says while it works: what runs now, how far it is, and the time left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from benchmarks.cells import Cell, benchmarks
from benchmarks.engine import Finished
from benchmarks.runner import Plan

WIDE = 110
"""Columns of a terminal from which the bar is a long one."""


class Show:
    """A bar with the time left on a terminal, a line for each stretch of work elsewhere."""

    def __init__(self, work: Plan, jobs: int | None, console: Console, every: float = 15.0) -> None:
        self.console = console
        self.every = every
        self.estimates = work.seconds
        self.expected = work.wall_seconds(jobs)
        self.total = sum(work.seconds.values())
        self.cells = len(work.seconds)
        self.finished = 0
        self.together: dict[Cell, set[Cell]] = {}
        """What began with a cell and has no row yet."""
        self.worked = 0.0
        self.begun = time.monotonic()
        self.printed = 0.0
        self.bar = Progress(
            TextColumn("{task.fields[count]}", table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[left]}", table_column=Column(no_wrap=True)),
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
            "starting", total=max(self.total, 1e-9), count=f"0/{self.cells}", left=""
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
        left = set(cells)
        self.together.update(dict.fromkeys(cells, left))
        more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
        self.bar.update(self.task, description=f"{cells[0]}{more}", left=self.left())

    def done(self, finished: Finished) -> None:
        """One cell has its row."""
        left = self.together.pop(finished.cell, set())
        left.discard(finished.cell)
        self.finished += 1
        self.worked += self.estimates[finished.cell]
        count = f"{self.finished}/{self.cells}"
        self.bar.update(self.task, completed=self.worked, count=count, left=self.left())
        if finished.status not in ("ok", "equal"):
            self.console.print(
                f"{finished.status}: {finished.cell.title}: {finished.reason}",
                style="red",
                markup=False,
            )
        elif left and benchmarks()[finished.cell.benchmark].exclusive:
            pass  # what is timed side by side comes at once: after the first the pace looks slow
        elif not self.console.is_terminal and time.monotonic() - self.printed > self.every:
            self.printed = time.monotonic()
            self.console.print(f"[{count}] {finished.cell.title}; {self.left()}", markup=False)

    def left(self) -> str:
        """The time left: the plan's estimate, scaled by how the work went so far."""
        share = self.worked / self.total if self.total else 1.0
        elapsed = time.monotonic() - self.begun
        pace = elapsed / (share * self.expected) if share > 0.05 and self.expected else 1.0
        return f"about {duration((1 - share) * self.expected * pace)} left"


def duration(seconds: float) -> str:
    """Seconds as people say them: ``45 s``, ``3 min``, ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
