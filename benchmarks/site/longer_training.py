"""The tasks of `mechanism` that are trained for longer too: what becomes of the differences."""

from __future__ import annotations

import pandas as pd

from benchmarks import compare, display, pairing, tables
from benchmarks.cells import MODULES, Selection, benchmarks
from benchmarks.mechanism import LONG, LONG_TASKS, RECIPE, TASKS
from benchmarks.recipes import RECIPES
from benchmarks.site import paired
from benchmarks.site.html import Entry, Head, absent, table
from benchmarks.site.judged import seeds, top1
from benchmarks.site.mechanism import guessing, training_loss
from benchmarks.site.origin import origin
from benchmarks.site.paired import difference
from benchmarks.site.words import after, comparison
from benchmarks.store import Store

EPOCHS = RECIPES[RECIPE].epochs, RECIPES[LONG].epochs
"""Of the short and the long training."""


def longer(store: Store) -> str:
    """A table a task: every arm against none, after the short and the long training."""
    made = {task: pairing.task_rows(store, task, LONG) for task in LONG_TASKS}
    if all(rows.empty for rows in made.values()):
        return absent(f"The tasks {' and '.join(LONG_TASKS)} with {EPOCHS[1]} epochs")
    return "\n".join(_task(store, task, rows) for task, rows in made.items())


def _task(store: Store, task: str, rows: pd.DataFrame) -> str:
    title = f"{task.capitalize()}, {EPOCHS[0]} and {EPOCHS[1]} epochs: {TASKS[task].question}"
    if rows.empty:
        return absent(title)
    short = pairing.task_rows(store, task)
    short = short[short["recipe"] == RECIPE]
    arms = tables.in_order([*MODULES, *short["arm"], *rows["arm"]])
    before, frame = (compare.judged(part, expected=arms) for part in (short, rows))
    first = tables.by_arm(before)
    heads = (
        Head("Module", number=False),
        Head("Made for it", number=False),
        *(Head("Difference to none", f"{n} epochs, points [95 %]") for n in EPOCHS),
        *(Head("Accuracy", f"{n} epochs, %") for n in EPOCHS),
        *(Head("Training loss", f"{n} epochs, nat") for n in EPOCHS),
        Head("Seeds", f"{EPOCHS[1]} epochs"),
    )
    body = [
        (
            Entry(row.arm),
            Entry("yes" if row.arm in TASKS[task].named else "no"),
            difference(first[row.arm]),
            difference(row),
            top1(first[row.arm]),
            top1(row),
            *(training_loss(part, row.arm) for part in (short, rows)),
            seeds(row),
        )
        for row in tables.records(frame)
    ]
    start = compare.preview_words(frame, pairing.among(rows)[0])
    words = [start] if start else []
    if len(done := tables.ok(rows)):
        words.append(guessing(done))
    both = pd.concat([short, rows])
    for epochs, part in zip(EPOCHS, (short, rows), strict=True):
        words += [f"{epochs} epochs: {word}" for word in paired.across_none(part)]
    note = "; ".join(filter(None, [", ".join(words), paired.ADJUSTED_BY_COLUMN]))
    return table(title, note, heads, body, origin(store, both, "mechanism"))


def facts(store: Store) -> dict[str, str]:
    """How many runs are there; what becomes of the modules that a task is made for, by task."""
    there = int((store.table("mechanism")["recipe"] == LONG).sum())
    cells = benchmarks()["mechanism"].cells(Selection("cpu"))
    planned = sum(cell.recipe == LONG for cell in cells)
    runs = f"{there} of {planned} runs are there" if there else f"{planned} runs, none of them yet"
    said = {f"mechanism.longer.{task}": _sentence(store, task) for task in LONG_TASKS}
    return {**said, "mechanism.longer.runs": runs}


def _sentence(store: Store, task: str) -> str:
    rows = pairing.task_rows(store, task, LONG)
    frame = compare.judged(rows)
    compared = frame[frame["pairs"].notna() & frame["arm"].isin(TASKS[task].named)]
    if compared.empty:
        return display.MISSING
    start = compare.preview_words(frame, pairing.among(rows)[0])
    said = "; ".join(f"{row.arm}: {comparison(row)}" for row in tables.records(compared))
    return after(start, said, ": ")
