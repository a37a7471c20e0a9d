"""Modules on the tasks that are made for them, as in the papers and with rescaled gates.

Each is compared with none, and with the mean of the modules that the task is not made for. Where
the gates of those are held back by the size that they start with, that mean is a weak opponent; so
the same is asked once more with every gate rescaled (`controls`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from benchmarks import compare, controls, display, pairing, tables, task_controls
from benchmarks.cells import MODULES
from benchmarks.controls import FACTORS, RESCALED
from benchmarks.mechanism import TASKS
from benchmarks.site import controls as site_controls
from benchmarks.site import paired
from benchmarks.site.html import LOST, Entry, Head, absent, table, value
from benchmarks.site.judged import top1
from benchmarks.site.origin import origin
from benchmarks.site.words import after
from benchmarks.store import Store

Made = Mapping[str, pd.DataFrame]
"""The rows of every task."""

NOTHING = Entry(display.MISSING)

ADJUSTED = paired.adjusted("the same on all tasks")
OF_CONSTANT = "that of a constant for the constants and gates of its task"

NAMED = {f"{arm}, {task}": (task, arm) for task, about in TASKS.items() for arm in about.named}
"""Task and arm of each line, by its title."""


def as_published(store: Store) -> dict[str, pd.DataFrame]:
    """The rows of every task."""
    return {task: pairing.task_rows(store, task) for task in TASKS}


def with_gates_rescaled(store: Store) -> dict[str, pd.DataFrame]:
    """The same with the rows of each gate's rescaled form in place of its own, by its name.

    All are empty where no rescaled gate was trained.
    """
    gates = {tables.arm(*arm): gate for gate, arm in RESCALED.items()}
    arms = {*MODULES, *gates} - set(FACTORS)
    made = {task: task_controls.rows(store, task, arms) for task in TASKS}
    if not any(rows["arm"].isin(list(gates)).any() for rows in made.values()):
        return {task: rows[:0] for task, rows in made.items()}
    return {
        task: rows.assign(arm=[gates.get(arm, arm) for arm in rows["arm"].astype(str)])
        for task, rows in made.items()
    }


def rescaled_name(arm: str) -> str:
    """A module as it stands among rescaled gates: ``coord × 4``, ``sk``."""
    return controls.NAMES[tables.arm(*RESCALED[arm])] if arm in RESCALED else arm


def against_none(made: Made) -> pd.DataFrame:
    """Each module on the tasks that are made for it, less none: one family, by title.

    A line of every module and task, whether the task is made for it or not.
    """
    found = {
        title: compare.paired_differences(made[task]).get(arm, [])
        for title, (task, arm) in NAMED.items()
    }
    return _family(made, found)


def against_modules(made: Made) -> pd.DataFrame:
    """The same less the mean of the modules that the task isn't made for."""
    found = {
        title: against_others(made[task], arm, TASKS[task].named)
        for title, (task, arm) in NAMED.items()
    }
    return _family(made, found)


def _family(made: Made, differences: Mapping[str, list[float]]) -> pd.DataFrame:
    lines = [
        {"arm": f"{arm}, {task}", **compare.runs(rows[rows["arm"] == arm])}
        for task, rows in made.items()
        for arm in MODULES
    ]
    there = {title: found for title, found in differences.items() if found}
    return compare.family(lines, there, planned=len(NAMED)).set_index("arm", drop=False)


def against_others(rows: pd.DataFrame, arm: str, named: tuple[str, ...]) -> list[float]:
    """An arm less the mean of the modules that a task isn't made for, for each seed with all."""
    wide = tables.ok(rows).pivot(index="seed", columns="arm", values="top1")
    others = [name for name in MODULES if name not in ("none", *named)]
    if not {arm, *others} <= set(wide):
        return []
    return (wide[arm] - wide[others].mean(axis=1, skipna=False)).dropna().astype(float).tolist()


def best_other(rows: pd.DataFrame, named: tuple[str, ...]) -> tuple[str, float] | None:
    """Of the modules that a task isn't made for the one with the highest mean, and that in %."""
    done = tables.ok(rows)
    means = done[done["arm"].isin(MODULES[1:]) & ~done["arm"].isin(named)].groupby("arm")["top1"]
    if means.ngroups == 0:
        return None
    best = means.mean().astype(float)
    return str(best.idxmax()), float(best.max())


def preview(made: Made) -> str:
    """What the comparison of all modules with their tasks has to begin with; "" without rows."""
    frame, found = against_none(made), pairing.among(pd.concat(list(made.values())))
    return compare.preview_words(frame, found[0], frame["arm"]) if found else ""


def named(store: Store) -> str:
    """Each module on the tasks that are made for it: against none, and against the others."""
    title = "Modules on the tasks made for them"
    return _table(store, title, as_published(store), {name: name for name in MODULES})


def named_rescaled(store: Store) -> str:
    """The same with every gate rescaled."""
    title = "Modules on the tasks made for them, every gate rescaled"
    return _table(store, title, with_gates_rescaled(store), {a: rescaled_name(a) for a in MODULES})


def one_by_one(store: Store) -> dict[str, str]:
    """A table for each task and module that it is made for: all that asks whether it helps there.

    As published and with every gate rescaled, less none and less the mean of the others; and of a
    gate the constant of its size less none.
    """
    made, rescaled = as_published(store), with_gates_rescaled(store)
    both = [(against_none(rows), against_modules(rows)) for rows in (made, rescaled)]
    starts = [preview(rows) for rows in (made, rescaled)]
    heads = (
        Head("Compared", number=False),
        Head("Difference", "accuracy, points [95 %]"),
        Head("Seeds"),
    )
    found = {}
    for line, (task, arm) in NAMED.items():
        (alone, among), (alone_rescaled, among_rescaled) = (
            [f.loc[line] for f in pair] for pair in both
        )
        lines = [
            (f"{arm} less none", alone),
            (f"{arm} less the mean of other modules", among),
            (f"{rescaled_name(arm)} less that mean (every gate rescaled)", among_rescaled),
        ]
        if arm in FACTORS:
            lines.insert(2, (f"{rescaled_name(arm)} less none", alone_rescaled))
        body = [_compared(name, one) for name, one in lines]
        words, parts = [*starts], [made[task], rescaled[task]]
        if arm in FACTORS:
            constant, start, rows = site_controls.constant_on(store, task, arm)
            parts.append(rows)
            body.insert(2, _compared(constant.arm, constant))
            words.append(start)
        title = f"{arm} on the task {task}: {TASKS[task].question}"
        if all(part.empty for part in parts):
            found[f"mechanism-{task}-{arm}"] = absent(title)
            continue
        rows = pd.concat(parts).drop_duplicates(["key", "machine"])
        words += [_lost(made[task]), *(w for part in parts for w in paired.across_none(part))]
        words = [*dict.fromkeys(filter(None, words)), paired.LESS, ADJUSTED]
        words += [OF_CONSTANT] if arm in FACTORS else []
        places = origin(store, rows, *dict.fromkeys(["mechanism", *rows["benchmark"]]))
        found[f"mechanism-{task}-{arm}"] = table(title, "; ".join(words), heads, body, places)
    return found


def _compared(name: str, row: Any) -> tuple[Entry, Entry, Entry]:
    return Entry(name), paired.difference(row), value(display.whole, row.pairs)


def _table(store: Store, title: str, made: Made, names: Mapping[str, str]) -> str:
    together = pd.concat(list(made.values()))
    if together.empty:
        return absent(title)
    alone, among = against_none(made), against_modules(made)
    bare = {task: compare.judged(rows).set_index("arm").loc["none"] for task, rows in made.items()}
    heads = (
        Head("Module and task", number=False),
        Head("Difference to none", "accuracy, points [95 %]"),
        Head("Difference to other modules", "their mean, points [95 %]"),
        Head("Accuracy", "%, mean"),
        Head("Best other module", "%, mean"),
        Head("Accuracy of none", "%, mean"),
        Head("Seeds", "of the difference to other modules"),
    )
    body = []
    for line, (task, arm) in NAMED.items():
        pairs = int(among["pairs"].fillna(0)[line])
        compared = (paired.difference(family.loc[line]) for family in (alone, among))
        lost = _lost(made[task]) if pairs else ""
        own = tables.ok(made[task][made[task]["arm"] == arm])["top1"].astype(float)
        best = best_other(made[task], TASKS[task].named)
        body.append(
            (
                Entry(f"{names[arm]}, {task}"),
                *compared,
                value(display.percent, own.mean()),
                Entry(display.percent(best[1]), best[1], word=names[best[0]]) if best else NOTHING,
                top1(bare[task]),
                Entry(str(pairs), pairs, word=lost),
            )
        )
    words = ["other modules: those that the task is not made for", paired.ADJUSTED_BY_COLUMN]
    for task, rows in made.items():
        words += [f"{task}: {across}" for across in paired.across_none(rows)]
    note = after(preview(made), "; ".join(words))
    sources = dict.fromkeys(["mechanism", *together["benchmark"]])
    return table(title, note, heads, body, origin(store, together, *sources))


def _lost(rows: pd.DataFrame) -> str:
    """Which arms of a task have runs without a value: ``without a value: pam 1``."""
    failed = tables.failed(rows[rows["arm"].isin(MODULES)])["arm"].value_counts()
    words = [f"{arm} {failed[arm]}" for arm in MODULES if arm in failed]
    return f"{LOST}: {', '.join(words)}" if words else ""
