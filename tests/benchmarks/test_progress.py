"""What a run says while it works."""

import io
import re

import pytest
from rich.console import Console
from trouble import cell

from benchmarks import progress
from benchmarks.engine import Finished
from benchmarks.progress import Show, duration
from benchmarks.runner import Plan

CELLS = [cell("ok", seed) for seed in range(4)]


@pytest.fixture
def clock(monkeypatch):
    """The time in seconds, which the test moves."""
    time = {"now": 100.0}
    monkeypatch.setattr(progress.time, "monotonic", lambda: time["now"])
    return time


@pytest.fixture
def show(trouble, clock):
    """Four cells of an estimated 30 s each, two at a time, written to no terminal."""
    work = Plan(todo={"trouble": CELLS}, seconds=dict.fromkeys(CELLS, 30.0))
    console = Console(file=io.StringIO(), force_terminal=False, width=200)
    return Show(work, 2, console, every=15.0)


def finished(cell, status="ok", reason=""):
    return Finished(cell, {}, status, reason, 1.0)


def test_the_first_guess_is_that_of_the_plan(show):
    assert show.left() == "about 60 s left"


@pytest.mark.parametrize("cells", [1, 2, 3])
@pytest.mark.parametrize("seconds", [10, 25, 400])
def test_the_time_left_follows_the_pace_so_far(show, clock, cells, seconds):
    clock["now"] += seconds
    for done in CELLS[:cells]:
        show.done(finished(done))
    expected = seconds * (4 - cells) / cells
    assert show.left() == f"about {duration(expected)} left"


def test_nothing_is_left_at_the_end(show, clock):
    clock["now"] += 50
    for done in CELLS:
        show.done(finished(done))
    assert show.left() == "about 0 s left"


def test_elsewhere_than_on_a_terminal_a_line_comes_now_and_then(show, clock):
    with show:
        for done in CELLS:
            clock["now"] += 10
            show.begin([done])
            show.done(finished(done))
    lines = re.findall(r"\[(\d)/4\]", show.console.file.getvalue())
    assert lines == ["1", "3"]


def test_a_failure_is_told_at_once_with_its_reason_as_it_is(show):
    show.done(finished(CELLS[0]))
    show.done(finished(CELLS[1], "failed", "shape [red] does not fit"))
    (line,) = [s for s in show.console.file.getvalue().splitlines() if s.startswith("failed")]
    assert "shape [red] does not fit" in line
    assert "seed 1" in line
