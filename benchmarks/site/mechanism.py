"""Modules on tasks that are made for one of them: tables, examples of scenes, a chart."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from benchmarks import compare, controls, display, pairing, tables, task_controls
from benchmarks.cells import MODULES
from benchmarks.mechanism import BACKBONE, RECIPE, SIZES, TASKS, drawings
from benchmarks.recipes import RECIPES
from benchmarks.site import paired
from benchmarks.site.charts import EVEN_PADDING, Figure, intervals, panels
from benchmarks.site.html import Entry, Head, absent, deviation, table, value
from benchmarks.site.judged import judged, judged_heads, seeds, top1
from benchmarks.site.origin import origin
from benchmarks.site.words import after
from benchmarks.store import Store

STEPS = SIZES[RECIPE][0] // RECIPES[RECIPE].batch_size * RECIPES[RECIPE].epochs
"""Steps of the optimiser in a training."""

SIDE = 96
"""Width and height of a drawn scene, px."""


def recipe() -> str:
    """How all tasks and arms are trained, in words."""
    how = RECIPES[RECIPE]
    warmup = f"{100 * how.warmup:.0f} %"
    return (
        f"{display.many(how.epochs, 'epoch')} in batches of {how.batch_size}; SGD with Nesterov "
        f"momentum of {how.momentum:g} and a weight decay of {how.weight_decay:g}, none on norms "
        f"and biases; a rate that rises to {how.lr:g} over the first {warmup} of the steps and "
        f"falls to zero; the last norm of a block starts at {how.last_gain:g}"
    )


def tasks(store: Store) -> str:
    """One table a task: every arm against the bare backbone."""
    made = {task: pairing.task_rows(store, task) for task in TASKS}
    if all(rows.empty for rows in made.values()):
        return absent("Every module on every task")
    return "\n".join(_task(store, task, rows) for task, rows in made.items())


def _task(store: Store, task: str, rows: pd.DataFrame) -> str:
    title = f"{task.capitalize()}: {TASKS[task].question}"
    if rows.empty:
        return absent(title)
    heads = (
        Head("Module", number=False),
        Head("Made for it", number=False),
        *judged_heads("accuracy"),
        Head("Accuracy", "%, mean"),
        Head("Deviation", "between seeds"),
        Head("Training loss", "last epoch, nat"),
        Head("Seeds"),
        Head("Parameters"),
    )
    frame = compare.judged(rows)
    body = [
        (
            Entry(row.arm),
            Entry("yes" if row.arm in TASKS[task].named else "no"),
            *judged(row),
            top1(row),
            deviation(row.top1_sd, row.seeds),
            training_loss(rows, row.arm),
            seeds(row),
            value(display.whole, row.params),
        )
        for row in tables.records(frame)
    ]
    return table(title, _about(rows, frame), heads, body, origin(store, rows, "mechanism"))


def _about(rows: pd.DataFrame, frame: pd.DataFrame) -> str:
    """How a task was trained, what guessing gives, how to read it; a preview begins with that."""
    start = compare.preview_words(frame, pairing.among(rows)[0])
    words = [start] if start else []
    done = tables.ok(rows)
    if len(done):
        one = done.iloc[0]
        words.append(guessing(done))
        words.append(f"{display.whole(one['train_images'])} training scenes")
        words.append(f"{display.whole(one['test_images'])} test scenes")
        words.append(display.many(one["epochs"], "epoch"))
    words += paired.across_none(rows)
    return f"{', '.join(words)}; {paired.ADJUSTED}" if words else ""


def guessing(done: pd.DataFrame) -> str:
    """What who guesses has, in words; ``done`` are rows of one task."""
    classes = int(done["classes"].iloc[0])
    loss = display.hundredth(math.log(classes))
    return f"guessing gives {display.percent(100 / classes)} % and a loss of {loss} nat"


def training_loss(rows: pd.DataFrame, arm: str) -> Entry:
    """The mean training loss of an arm's runs."""
    return value(display.hundredth, tables.ok(rows[rows["arm"] == arm])["train_loss"].mean())


def facts(store: Store) -> dict[str, str]:
    """How all tasks are trained, and which runs had hardly begun to learn one by then."""
    return {
        "mechanism.backbone": BACKBONE,
        "mechanism.recipe": recipe(),
        "mechanism.steps": str(STEPS),
        "mechanism.unlearned": _unlearned(store) or display.NOT_YET,
    }


def _unlearned(store: Store) -> str:
    """Arms with runs whose training loss is within a tenth of that of guessing, in words; or "".

    Runs and not means: of one arm some have learned the task and others have not begun.
    """
    found, measured = [], False
    for task in TASKS:
        done = tables.ok(task_controls.rows(store, task, {*MODULES, *controls.NAMES}))
        done = done[(done["recipe"] == RECIPE) & done["train_loss"].notna()]
        if done.empty:
            continue
        measured = True
        late = done["train_loss"] > 0.9 * math.log(int(done["classes"].iloc[0]))
        runs, slow = done["arm"].value_counts(), done[late]["arm"].value_counts()
        arms = [
            f"{controls.NAMES.get(arm, arm)} {_of_all(slow[arm], runs[arm])}"
            for arm in tables.in_order(slow.index)
        ]
        found += [f"on *{task}* {', '.join(arms)}"] if arms else []
    if not measured:
        return ""
    if not found:
        return f"After {STEPS} steps every run had begun to learn."
    return (
        f"Runs that had hardly begun to learn after {STEPS} steps (training loss within a tenth of "
        f"that of guessing): {'; '.join(found)}. Where these are some of an arm's runs, not all, "
        "its mean and interval may be of two kinds of run, and no run need be like the mean."
    )


def _of_all(some: int, every: int) -> str:
    """``3 of 10``, or ``all 10``."""
    return f"all {every}" if some == every else f"{some} of {every}"


def figures(store: Store) -> list[Figure]:
    """The examples and the chart."""
    return [scenes(store), differences(store)]


def scenes(store: Store) -> Figure:
    """Some test scenes of each task with their labels."""
    values: list[dict[str, Any]] = []
    for task in TASKS:
        rows = tables.ok(pairing.task_rows(store, task))
        kept = rows[rows["scenes"] != ""]["scenes"].dropna()
        for place, (label, png) in enumerate(drawings(kept.iloc[0]) if len(kept) else ()):
            url = f"data:image/png;base64,{png}"
            values.append({"task": task, "place": place, "label": label, "url": url})
    sort = [task for task in TASKS if any(v["task"] == task for v in values)]
    encoding = {
        "x": {"field": "place", "type": "ordinal", "axis": None},
        "y": {
            "field": "task",
            "type": "nominal",
            "sort": sort,
            "axis": {"title": None, "ticks": False, "domain": False, "labelPadding": 10},
        },
    }
    image = {"type": "image", "width": SIDE, "height": SIDE, "smooth": False}
    frame = {"type": "square", "size": (SIDE + 1) ** 2, "filled": False, "strokeWidth": 1}
    layers = [
        {"mark": image, "encoding": {**encoding, "url": {"field": "url"}}},
        {"mark": {**frame, "color": "@ink"}, "encoding": encoding},
        {
            "mark": {"type": "text", "dy": SIDE / 2 + 9},
            "encoding": {**encoding, "text": {"field": "label"}},
        },
    ]
    steps = {"width": {"step": SIDE + 24}, "height": {"step": SIDE + 26}}
    size: dict[str, Any] = {**steps, "padding": EVEN_PADDING, "view": {"stroke": None}}
    caption = (
        "Test scenes of each task and their labels. The channels of a noisy image are drawn beside "
        "and below each other."
    )
    alt = "; ".join(f"{v['task']}: {v['label']}" for v in values)
    return Figure("mechanism-scenes", caption, alt, values, layers, size)


def differences(store: Store) -> Figure:
    """Differences to the bare backbone with intervals, a panel a task."""
    values: list[dict[str, Any]] = []
    unfinished = False
    for task, about in TASKS.items():
        rows = pairing.task_rows(store, task)
        frame = compare.judged(rows)
        found = paired.drawn(frame, panel=f"{task}: made for {' and '.join(about.named)}")
        unfinished |= bool(found and compare.preview_words(frame, pairing.among(rows)[0]))
        values += found
    sort = tables.in_order(v["arm"] for v in values)
    layers = intervals("difference", "difference in accuracy, points", 0.0, sort)
    shown = list(dict.fromkeys(v["panel"] for v in values))
    apart = {"scale": {"x": "independent"}}
    size = panels("panel", 2, 250, {"step": 22}, shown, resolve=apart)
    caption = (
        "Difference to the bare backbone in test accuracy, by task, with 95 % intervals over the "
        f"seeds. {paired.ADJUSTED_MARKS}"
    )
    caption = after(display.PREVIEW if unfinished else "", caption, ". ")
    alt = "; ".join(f"{v['panel']}, {paired.said(v)}" for v in values)
    return Figure("mechanism", caption, alt, values, layers, size)
