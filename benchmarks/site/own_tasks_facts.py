"""What the modules' results on the tasks made for them say, in words."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pandas as pd

from benchmarks import compare, display, stats, tables
from benchmarks.cells import MODULES
from benchmarks.controls import RESCALED
from benchmarks.mechanism import TASKS
from benchmarks.site import controls as site_controls
from benchmarks.site.own_tasks import (
    NAMED,
    Made,
    against_modules,
    against_none,
    as_published,
    preview,
    rescaled_name,
    with_gates_rescaled,
)
from benchmarks.site.words import after, comparison, verdict_counts
from benchmarks.store import Store

WEAK = "the mean of the other modules (a weak opponent where gates are held back by their size)"


def families(store: Store) -> list[pd.DataFrame]:
    """The lines with a verdict, by family: as published and rescaled, each less none and others."""
    return [
        family(rows).dropna(subset="verdict")
        for rows in (as_published(store), with_gates_rescaled(store))
        for family in (against_none, against_modules)
    ]


def facts(store: Store) -> dict[str, str]:
    """The verdicts of the modules on the tasks that are made for them, together."""
    made, rescaled = as_published(store), with_gates_rescaled(store)
    whole = ("mechanism.summary", "mechanism.rescaled", "mechanism.both", "mechanism.ahead")
    found: dict[str, str] = dict.fromkeys(whole, display.NOT_YET)
    alone, among, rescaled_alone, rescaled_among = families(store)
    if len(alone):
        start = preview(made)
        what = "pairs of a task and a module that it is made for, compared with none"
        words = [verdict_counts(alone["verdict"].tolist(), what)]
        if len(among):
            against = f"pairs, compared with {WEAK}"
            words.append(verdict_counts(among["verdict"].tolist(), against))
        words += [*_beyond(made), *_ahead_of_best(made, str)]
        found["mechanism.summary"] = after(start, " ".join(words), ". ")
        published = _which(alone.index, ahead(alone, among), str)
        found["mechanism.ahead"] = after(start, f"As published: {published}.", ". ")
    if len(rescaled_among):
        start = preview(rescaled)
        words = [
            verdict_counts(family["verdict"].tolist(), f"pairs, compared with {what}")
            for family, what in (
                (rescaled_alone, "none"),
                (rescaled_among, "the mean of the other modules"),
            )
        ]
        first = ahead(rescaled_alone, rescaled_among)
        both = [_on_task(line) for line in first]
        words += [f"Higher than both: {', '.join(both) or 'none of them'}."]
        counted = _which(rescaled_among.index, first, rescaled_name)
        which = f"With every gate rescaled, planned when that was known: {counted}."
        buts = [_but(store, line) for line in first if NAMED[line][1] in RESCALED]
        which = " ".join(filter(None, [which, *buts]))
        found["mechanism.ahead"] += f" {after(start, which, '. ')}"
        words += _ahead_of_best(rescaled, rescaled_name)
        found["mechanism.rescaled"] = after(start, " ".join(words), ". ")
        turned = [line for line in first if line not in ahead(alone, among)]
        found["mechanism.both"] = after(start, _turned(store, turned), ". ")
    forms = (alone, among), (rescaled_alone, rescaled_among)
    starts = preview(made), preview(rescaled)
    return found | {
        f"mechanism.{task}.{arm}": _answer(store, line, forms, starts)
        for line, (task, arm) in NAMED.items()
    }


Families = tuple[pd.DataFrame, pd.DataFrame]
"""What is judged of `against_none` and `against_modules`."""


def _answer(
    store: Store, line: str, families: tuple[Families, Families], starts: tuple[str, str]
) -> str:
    """What the test says of a module on a task made for it, as published and rescaled.

    A module without a gate is judged where the gates of the others are rescaled, if they were: as
    published their mean is a weak opponent.
    """
    arm = NAMED[line][1]
    rescaled = f"As {rescaled_name(arm)}" if arm in RESCALED else "With every gate rescaled"
    forms = dict(zip(("As published", rescaled), zip(families, starts, strict=True), strict=True))
    there = {name: form for name, form in forms.items() if any(line in f.index for f in form[0])}
    if not there:
        return display.NOT_YET
    parts = [
        after(start, f"{name}: {_against(line, family)}", ". ")
        for name, (family, start) in there.items()
    ]
    whole = {name: form for name, form in there.items() if all(line in f.index for f in form[0])}
    decide = [name for name in whole if arm in RESCALED or name == list(whole)[-1]]
    shown = [name for name in decide if line in ahead(*whole[name][0])]
    if shown:
        parts.append(f"Ahead of both: {' and '.join(name.lower() for name in shown)}")
        parts += [_but(store, line)] if arm in RESCALED and rescaled in shown else []
    elif whole:
        parts.append("So this test does not show that the mechanism helps")
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)


def _against(line: str, family: Families) -> str:
    """The comparisons of a line with none and with the mean of the others, as clauses."""
    to = ("none", "the mean of the other modules")
    words = (_short(f.loc[line]) if line in f.index else display.MISSING for f in family)
    return ", ".join(f"{word} compared with {what}" for word, what in zip(words, to, strict=True))


def _short(row: Any) -> str:
    """A comparison with its mean and verdict and no more: ``lower by 3.27 points``."""
    if row.verdict in ("higher", "lower"):
        return f"{row.verdict} by {display.percent(abs(row.difference))} points"
    return f"{row.verdict} ({display.points(row.difference)} points)"


def _but(store: Store, line: str) -> str:
    """Where a rescaled gate does as well without a reason, or not where it has one; or ""."""
    task, arm = NAMED[line]
    verdicts = site_controls.rescaled_verdicts(store, arm)
    mine = [name for name, about in TASKS.items() if arm in about.named and name != task]
    too = [name for name in TASKS if verdicts.get(name) == "higher" and name not in (task, *mine)]
    lower = [name for name in mine if verdicts.get(name) == "lower"]
    not_there = [name for name in mine if verdicts.get(name) == stats.SAME]
    words, end = [], ": so it need not be the mechanism that its paper names" * bool(too)
    if too:
        words.append(f"is higher than none on {_tasks(too)} too, which it is not made for")
    if lower:
        words.append(f"lower on {_tasks(lower)}, which it is made for")
    if not_there:
        words.append(f"not shown to be higher on {_tasks(not_there)}, which it is made for")
    if not words:
        return ""
    is_not = "" if too else "is "
    return f"But {rescaled_name(arm)} {is_not}{', and '.join(words)}{end}."


def _tasks(names: list[str]) -> str:
    return " and ".join(f"*{name}*" for name in names)


def ahead(*families: pd.DataFrame) -> list[str]:
    """The lines that are higher in every family: than none, than the mean of the others."""
    return [
        line for line in NAMED if all(found["verdict"].get(line) == "higher" for found in families)
    ]


def _on_task(line: str, name_of: Callable[[str], str] = rescaled_name) -> str:
    task, arm = NAMED[line]
    return f"{name_of(arm)} on *{task}*"


def _which(pairs: Collection[str], lines: list[str], name_of: Callable[[str], str]) -> str:
    """How many of the pairs these lines are, and which: ``1 of 8, coord × 4 on *mark*``."""
    return ", ".join([f"{len(lines)} of {len(pairs)}", *(_on_task(x, name_of) for x in lines)])


def _turned(store: Store, lines: list[str]) -> str:
    """Which gates of these lines are ahead only where they are rescaled, and what speaks against.

    It speaks against the paper's reason where they are ahead on other tasks too.
    """
    gates = [line for line in lines if NAMED[line][1] in RESCALED]
    if not gates:
        return "This is so for no gate here."
    words = [
        f"This is so for {', '.join(map(_on_task, gates))}: as published the gate is not ahead "
        "after so few steps, and without the size it is.",
        *(_change(store, line) for line in gates),
        *(_but(store, line) for line in gates),
    ]
    return " ".join(filter(None, words))


def _change(store: Store, line: str) -> str:
    """A rescaled gate beside itself as published, on the task of a line, as a sentence."""
    task, arm = NAMED[line]
    row = site_controls.freed_on(store, task, arm)
    return f"On *{task}* {rescaled_name(arm)} less {arm}: {comparison(row)}."


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


def lead(rows: pd.DataFrame, arm: str, named: tuple[str, ...]) -> float | None:
    """Points of an arm over the module that is nearest to it, of those a task isn't made for.

    Each difference is of the seeds that both have. None where one of the modules has none.
    """
    differences = compare.paired_differences(rows, "top1", arm)
    others = [name for name in MODULES[1:] if name not in named]
    if not set(others) <= set(differences):
        return None
    return -max(sum(differences[name]) / len(differences[name]) for name in others)


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
