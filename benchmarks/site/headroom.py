"""What there is to gain on a mechanism task, and what is right without what it asks for."""

from __future__ import annotations

from statistics import fmean

import pandas as pd

from benchmarks import display, pairing, segmentation, stats, tables, task_controls
from benchmarks.cells import MODULES
from benchmarks.controls import NAMES, RESCALED
from benchmarks.floors import BRIGHTNESS, CANVAS, UNREAD
from benchmarks.headroom import WITHOUT
from benchmarks.mechanism import RECIPE, SIZES, TASKS
from benchmarks.site import paired
from benchmarks.site.html import Entry, Head, absent, of_interval, table, value
from benchmarks.site.origin import origin
from benchmarks.site.words import listed
from benchmarks.store import Store

TITLE = "What there is to gain"


def headroom(store: Store) -> str:
    """A line a task: guessing, the floors, the bare network, and that without the difficulty."""
    found = {task: (_bare(store, task), _easy(store, task)) for task in TASKS}
    floors = tables.ok(store.table("floors"))
    floors = floors[floors["data"].isin(list(TASKS))]
    easy = pd.concat([easy for _, easy in found.values()])
    if floors.empty and easy.empty:
        return absent(TITLE)
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
    for task, (bare, easy_runs) in found.items():
        guess = 100 / bare["classes"].iloc[0] if len(bare) else None
        gain = paired.change(easy_runs, bare, "top1")
        no = Entry("–")
        body.append(
            (
                Entry(task),
                value(display.percent, guess),
                value(display.percent, _floor(store, task, BRIGHTNESS)),
                value(display.percent, _floor(store, task, UNREAD)) if task == "mark" else no,
                value(display.percent, bare["top1"].mean()),
                Entry(WITHOUT.get(task, "the question is the difficulty")),
                value(display.percent, easy_runs["top1"].mean()) if task in WITHOUT else no,
                gain if task in WITHOUT else no,
            )
        )
    train, test = (display.whole(size) for size in SIZES[RECIPE])
    note = f"the bare network, {train} training scenes, {test} test scenes; both trainings of a "
    note += "seed show the same objects"
    both = [pd.concat([bare, runs.assign(arm="made easy")]) for bare, runs in found.values()]
    crossed = sum(map(pairing.crossed, both))
    note += f"; {display.many(crossed, 'pair')} across two machines" if crossed else ""
    places = origin(store, pd.concat([*both, floors]), "mechanism", "headroom", "floors")
    return table(TITLE, note, heads, body, places)


def _bare(store: Store, task: str) -> pd.DataFrame:
    return tables.ok(task_controls.rows(store, task, {"none"}))


def _easy(store: Store, task: str) -> pd.DataFrame:
    return tables.ok(pairing.runs_of(store, "headroom", f"{task} made easy", data=task))


def _floor(store: Store, data: str, known: str, column: str = "top1") -> float | None:
    """The mean of a floor over the seeds, None before it has rows."""
    rows = tables.ok(store.table("floors"))
    mine = rows[(rows["data"] == data) & (rows["recipe"] == known)][column].dropna()
    return float(mine.mean()) if len(mine) else None


def facts(store: Store) -> dict[str, str]:
    """Floors and headroom in words."""
    floors = {
        "floors.mark": _percent(_floor(store, "mark", UNREAD)),
        "floors.pair": _percent(_floor(store, "pair", BRIGHTNESS)),
        "floors.canvas": _percent(
            _floor(store, segmentation.SCENES.data, CANVAS, "pixel_accuracy")
        ),
        "floors.canvas_miou": _percent(_floor(store, segmentation.SCENES.data, CANVAS, "miou")),
    }
    said = {"floors.below": _below, "headroom.left": _left, "headroom.taken": _taken}
    return floors | {key: words(store) for key, words in said.items()}


def _percent(share: float | None) -> str:
    return display.MISSING if share is None else f"{display.percent(share)} %"


def _below(store: Store) -> str:
    """The arms whose mean is no higher than a floor of their task, by task."""
    said = []
    for task, known in {"mark": UNREAD, "pair": BRIGHTNESS}.items():
        floor = _floor(store, task, known)
        done = tables.ok(task_controls.rows(store, task, {*MODULES, *NAMES}))
        if floor is None or done.empty:
            return display.NOT_YET
        means = done.groupby("arm")["top1"].mean()
        arms = tables.in_order(means.index[means <= floor])
        names = listed([NAMES.get(arm, arm) for arm in arms])
        said.append(f"on *{task}* {names or 'none of them'}")
    return "; ".join(said)


def _left(store: Store) -> str:
    """What the bare network gains where a task is made easy, task by task."""
    said = []
    for task in WITHOUT:
        gains = paired.differences(_easy(store, task), _bare(store, task), "top1")
        if not gains:
            return display.NOT_YET
        entry = of_interval(display.points, stats.student_interval(gains))
        said.append(f"*{task}* {entry.text} {entry.interval}".strip())
    return f"{', '.join(said)} points"


def _taken(store: Store) -> str:
    """What the modules made for these tasks gain of that, gates rescaled, task by task."""
    said = []
    for task in WITHOUT:
        left = paired.differences(_easy(store, task), _bare(store, task), "top1")
        gains = [_gain(store, task, module) for module in TASKS[task].named]
        if not left or not all(gains):
            return display.NOT_YET
        said.append(f"*{task}* {' and '.join(gains)} of {display.points(fmean(left))}")
    return "; ".join(said)


def _gain(store: Store, task: str, module: str) -> str:
    """A module less none in points, a gate rescaled; "" before there are pairs."""
    arm = tables.arm(*RESCALED[module]) if module in RESCALED else module
    done = tables.ok(task_controls.rows(store, task, {arm, "none"}))
    mine, bare = (done[done["arm"] == name] for name in (arm, "none"))
    found = paired.differences(mine, bare, "top1")
    return f"{NAMES.get(arm, arm)} {display.points(fmean(found))}" if found else ""
