"""Modules on the tasks that are made for them, as in the papers and with rescaled gates.

Each is compared with none, and with the mean of the modules that the task is not made for. Where
the gates of those are held back by the size that they start with, that mean is a weak opponent; so
the same is asked once more with every gate rescaled (`controls`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import pandas as pd

from benchmarks import compare, controls, display, pairing, stats, tables, task_controls
from benchmarks.cells import MODULES
from benchmarks.controls import FACTORS, RESCALED
from benchmarks.mechanism import TASKS
from benchmarks.site import controls as site_controls
from benchmarks.site import paired
from benchmarks.site.accuracy import top1
from benchmarks.site.html import Entry, Head, absent, estimate, table, value
from benchmarks.site.mechanism import preview_of
from benchmarks.site.origin import origin
from benchmarks.site.words import after, verdict_counts
from benchmarks.store import Store

Made = Mapping[str, pd.DataFrame]
"""The rows of every task."""

NOTHING = Entry(display.MISSING)

ADJUSTED = "an interval is of one line alone, a verdict is adjusted for the same on all tasks"
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
    return controls.name_of(tables.arm(*RESCALED[arm])) if arm in RESCALED else arm


def against_none(made: Made) -> dict[str, stats.Paired]:
    """Each module on the tasks that are made for it, less none: one family, by title."""
    gaps = {}
    for title, (task, arm) in NAMED.items():
        found = compare.paired_differences(made[task], "top1").get(arm)
        if found:
            gaps[title] = found
    return stats.paired(gaps) if gaps else {}


def against_modules(made: Made) -> dict[str, stats.Paired]:
    """The same less the mean of the modules that the task isn't made for."""
    gaps = {}
    for title, (task, arm) in NAMED.items():
        found = against_others(made[task], arm, TASKS[task].named)
        if found:
            gaps[title] = found
    return stats.paired(gaps) if gaps else {}


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


def lead(rows: pd.DataFrame, arm: str, named: tuple[str, ...]) -> float | None:
    """Points of an arm over the module that is nearest to it, of those a task isn't made for.

    Each difference is of the seeds that both have. None where one of the modules has none.
    """
    differences = compare.paired_differences(rows, "top1", arm)
    others = [name for name in MODULES[1:] if name not in named]
    if not set(others) <= set(differences):
        return None
    return -max(sum(differences[name]) / len(differences[name]) for name in others)


def preview(made: Made) -> str:
    """What the comparison of all modules with their tasks has to begin with."""
    rows = pd.concat(list(made.values()))
    lines = [
        {
            "arm": f"{arm}, {task}",
            "seeds": len(tables.ok(mine)),
            "failed": len(tables.failed(mine)),
        }
        for task, found in made.items()
        for arm in MODULES
        for mine in [found[found["arm"] == arm]]
    ]
    pairs = {line: float(found.n) for line, found in against_none(made).items()}
    frame = pd.DataFrame(lines)
    frame["pairs"] = frame["arm"].map(pairs)
    return preview_of(frame, rows, frame["arm"].tolist())


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
    made, freed = as_published(store), with_gates_rescaled(store)
    both = [(against_none(rows), against_modules(rows)) for rows in (made, freed)]
    starts = [preview(rows) for rows in (made, freed) if any(map(len, rows.values()))]
    heads = (
        Head("Compared", number=False),
        Head("Difference", "accuracy, points [95 %]"),
        Head("Seeds"),
    )
    found = {}
    for line, (task, arm) in NAMED.items():
        (alone, among), (alone_freed, among_freed) = ([f.get(line) for f in pair] for pair in both)
        lines = [
            (f"{arm} less none", alone),
            (f"{arm} less the mean of other modules", among),
            (f"{rescaled_name(arm)} less that mean (every gate rescaled)", among_freed),
        ]
        if arm in FACTORS:
            lines.insert(2, (f"{rescaled_name(arm)} less none", alone_freed))
        body = [(Entry(name), _paired(one), _seeds(one)) for name, one in lines]
        words, parts = [*starts], [made[task], freed[task]]
        if arm in FACTORS:
            constant, start, rows = site_controls.constant_on(store, task, arm)
            parts.append(rows)
            pairs = value(display.whole, constant.pairs)
            body.insert(2, (Entry(constant.arm), paired.difference(constant), pairs))
            words.append(start)
        title = f"{arm} on the task {task}: {TASKS[task].question}"
        if all(part.empty for part in parts):
            found[f"mechanism-{task}-{arm}"] = absent(title)
            continue
        rows = pd.concat(parts).drop_duplicates(["key", "machine"])
        words += [_lost(made[task]), *(w for part in parts for w in paired.across_none(part))]
        words = [*dict.fromkeys(filter(None, words)), ADJUSTED]
        words += [OF_CONSTANT] if arm in FACTORS else []
        places = origin(store, rows, *dict.fromkeys(["mechanism", *rows["benchmark"]]))
        found[f"mechanism-{task}-{arm}"] = table(title, "; ".join(words), heads, body, places)
    return found


def _seeds(found: stats.Paired | None) -> Entry:
    return NOTHING if found is None else value(display.whole, found.n)


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
        pairs = among[line].n if line in among else 0
        compared = _paired(alone.get(line)), _paired(among.get(line))
        lost = _lost(made[task]) if line in among else ""
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
    return f"without a value: {', '.join(words)}" if words else ""


def _paired(found: stats.Paired | None) -> Entry:
    if found is None:
        return NOTHING
    ends: tuple[Any, Any] = (found.low, found.high)
    if found.n < compare.FEWEST_FOR_INTERVAL:
        ends = (None, None)
    return estimate(display.points, found.mean, *ends, found.verdict)


WEAK = "the mean of the other modules (a weak opponent where gates are held back by their size)"


def facts(store: Store) -> dict[str, str]:
    """The verdicts of the modules on the tasks that are made for them, together."""
    made, freed = as_published(store), with_gates_rescaled(store)
    missing = f"{display.MISSING.capitalize()}."
    whole = ("mechanism.summary", "mechanism.rescaled", "mechanism.both", "mechanism.ahead")
    found: dict[str, str] = dict.fromkeys(whole, missing)
    alone, among = against_none(made), against_modules(made)
    freed_alone, freed_among = against_none(freed), against_modules(freed)
    if alone:
        start = preview(made)
        what = "pairs of a task and a module that it is made for, compared with none"
        words = [verdict_counts([one.verdict for one in alone.values()], what)]
        if among:
            verdicts = [one.verdict for one in among.values()]
            words.append(verdict_counts(verdicts, f"pairs, compared with {WEAK}"))
        words += [*_beyond(made), *_ahead_of_best(made, str)]
        found["mechanism.summary"] = after(start, " ".join(words), ". ")
        published = _which(alone, ahead(alone, among), str)
        found["mechanism.ahead"] = after(start, f"As published: {published}.", ". ")
    if freed_among:
        start = preview(freed)
        words = [
            verdict_counts([one.verdict for one in family.values()], f"pairs, compared with {what}")
            for family, what in (
                (freed_alone, "none"),
                (freed_among, "the mean of the other modules"),
            )
        ]
        first = ahead(freed_alone, freed_among)
        both = [_on_task(line) for line in first]
        words += [f"Higher than both: {', '.join(both) or 'none of them'}."]
        which = f"With every gate rescaled: {_which(freed_among, first, rescaled_name)}."
        found["mechanism.ahead"] += f" {after(start, which, '. ')}"
        words += _ahead_of_best(freed, rescaled_name)
        found["mechanism.rescaled"] = after(start, " ".join(words), ". ")
        turned = [line for line in first if line not in ahead(alone, among)]
        found["mechanism.both"] = after(start, _turned(turned), ". ")
    return found


def ahead(*families: Mapping[str, stats.Paired]) -> list[str]:
    """The lines that are higher in every family: than none, than the mean of the others."""
    return [
        line
        for line in NAMED
        if all(line in found and found[line].verdict == "higher" for found in families)
    ]


def _on_task(line: str, name_of: Callable[[str], str] = rescaled_name) -> str:
    task, arm = NAMED[line]
    return f"{name_of(arm)} on *{task}*"


def _which(pairs: Collection[str], lines: list[str], name_of: Callable[[str], str]) -> str:
    """How many of the pairs these lines are, and which: ``1 of 8, coord × 4 on *mark*``."""
    return ", ".join([f"{len(lines)} of {len(pairs)}", *(_on_task(x, name_of) for x in lines)])


def _turned(lines: list[str]) -> str:
    """Which gates of these lines, ahead only where they are rescaled, do what their paper says."""
    gates = [_on_task(line) for line in lines if NAMED[line][1] in RESCALED]
    if not gates:
        return "This is so for no gate here."
    return (
        f"This is so for {', '.join(gates)}: as published the gate does not show what its paper "
        "says after so few steps, and without the size it does."
    )


def _beyond(made: Made) -> list[str]:
    """The verdicts of the modules on the tasks that are not made for them, as a sentence."""
    verdicts, higher, tasks = [], [], 0
    for task, about in TASKS.items():
        if made[task].empty:
            continue
        frame = compare.judged(made[task]).set_index("arm", drop=False)
        others = frame[frame["arm"].isin(MODULES[1:]) & ~frame["arm"].isin(about.named)]
        others = others[others["verdict"].notna()]
        tasks += not others.empty
        verdicts += others["verdict"].tolist()
        higher += [
            f"{row.arm} on *{task}*{_larger(row, frame)}"
            for row in tables.records(others[others["verdict"] == "higher"])
        ]
    if not verdicts:
        return []
    counts = verdict_counts(verdicts, "pairs of a task and a module that it is not made for")
    which = f" Higher: {', '.join(higher)}." if higher else ""
    families = "one family" if tasks == 1 else f"{tasks} families, one a task"
    return [f"{counts[:-1]} ({families}).{which}"]


def _larger(row: Any, frame: pd.DataFrame) -> str:
    """How many more parameters an arm has than none, where that is a tenth or more."""
    share = 100 * (row.params / frame.loc["none", "params"] - 1)
    return f" (with {share:.0f} % more parameters)" if share >= 10 else ""


def _ahead_of_best(made: Made, name_of: Callable[[str], str]) -> list[str]:
    """On which tasks a module that it is made for is ahead of every other, as a sentence.

    To the two decimals that the tables show.
    """
    leads = {
        f"{name_of(arm)} on *{task}*": lead(made[task], arm, TASKS[task].named)
        for task, arm in NAMED.values()
    }
    known = {name: points for name, points in leads.items() if points is not None}
    first = [name for name, points in known.items() if round(points, 2) > 0]
    if not known:
        return []
    partly = "(means alone: the best of several is partly luck)"
    if not first:
        return [
            f"For none of {display.many(len(known), 'pair')} is the mean of the module above that "
            f"of every module that the task is not made for {partly}."
        ]
    words = f"Above the mean of every module that the task is not made for: {', '.join(first)}"
    return [f"{words} {partly}."]
