"""What a run says while it works."""

import io
import re
import threading
from dataclasses import replace

import pytest
from rich.console import Console
from rich.text import Text
from trouble import cell

from benchmarks import progress
from benchmarks.engine import Finished
from benchmarks.progress import Show
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
    return Show(work, 2, console)


def finished(cell, status="ok", reason="", seconds=30.0):
    return Finished(cell, {}, status, reason, seconds)


def seconds_left(show):
    return float(re.fullmatch(r"about (\S+) s left", show.left()).group(1))


def test_the_first_guess_is_that_of_the_plan(show):
    assert show.left() == "about 60 s left"


@pytest.mark.parametrize("cells", [1, 2, 3])
@pytest.mark.parametrize("seconds", [10, 25, 45])
def test_the_time_left_follows_how_long_finished_cells_took(show, cells, seconds):
    for done in CELLS[:cells]:
        show.done(finished(done, seconds=seconds))
    at_this_pace, as_estimated = seconds * (4 - cells) / 2, 30 * (4 - cells) / 2
    between = sorted([at_this_pace, (2 * at_this_pace + as_estimated) / 3])
    assert between[0] - 0.5 <= seconds_left(show) <= between[1] + 0.5


@pytest.mark.parametrize("status", ["failed", "crashed", "timeout", "busy", "kept", "diverged"])
@pytest.mark.parametrize("seconds", [0.0, 1800.0])
def test_a_cell_that_gave_no_value_says_nothing_of_the_rest(show, status, seconds):
    show.done(finished(CELLS[0], status, seconds=seconds))
    assert seconds_left(show) == 45


def test_work_that_takes_longer_than_expected_is_said_to(show, clock):
    for done in CELLS[:3]:
        show.done(finished(done))
    show.begin(CELLS[3:])
    clock["now"] += 31
    assert show.left() == "longer than expected"


def test_what_is_timed_alone_is_not_shared_among_processes(trouble, clock, monkeypatch):
    """Four cells by two processes, then two by one: 60 s and 60 s, of which each takes its own."""
    alone = type(trouble)()
    monkeypatch.setattr(alone, "name", "alone", raising=False)
    monkeypatch.setattr(alone, "exclusive", True, raising=False)
    monkeypatch.setattr(progress, "benchmarks", lambda: {"trouble": trouble, "alone": alone})
    timed = [replace(one, benchmark="alone") for one in CELLS[:2]]
    work = Plan(todo={"trouble": CELLS, "alone": timed})
    work.seconds = dict.fromkeys([*CELLS, *timed], 30.0)
    show = Show(work, 2, Console(file=io.StringIO()))
    assert show.left() == "about 2 min left"
    for done in CELLS:
        show.done(finished(done))
    assert seconds_left(show) == 60


def test_the_thread_of_the_bar_may_ask_while_cells_come_and_go(trouble):
    """A set that changes while it is gone through would end that thread, and the bar with it."""
    cells = [cell("ok", seed) for seed in range(4000)]
    work = Plan(todo={"trouble": cells}, seconds=dict.fromkeys(cells, 1.0))
    show = Show(work, 2, Console(file=io.StringIO()))
    ended, wrong = threading.Event(), []

    def ask():
        try:
            while not ended.is_set():
                show.left()
        except RuntimeError as error:
            wrong.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for start in range(0, len(cells), 200):
            show.begin(cells[start : start + 200])
            for done in cells[start : start + 200]:
                show.done(finished(done))
    finally:
        ended.set()
        thread.join()
    assert not wrong


def test_the_time_left_goes_down_while_a_cell_runs(show, clock):
    """Two run at a time, so four cells of 30 s take 60 s; none takes longer than what it is."""
    show.begin(CELLS[:1])
    show.begin(CELLS[1:2])
    seen = []
    for _ in range(4):
        seen.append(seconds_left(show))
        clock["now"] += 15
    assert seen == [60, 45, 30, 30]


def test_work_that_runs_is_counted_once(show, clock):
    """The first of two has its row after half of the time: the other one has just begun."""
    show.begin(CELLS[:2])
    clock["now"] += 30
    assert seconds_left(show) == 45
    show.done(finished(CELLS[0]))
    assert seconds_left(show) == 45
    clock["now"] += 30
    assert seconds_left(show) == 30


def test_nothing_is_left_at_the_end(show):
    for done in CELLS:
        show.done(finished(done))
    assert show.left() == "about 0 s left"


def test_no_work_takes_no_time(trouble):
    assert Show(Plan(), None, Console(file=io.StringIO())).left() == "about 0 s left"


def test_elsewhere_than_on_a_terminal_a_line_comes_at_first_and_then_now_and_then(show, clock):
    with show:
        for done in CELLS:
            show.begin([done])
            clock["now"] += 10
            show.done(finished(done))
    lines = re.findall(r"\[(\d)/4\] (begins|trouble)", show.console.file.getvalue())
    assert lines == [("0", "begins"), ("2", "trouble"), ("4", "trouble")]


def test_what_comes_at_once_has_a_line_when_all_of_it_is_there(trouble, clock, monkeypatch):
    """After the first of a group that was timed together the rest would seem to take as long."""
    monkeypatch.setattr(trouble, "exclusive", True)
    work = Plan(todo={"trouble": CELLS}, seconds=dict.fromkeys(CELLS, 30.0))
    with Show(work, 2, Console(file=io.StringIO(), width=200)) as show:
        show.begin(CELLS[:2])
        clock["now"] += 60
        for done in CELLS[:2]:
            show.done(finished(done))
    assert re.findall(r"\[(\d)/4\].*", show.console.file.getvalue()) == ["0", "2"]
    assert "about 60 s left" in show.console.file.getvalue()


@pytest.mark.parametrize("width", [80, 200])
def test_a_terminal_shows_count_and_time_left_before_the_name_of_the_cell(trouble, clock, width):
    cells = [replace(one, backbone="a_backbone_of_a_very_long_name" * 2) for one in CELLS]
    work = Plan(todo={"trouble": cells}, seconds=dict.fromkeys(cells, 30.0))
    terminal = Console(file=io.StringIO(), force_terminal=True, width=width)
    with Show(work, 2, terminal) as show:
        show.begin(cells[:2])
        show.done(finished(cells[0]))
    text = Text.from_ansi(terminal.file.getvalue()).plain
    line = [part for part in re.split(r"[\r\n]", text) if "1/4" in part][-1]
    assert re.match(r"1/4 about \d+ s left .*trouble · a_backbone", line), line
    assert len(line) <= width


def test_a_failure_is_told_at_once_with_its_reason_as_it_is(show):
    show.done(finished(CELLS[0]))
    show.done(finished(CELLS[1], "failed", "shape [red] does not fit"))
    (line,) = [s for s in show.console.file.getvalue().splitlines() if s.startswith("failed")]
    assert "shape [red] does not fit" in line
    assert "seed 1" in line
