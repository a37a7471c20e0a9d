"""How many more seeds each comparison needs, and what they cost: from the rows that exist.

The reader names the difference that would matter, before looking. The observed difference must not
take its place: how likely it was to be found says nothing that its p does not. The deviation is the
observed one, which ten pairs give to within a factor of about 0.7 to 1.8.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from benchmarks import (
    ablated,
    compare,
    controls,
    heads,
    mechanism,
    pairing,
    power,
    stats,
    tables,
    task_controls,
)
from benchmarks.ablation import FAMILIES
from benchmarks.cells import MODULES
from benchmarks.compare import Pairs
from benchmarks.store import Store

WANTED = 0.2
"""Points of accuracy that matter, unless the reader names others: about what the papers' own tables
turn on."""

WANTED_COARSE = 1.0
"""The same in mIoU and on the mechanism tasks, where differences are of whole points."""


@dataclass(frozen=True)
class VerdictFamily:
    """The rows of one table of verdicts, and its lines by name: an arm, and what it is less.

    ``pairs`` are all lines that Holm's correction counts, whether they have rows or not; ``value``
    is the column that is compared, in percent; ``names`` says how an arm is called; ``wanted`` are
    the points that matter unless the reader names others.
    """

    title: str
    rows: pd.DataFrame
    pairs: Pairs
    value: str = "top1"
    names: Mapping[str, str] = field(default_factory=dict)
    wanted: float = WANTED

    @property
    def judged(self) -> frozenset[str]:
        """The lines whose planned runs are all there, so that their verdicts have been read.

        Seeds that are added then are another plan: they are judged by themselves.
        """
        planned = pairing.planned_seeds(pairing.among(self.rows)[0])
        if planned is None:
            return frozenset()
        runs = self.rows["arm"].value_counts()
        least = {name: min(runs.get(a, 0) for a in pair) for name, pair in self.pairs.items()}
        return frozenset(name for name, number in least.items() if number >= planned)

    @property
    def differences(self) -> dict[str, list[float]]:
        """Points for every seed that both arms of a line finished, line by line."""
        return compare.differences(self.rows, self.pairs, self.value)


@dataclass(frozen=True)
class Line:
    """One line of a comparison: what its seeds could show, what is missing, and its price.

    ``seeds`` are the pairs; ``deviation`` and ``smallest`` are in points. ``needed`` are the seeds
    of a comparison that finds the difference, whatever verdict there is so far; ``more`` are the
    runs of the arm that are not there, or all of them where the line is among the ``judged``;
    ``hours`` is the time of one process for them.
    """

    name: str
    arm: str
    seeds: int
    deviation: float
    smallest: float
    needed: int
    more: int
    hours: float
    verdict: str = ""


def comparisons(store: Store) -> Iterator[VerdictFamily]:
    """Every comparison that has two pairs or more."""
    for family in _comparisons(store):
        if max(map(len, family.differences.values()), default=0) > 1:
            yield family


def _comparisons(store: Store) -> Iterator[VerdictFamily]:
    for which in pairing.comparisons(store):
        if not (which.preview or pairing.retired(which)):
            yield _with_bare(which.title, pairing.accuracy_rows(store, which))
    for task, about in mechanism.TASKS.items():
        rows = pairing.task_rows(store, task)
        if (rows["recipe"] == mechanism.RECIPE).any():
            title = f"Mechanism, {task}: {about.question}"
            yield _with_bare(title, rows, wanted=WANTED_COARSE)
    for task in mechanism.LONG_TASKS:
        rows = pairing.task_rows(store, task, mechanism.LONG)
        yield _with_bare(f"Mechanism, {task}, a longer training", rows, wanted=WANTED_COARSE)
    for which in heads.comparisons(store):
        if not which.preview:
            yield from _heads(which.title, heads.rows_of(store, which))
    for which in controls.comparisons(store):
        if not (which.preview or pairing.retired(which)):
            yield from _controls(f"Controls, {which.title}", controls.rows(store, which))
    for task in mechanism.TASKS:
        rows = task_controls.rows(store, task)
        if (rows["benchmark"] == "task_controls").any():
            yield from _controls(f"Controls, task {task}", rows, WANTED_COARSE)
    for which in ablated.comparisons(store):
        if which.preview or pairing.retired(which):
            continue
        for family in FAMILIES.values():
            rows = ablated.rows(store, which, family)
            if len(ablated.options(rows)):
                to_default = {
                    f"{arm} less {family.module}": (arm, family.module) for arm in family.names
                }
                yield VerdictFamily(f"{family.title}, to default, {which.title}", rows, to_default)
                options = rows[rows["arm"] != family.module]
                arms = ("none", *family.names)
                yield _with_bare(f"{family.title}, {which.title}", options, arms)


def _controls(title: str, rows: pd.DataFrame, wanted: float = WANTED) -> Iterator[VerdictFamily]:
    ends = ("", ", rescaled", ", rescaled less published")
    for end, pairs in zip(ends, controls.FAMILIES.values(), strict=True):
        yield _of_pairs(f"{title}{end}", rows, pairs, names=controls.NAMES, wanted=wanted)


def _heads(title: str, rows: pd.DataFrame) -> Iterator[VerdictFamily]:
    how: dict[str, Any] = {"value": "miou", "names": heads.NAMES, "wanted": WANTED_COARSE}
    name, means = f"Segmentation, {title}, mIoU", heads.CONTROLS
    yield _of_pairs(name, rows, heads.pairs_of(rows), **how)
    name = f"Segmentation, the mean of the map, {title}, mIoU"
    yield _of_pairs(name, rows, means, **how)


def _of_pairs(title: str, rows: pd.DataFrame, lines: Pairs, **how: Any) -> VerdictFamily:
    pairs = {compare.less(*pair, how["names"]): pair for pair in lines.values()}
    arms = {arm for pair in lines.values() for arm in pair}
    return VerdictFamily(title, rows[rows["arm"].isin(arms)], pairs, **how)


def _with_bare(
    title: str, rows: pd.DataFrame, plan: tuple[str, ...] = MODULES, wanted: float = WANTED
) -> VerdictFamily:
    pairs = {arm: (arm, "none") for arm in compare.others(rows, plan)}
    return VerdictFamily(title, rows, pairs, wanted=wanted)


def require_difference(points: float) -> None:
    """ValueError for a difference to plan for that is no finite number above 0."""
    if not 0 < points < math.inf:
        raise ValueError(
            f"a difference of {points} points was asked for; it must be a number above 0"
        )


def lines(family: VerdictFamily, wanted: float | None = None) -> list[Line]:
    """What each pair takes to show a difference with the chance `power.POWER`.

    The difference is ``wanted`` points, or the family's own.
    Arms that others are less come last: every seed of an arm is one of theirs too. ValueError
    as `require_difference` says.
    """
    wanted = family.wanted if wanted is None else wanted
    require_difference(wanted)
    found = family.differences
    size = len(family.pairs)
    verdicts = compare.verdicts_of(found, size)
    done = tables.ok(family.rows)
    hours = done.groupby("arm")["seconds"].median() / 3600

    runs = done["arm"].value_counts()
    judged = family.judged

    def line(name: str, arm: str, seeds: int, needed: int, more: int, **said: Any) -> Line:
        return Line(name, arm, seeds, needed=needed, more=more, hours=more * hours[arm], **said)

    result, of_reference = [], {}
    for name, differences in found.items():
        arm, other = family.pairs[name]
        deviation = power.deviation(differences)
        if math.isnan(deviation):
            needed = max(len(differences), stats.seeds_needed(size))
        else:
            needed = power.seeds_for(wanted / deviation, size)
        smallest = power.could_show(differences, size)
        said = {"deviation": deviation, "smallest": smallest, "verdict": verdicts[name].verdict}
        more, of_other = (
            needed if name in judged else max(0, needed - int(runs[one])) for one in (arm, other)
        )
        result.append(line(name, arm, len(differences), needed, more, **said))
        before = of_reference.get(other, (0, 0))
        of_reference[other] = max(needed, before[0]), max(of_other, before[1])
    nothing = {"deviation": math.nan, "smallest": math.nan}
    for arm, (needed, more) in of_reference.items():
        name = family.names.get(arm, arm)
        result.append(line(name, arm, int(runs[arm]), needed, more, **nothing))
    return result


def total(lines: Sequence[Line]) -> tuple[int, float]:
    """Runs and hours of all arms; one that is in several lines is trained for the longest."""
    longest: dict[str, Line] = {}
    for line in lines:
        if line.arm not in longest or line.more > longest[line.arm].more:
            longest[line.arm] = line
    return sum(x.more for x in longest.values()), sum(x.hours for x in longest.values())


def text(store: Store, wanted: float | None = None) -> str:
    """Every comparison, as `plan --power` prints it; ``wanted`` points for each, or its own."""
    parts = []
    for family in comparisons(store):
        found = lines(family, wanted)
        effect = family.wanted if wanted is None else wanted
        pairs, (runs, hours) = len(family.pairs), total(found)
        width = max(12, *(len(line.name) + 1 for line in found))
        head = f"{'arms':<{width}}{'seeds':>6}{'deviation':>11}{'could show':>12}"
        parts += [family.title, f"{head}{f'for {effect:g}':>10}{'more':>7}{'hours':>8}  verdict"]
        parts += [_words(line, width) for line in found]
        new = ", new ones where a verdict has been read" * bool(family.judged)
        parts += [
            f"{runs} runs{new}, {hours:.1f} hours of one process for every arm; a family of "
            f"{pairs} needs at least {stats.seeds_needed(pairs)} seeds",
            "",
        ]
    if not parts:
        return "No comparison has two paired seeds yet, so nothing says how much they differ.\n"
    chance = f"{100 * power.POWER:.0f} %"
    parts += [
        f"could show: smallest difference (points) that so many seeds find in about {chance} of "
        "cases; for ...: seeds that find so many points as often (--effect asks for another)",
    ]
    return "\n".join(parts) + "\n"


def _words(line: Line, width: int) -> str:
    def points(number: float) -> str:
        if math.isinf(number):
            return "nothing"
        return "" if math.isnan(number) else f"{number:.2f}"

    return (
        f"{line.name:<{width}}{line.seeds:>6}{points(line.deviation):>11}{points(line.smallest):>12}"
        f"{line.needed:>10}{line.more:>7}{line.hours:>8.1f}  {line.verdict}"
    ).rstrip()
