"""What there is to gain on a mechanism task, and what is right without what it asks for."""

from __future__ import annotations

import pandas as pd

from benchmarks import compare, display, pairing, segmentation, tables, task_controls
from benchmarks.cells import MODULES
from benchmarks.controls import NAMES
from benchmarks.floors import BRIGHTNESS, CANVAS, UNREAD
from benchmarks.headroom import WITHOUT
from benchmarks.mechanism import RECIPE, SIZES, TASKS
from benchmarks.site import own_tasks, paired
from benchmarks.site.html import Entry, Head, absent, table, value
from benchmarks.site.origin import origin
from benchmarks.site.words import after, listed
from benchmarks.store import Store

TITLE = "What there is to gain"
EASY = "made easy"
PAIRS = {task: (f"{EASY}, {task}", f"none, {task}") for task in WITHOUT}
NOTHING = Entry("–")


def _runs(store: Store) -> dict[str, pd.DataFrame]:
    """The bare network's runs by task, on its scenes and, as another arm, on easy ones."""
    made = {}
    for task in TASKS:
        easy = pairing.runs_of(store, "headroom", f"{task} {EASY}", data=task)
        bare = task_controls.rows(store, task, {"none"})
        made[task] = pd.concat([bare, easy.assign(arm=EASY)])
    return made


def _judged(made: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, str]:
    """A line a task that can be made easy, one family for Holm, and what a preview begins with."""
    rows = paired.with_tasks(made)
    frame = compare.judge(rows, PAIRS, {}).set_index("key", drop=False)
    start = compare.preview_words(frame, pairing.among(rows)[0], frame["arm"]) if len(rows) else ""
    return frame, start


def lines(store: Store) -> int:
    """How many lines of the table have a verdict."""
    return int(_judged(_runs(store))[0]["verdict"].notna().sum())


def headroom(store: Store) -> str:
    """A line a task: guessing, the floors, the bare network, and that without the difficulty."""
    made = _runs(store)
    known = {task: [_floor(store, task, what) for what in (BRIGHTNESS, UNREAD)] for task in TASKS}
    floors = pd.concat([rows for found in known.values() for rows in found])
    if floors.empty and not any((rows["arm"] == EASY).any() for rows in made.values()):
        return absent(TITLE)
    frame, start = _judged(made)
    heads = (
        Head("Task", number=False),
        Head("Guessing", "%"),
        Head("Brightness alone", "%, mean"),
        Head("Mark unread", "%, mean"),
        Head("None", "%, mean"),
        Head("Made easy", number=False),
        Head("None there", "%, mean"),
        Head("Left to gain", "points [95 %]"),
    )
    body = []
    for task, rows in made.items():
        done = tables.ok(rows)
        bare, easy = (done[done["arm"] == arm] for arm in ("none", EASY))
        guess = 100 / bare["classes"].iloc[0] if len(bare) else None
        bright, unread = (value(display.percent, mine["top1"].mean()) for mine in known[task])
        last = [NOTHING, NOTHING]
        if task in WITHOUT:
            row = tables.records(frame.loc[[task]])[0]
            last = [value(display.percent, easy["top1"].mean()), paired.difference(row)]
        body.append(
            (
                Entry(task),
                value(display.percent, guess),
                bright,
                unread if task == "mark" else NOTHING,
                value(display.percent, bare["top1"].mean()),
                Entry(WITHOUT.get(task, "the question is the difficulty")),
                *last,
            )
        )
    train, test = (display.whole(size) for size in SIZES[RECIPE])
    words = [f"the bare network, {train} training scenes, {test} test scenes"]
    words += ["both trainings of a seed show the same objects"]
    words += paired.across(paired.with_tasks(made), PAIRS.values())
    note = after(start, "; ".join([*words, paired.ADJUSTED]))
    places = origin(store, pd.concat([*made.values(), floors]), "mechanism", "headroom", "floors")
    return table(TITLE, note, heads, body, places)


def _floor(store: Store, data: str, known: str) -> pd.DataFrame:
    """The rows of a floor, one a seed."""
    return tables.ok(pairing.runs_of(store, "floors", f"{data}, {known}", data=data, recipe=known))


def facts(store: Store) -> dict[str, str]:
    """Floors and headroom in words."""
    canvas = _floor(store, segmentation.SCENES.data, CANVAS)
    return {
        "floors.mark": _percent(_floor(store, "mark", UNREAD)["top1"]),
        "floors.pair": _percent(_floor(store, "pair", BRIGHTNESS)["top1"]),
        "floors.canvas": _percent(canvas["pixel_accuracy"]),
        "floors.canvas_miou": _percent(canvas["miou"]),
        "floors.below": _below(store),
        "headroom.left": _left(store),
        "headroom.taken": _taken(store),
    }


def _percent(shares: pd.Series) -> str:
    return f"{display.percent(shares.mean())} %" if len(shares) else display.MISSING


def _below(store: Store) -> str:
    """The arms whose mean is no higher than a floor of their task, by task."""
    said = []
    for task, known in {"mark": UNREAD, "pair": BRIGHTNESS}.items():
        floor = _floor(store, task, known)
        done = tables.ok(task_controls.rows(store, task, {*MODULES, *NAMES}))
        if floor.empty or done.empty:
            return display.NOT_YET
        means = done.groupby("arm")["top1"].mean()
        arms = tables.in_order(means.index[means <= floor["top1"].mean()])
        names = listed([NAMES.get(arm, arm) for arm in arms])
        said.append(f"on *{task}* {names or 'none of them'}")
    return "; ".join(said)


def _left(store: Store) -> str:
    """What the bare network gains where a task is made easy, task by task."""
    frame, start = _judged(_runs(store))
    if frame["difference"].isna().any():
        return display.NOT_YET
    said = [f"*{row.key}* {_with_ends(row)}" for row in tables.records(frame)]
    return after(start, f"{', '.join(said)} points", ": ")


def _taken(store: Store) -> str:
    """What the modules made for these tasks are less none, gates rescaled, task by task."""
    frame = own_tasks.against_none(own_tasks.with_gates_rescaled(store))
    said = []
    for line, (task, arm) in own_tasks.NAMED.items():
        row = tables.records(frame.loc[[line]])[0]
        if task in WITHOUT:
            if not display.given(row.difference):
                return display.NOT_YET
            said.append(f"{own_tasks.rescaled_name(arm)} on *{task}* {_with_ends(row)}")
    return f"{', '.join(said)} points"


def _with_ends(row: pd.Series) -> str:
    return display.interval(display.points, row.difference, row.low, row.high)
