"""How many more seeds each comparison needs, and what they cost: from the rows that exist.

The reader names the difference that would matter, before looking. The observed difference must not
take its place: how likely it was to be found says nothing that its p does not. The deviation is the
observed one, which ten pairs give to within a factor of about 0.7 to 1.8.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from benchmarks import ablated, compare, mechanism, pairing, power, stats, tables
from benchmarks.ablation import FAMILIES
from benchmarks.store import Store

WANTED = 0.2
"""Points that matter, unless the reader names others: about what the papers' own tables turn on."""


@dataclass(frozen=True)
class Line:
    """One arm of a comparison: what its seeds could show, what is missing, and its price.

    ``deviation`` and ``smallest`` are in points. ``needed`` are the seeds of a comparison that
    finds the difference, whatever verdict there is so far; ``more`` are those that are not there,
    ``hours`` the time of one process for them.
    """

    arm: str
    seeds: int
    deviation: float
    smallest: float
    needed: int
    more: int
    hours: float
    verdict: str = ""


def comparisons(store: Store) -> Iterator[tuple[str, pd.DataFrame]]:
    """Title and rows of every comparison of accuracies that has two pairs or more."""
    for title, rows in _comparisons(store):
        if max(map(len, compare.paired_differences(rows).values()), default=0) > 1:
            yield title, rows


def _comparisons(store: Store) -> Iterator[tuple[str, pd.DataFrame]]:
    found = (c for c in pairing.comparisons(store) if not c.preview and not pairing.retired(c))
    for which in pairing.ranked(found):
        yield which.title, pairing.accuracy_rows(store, which)
    for task, about in mechanism.TASKS.items():
        rows = pairing.task_rows(store, task)
        if (rows["recipe"] == mechanism.RECIPE).any():
            yield f"Mechanism, {task}: {about.question}", rows
    for task in mechanism.LONG_TASKS:
        rows = pairing.task_rows(store, task, mechanism.LONG)
        yield f"Mechanism, {task}, a longer training", rows
    for which in ablated.comparisons(store):
        if which.preview or pairing.retired(which):
            continue
        for family in FAMILIES.values():
            rows = ablated.rows(store, which, family)
            if len(ablated.options(rows)):
                yield f"{family.title}, {which.title}", rows


def lines(rows: pd.DataFrame, wanted: float) -> list[Line]:
    """What each arm takes to show a difference of ``wanted`` points with the chance `power.POWER`.

    The bare backbone comes last: every seed of an arm is one of it too. ValueError unless
    ``wanted`` is above 0.
    """
    if not wanted > 0:
        raise ValueError(f"a difference of {wanted} points was asked for; it must be above 0")
    found = compare.paired_differences(rows)
    judged = compare.judged(rows, expected=()).set_index("arm")
    done = tables.ok(rows)
    hours = done.groupby("arm")["seconds"].median() / 3600
    result = []
    for arm in tables.in_order(found):
        n, deviation = len(found[arm]), power.deviation(found[arm])
        word = str(judged["verdict"][arm])
        if math.isnan(deviation):
            needed = max(n, stats.seeds_needed(len(found)))
        else:
            needed = power.seeds_for(wanted / deviation, len(found))
        more = max(0, needed - n)
        smallest = power.could_show(found[arm], len(found))
        result.append(Line(arm, n, deviation, smallest, needed, more, more * hours[arm], word))
    if result:
        have, needed = int((done["arm"] == "none").sum()), max(line.needed for line in result)
        more = max(0, needed - have)
        result.append(Line("none", have, math.nan, math.nan, needed, more, more * hours["none"]))
    return result


def text(store: Store, wanted: float) -> str:
    """Every comparison, as `plan --power` prints it."""
    parts = []
    for title, rows in comparisons(store):
        found = lines(rows, wanted)
        arms = len(found) - 1
        width = max(12, *(len(line.arm) + 1 for line in found))
        head = f"{'module':<{width}}{'seeds':>6}{'deviation':>11}{'could show':>12}"
        parts += [title, f"{head}{f'for {wanted:g}':>10}{'more':>7}{'hours':>8}  verdict"]
        parts += [_words(line, width) for line in found]
        total = sum(line.hours for line in found)
        parts += [
            f"{sum(line.more for line in found)} runs, {total:.1f} hours of one process for every "
            f"arm; a family of {arms} needs at least {stats.seeds_needed(arms)} seeds",
            "",
        ]
    if not parts:
        return "No comparison has two paired seeds yet, so nothing says how much they differ.\n"
    chance = f"{100 * power.POWER:.0f} %"
    parts += [
        f"could show: smallest difference (points) that so many seeds find in {chance} of cases",
        f"for {wanted:g}: seeds that find a difference of {wanted:g} points as often "
        "(--effect asks for another)",
    ]
    return "\n".join(parts) + "\n"


def _words(line: Line, width: int) -> str:
    def points(number: float) -> str:
        if math.isinf(number):
            return "nothing"
        return "" if math.isnan(number) else f"{number:.2f}"

    return (
        f"{line.arm:<{width}}{line.seeds:>6}{points(line.deviation):>11}{points(line.smallest):>12}"
        f"{line.needed:>10}{line.more:>7}{line.hours:>8.1f}  {line.verdict}"
    ).rstrip()
