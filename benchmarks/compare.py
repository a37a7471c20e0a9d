"""Training runs compared arm by arm: what the pairs of `pairing` say.

Below the seeds that a verdict takes a comparison is a preview, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pandas as pd

from benchmarks import display, pairing, power, stats, tables
from benchmarks.cells import MODULES
from benchmarks.pairing import Comparison
from benchmarks.store import Store

FEWEST_FOR_INTERVAL = stats.seeds_needed(1)
"""Pairs below which no interval is shown: no outcome of so few can be told from chance."""

Pairs = Mapping[str, tuple[str, str]]
"""An arm and what it is less, by the name of their line."""

SAID = ("pairs", "difference", "low", "high", "bca_low", "bca_high", "p_holm", "ahead")
SAID += ("could_show", "family")
"""The numbers of `said`; ``family`` is how many lines its verdict is adjusted for."""


def main_first(store: Store, suite: str | None = None, name: str = "accuracy") -> list[Comparison]:
    """As `pairing.ranked`, but what has all its runs of the modules comes before what has not.

    A run that diverged is a run. Of others those with pairs of every module come first, if a suite
    still trains them, and then the one with most pairs, so that a comparison which has only been
    begun does not take the place of one that says more.
    """
    family = len(MODULES) - 1

    def place(c: Comparison) -> tuple[bool, int, bool, int]:
        table = judged(pairing.accuracy_rows(store, c, name=name))
        modules = table[table["arm"].isin(MODULES[1:])]
        enough = pairing.planned_seeds(c) or stats.seeds_needed(family)
        done = int((modules["seeds"] + modules["failed"] >= enough).sum())
        if done == family:
            return c.preview, -done, False, 0
        whole = bool(modules["pairs"].notna().all()) and not pairing.retired(c)
        return c.preview, -done, not whole, -int(modules["pairs"].sum())

    return sorted(pairing.comparisons(store, suite, name), key=place)


def paired_differences(
    rows: pd.DataFrame, value: str = "top1", reference: str = "none"
) -> dict[str, list[float]]:
    """Arm minus reference for every seed that both finished, arm by arm."""
    wide = tables.ok(rows).pivot(index="seed", columns="arm", values=value)
    if reference not in wide:
        return {}
    others = [name for name in wide if name != reference]
    differences = {name: (wide[name] - wide[reference]).dropna() for name in others}
    return {str(n): [float(d) for d in column] for n, column in differences.items() if len(column)}


def correlations(rows: pd.DataFrame, reference: str = "none") -> dict[str, float]:
    """Correlation of each arm with the reference over the seeds that both finished, three or more.

    The variance of a paired difference is below that of an unpaired one by twice their covariance.
    """
    wide = tables.ok(rows).pivot(index="seed", columns="arm", values="top1").astype("float64")
    if reference not in wide:
        return {}
    others = wide.drop(columns=reference)
    found = {name: others[name].corr(wide[reference], min_periods=3) for name in others}
    return {str(name): float(r) for name, r in found.items() if not math.isnan(r)}


@lru_cache(maxsize=64)
def _paired(
    differences: tuple[tuple[str, tuple[float, ...]], ...], planned: int
) -> dict[str, stats.Paired]:
    return stats.paired(dict(differences), planned=planned)


def verdicts_of(
    differences: Mapping[str, Sequence[float]], planned: int = 0
) -> dict[str, stats.Paired]:
    """`stats.paired` of the arms in the order of the tables; equal differences are judged once."""
    return _paired(tuple((n, tuple(differences[n])) for n in tables.in_order(differences)), planned)


def accuracy_table(store: Store, which: Comparison, machine: str | None = None) -> pd.DataFrame:
    """One row an arm: seeds, failures, mean and deviation of top1, paired difference, verdict.

    ``low`` and ``high`` are the ends of Student's interval, given from `FEWEST_FOR_INTERVAL` pairs
    on, as ``bca_low`` and ``bca_high`` are; ``ahead`` and ``could_show`` are those of ``power``.
    ``gap`` is the word in place of a difference that is not there, ``no_value`` that in place of a
    missing mean; ``correlation`` is `correlations`.
    """
    return judged(pairing.accuracy_rows(store, which, machine))


def judged(
    rows: pd.DataFrame, expected: Sequence[str] = MODULES, reference: str = "none"
) -> pd.DataFrame:
    """`accuracy_table` of the rows of one comparison.

    An arm of ``expected`` that has no rows has a line all the same, and verdicts are adjusted for
    it too where it is one of `others`. ``reference`` is the arm that the others are less.
    """
    alike = correlations(rows, reference)
    other = rows[rows["arm"] == reference]
    lines = []
    for name in tables.in_order([*expected, *rows["arm"]]):
        mine = rows[rows["arm"] == name]
        done = tables.ok(mine)
        top1 = done["top1"].astype("float64")
        means = {
            "top1": top1.mean(),
            "top1_sd": top1.std(),
            "correlation": alike.get(name, math.nan),
        }
        params = float(done["params"].iloc[0]) if len(done) else math.nan
        lines.append({"arm": name, **runs(mine, other), **means, "params": params})
    found = paired_differences(rows, reference=reference)
    return family(lines, found, planned=len(others(rows, expected, reference)))


def others(
    rows: pd.DataFrame, plan: Iterable[str] = MODULES, reference: str = "none"
) -> tuple[str, ...]:
    """The arms that are less the reference: those with runs, and those of ``plan`` as `begun`.

    Of a comparison that no suite trains, nothing is planned.
    """
    counts = rows["arm"].value_counts()
    if rows.empty or pairing.planned_seeds(pairing.among(rows)[0]) is None:
        plan = ()
    every = tables.in_order([*plan, *counts.index])
    counted = begun(counts.reindex(every, fill_value=0), plan)
    names = tables.in_order([*counts.index, *counted.index])
    return tuple(name for name in names if name != reference)


def judge(
    rows: pd.DataFrame,
    pairs: Pairs,
    names: Mapping[str, str],
    measure: str = "top1",
) -> pd.DataFrame:
    """One line a pair of arms, as `judged`, with the pair's ``key``.

    All are one family for Holm's correction. ``names`` are those that people read in place of an
    arm's own; ``other_runs`` are the runs of the arm that a line's is less.
    """
    by_arm = {arm: rows[rows["arm"] == arm] for pair in pairs.values() for arm in pair}
    lines = [
        {"key": key, "arm": less(one, other, names), "module": one.split()[0]}
        | runs(by_arm[one], by_arm[other])
        | {"other_runs": len(by_arm[other])}
        for key, (one, other) in pairs.items()
    ]
    return family(lines, differences(rows, pairs, measure), "key", planned=len(pairs))


def less(one: str, other: str, names: Mapping[str, str]) -> str:
    """What a line with the difference of two arms is called."""
    return f"{names.get(one, one)} less {names.get(other, other)}"


def differences(rows: pd.DataFrame, pairs: Pairs, measure: str = "top1") -> dict[str, list[float]]:
    """Points for every seed that both arms of a pair finished, by key, of pairs with such seeds."""
    found = {
        key: paired_differences(rows, measure, other).get(one, [])
        for key, (one, other) in pairs.items()
    }
    return {key: values for key, values in found.items() if values}


def runs(mine: pd.DataFrame, other: pd.DataFrame | None = None) -> dict[str, Any]:
    """How many runs of an arm have a value, how many have none, and words for what is not there.

    ``no_value`` is for a mean, ``gap`` for a difference to the runs of ``other``.
    """
    done, failed = tables.ok(mine), tables.failed(mine)
    words = ", ".join(sorted(set(failed["status"]))) or display.MISSING
    gap = words if other is None or done.empty or other.empty else "no seed in common"
    return {"seeds": len(done), "failed": len(failed), "no_value": words, "gap": gap}


def family(
    lines: Sequence[Mapping[str, Any]],
    differences: Mapping[str, Sequence[float]],
    key: str = "arm",
    planned: int = 0,
) -> pd.DataFrame:
    """The lines of a table with `said` of those that have differences, by their ``key``.

    They are one family for Holm's correction, with others that are ``planned``.
    """
    verdicts = verdicts_of(differences, planned)
    size = max(planned, len(verdicts))
    words = {n: said(one, differences[n], size) for n, one in verdicts.items()}
    found = [{**line, **words.get(line[key], {})} for line in lines]
    frame = pd.DataFrame(found, columns=[*lines[0], "verdict", *SAID])
    return frame.astype(dict.fromkeys(SAID, "float64"))


def said(paired: stats.Paired, differences: Sequence[float], family: int) -> dict[str, Any]:
    """What the pairs of one arm say, as columns of `family`; ``family`` arms are corrected for.

    There is no interval below `FEWEST_FOR_INTERVAL` pairs.
    """
    found = {"pairs": paired.n, "difference": paired.mean, "p_holm": paired.p_holm}
    found |= {"family": family}
    found |= {"verdict": paired.verdict, "ahead": power.ahead(differences)}
    found |= {"could_show": power.could_show(differences, family)}
    if paired.n >= FEWEST_FOR_INTERVAL:
        found |= {"low": paired.low, "high": paired.high}
        found |= {"bca_low": paired.bca_low, "bca_high": paired.bca_high}
    return found


def preview_words(table: pd.DataFrame, which: Comparison, plan: Iterable[str] = MODULES) -> str:
    """What a comparison that is no result has to begin with; "" for a result.

    ``table`` is its `accuracy_table`, or has ``pairs`` alone; ``plan`` are the lines that the suite
    trains. A result has all the runs that are planned of its arms, whatever became of them, and an
    arm with the paired seeds that one of so many arms needs for a verdict.
    """
    pairs = table["pairs"].dropna()
    if pairs.empty:
        return f"{display.PREVIEW}: no paired seeds"
    planned, runs = pairing.planned_seeds(which), _runs(table, plan)
    if planned and len(runs) and runs.min() < planned:
        return f"{display.PREVIEW}: {_lacking(runs, planned)}"
    size = table["family"].max() if "family" in table else len(pairs)
    needed = stats.seeds_needed(int(size))
    if pairs.max() < needed:
        return f"{display.PREVIEW}: {_range(pairs)} of {needed} paired seeds"
    return f"{display.PREVIEW}: so few epochs" if which.preview else ""


def _runs(table: pd.DataFrame, plan: Iterable[str]) -> pd.Series:
    """`begun` of a table that has runs; a line of `judge` has those that both of its arms have."""
    if "seeds" not in table:
        return pd.Series(dtype=int)
    counts = table["seeds"] + table["failed"]
    if "other_runs" in table:
        counts = counts.clip(upper=table["other_runs"])
    return begun(counts.set_axis(table["arm"]), plan)


def begun(runs: pd.Series, plan: Iterable[str]) -> pd.Series:
    """The numbers of runs, one an arm, by which a table is complete or a preview.

    ``runs`` is indexed by arm. Where at least two arms of ``plan`` have runs they are those of the
    plan, an arm without any included; else those of every arm that has some, a reader's own. Beside
    one of a reader's own, at most half of the plan is what the reader chose, and all of it.
    """
    plan = list(plan)
    ours = runs[runs.index.isin(plan)]
    own = (runs > 0).sum() > (ours > 0).sum()
    return ours if (ours > 0).sum() > (len(plan) / 2 if own else 1) else runs[runs > 0]


def _lacking(runs: pd.Series, planned: int) -> str:
    """What is missing of a plan, by the runs of its arms."""
    begun = runs[runs > 0]
    seeds = f"{_range(begun)} of {planned} planned seeds" if len(begun) else ""
    if len(begun) == len(runs):
        return seeds
    words = f"{len(runs) - len(begun)} of {display.many(len(runs), 'planned arm')} without a run"
    return f"{words}, {seeds} of the others" if begun.min() < planned else words


def _range(numbers: pd.Series) -> str:
    least, most = int(numbers.min()), int(numbers.max())
    return str(most) if least == most else f"{least} to {most}"


def latency_setting(store: Store, which: Comparison) -> dict[str, Any] | None:
    """The setting of a comparison's times: fewest threads, or on a GPU as it was trained.

    None if there are no times.
    """
    found = tables.latency_settings(store, device=which.device)
    backbones = [setting["backbone"] for setting in found]
    wanted = (which.backbone, *tables.references(which.backbone), *backbones)
    backbone = next((b for b in wanted if b in backbones), None)
    mine = [s for s in found if s["backbone"] == backbone]
    trained = (which.precision, which.layout)
    mine.sort(key=lambda s: ((s["precision"], s["layout"]) != trained, s["threads"]))
    return mine[0] if mine else None
