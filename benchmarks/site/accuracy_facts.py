"""What the pages say of accuracy: verdicts in words, and how good the bare backbone is."""

from __future__ import annotations

import pandas as pd

from benchmarks import ablated, compare, display, pairing, stats, tables
from benchmarks.accuracy import AIM, AIM_MINUTES, PLANS, SUITE
from benchmarks.cells import MODULES
from benchmarks.nets import MOBILE
from benchmarks.site.accuracy import resolution
from benchmarks.site.words import after, comparison, listed, of_arm, verdict_counts
from benchmarks.store import Store


def facts(store: Store) -> dict[str, str]:
    keys = ("what", *MODULES[1:])
    found = {f"accuracy.{key}": display.MISSING for key in keys} | _main(store)
    found["accuracy.summary"] = verdict_counts([])
    found["accuracy.resolution"] = display.NOT_YET
    found["accuracy.second"] = second(store) or verdict_counts([])
    found["accuracy.shown"] = "the figure and the words are of the first"
    ranked = compare.main_first(store)
    if not ranked:
        return found
    which = ranked[0]
    table = compare.accuracy_table(store, which)
    preview = compare.preview_words(table, which)
    found["accuracy.what"] = which.title
    if which != ablated.planned():
        begun = "is not finished" if ablated.planned() in ranked else "has no rows yet"
        found["accuracy.shown"] = (
            f"the first {begun}, and the figure and the words are of {which.title}, which is not "
            "the recipe below"
        )
    found["accuracy.summary"] = _verdicts(table, preview)
    found["accuracy.resolution"] = resolution(table) or found["accuracy.resolution"]
    for row in tables.records(table):
        if row.arm in MODULES[1:]:
            found[f"accuracy.{row.arm}"] = of_arm(preview and display.PREVIEW, comparison(row))
    return found


def second(store: Store) -> str:
    """The verdicts of the second backbone of the plan on a processor; "" before it has rows."""
    (runs,) = (runs for runs in PLANS[SUITE] if MOBILE in runs.backbones)
    which = ablated.planned(runs)
    if which not in pairing.comparisons(store):
        return ""
    table = compare.accuracy_table(store, which)
    return _verdicts(table, compare.preview_words(table, which)) + _reach(table)


def _reach(table: pd.DataFrame) -> str:
    """How far the intervals of a table reach, as a sentence; "" without intervals."""
    reach = ((table["high"] - table["low"]) / 2).dropna().astype("float64")
    if reach.empty:
        return ""
    return f" Intervals reach {display.span(reach, display.percent)} points either way."


def _verdicts(table: pd.DataFrame, preview: str) -> str:
    """How many modules have which verdict, and which have one, as sentences after ``preview``."""
    counts = verdict_counts(table["verdict"].dropna().tolist())
    return after(preview, counts + _which(table), ". ")


def _which(table: pd.DataFrame) -> str:
    """Which modules are higher or lower, and that none is higher, as sentences; or ""."""
    if not table["verdict"].isin(["higher", "lower", stats.SAME]).any():
        return ""
    by_verdict = {word: table.loc[table["verdict"] == word, "arm"] for word in ("higher", "lower")}
    words = [f"{w.capitalize()}: {listed(list(a))}." for w, a in by_verdict.items() if len(a)]
    return " ".join(["", *([] if len(by_verdict["higher"]) else ["None is higher."]), *words])


def _main(store: Store) -> dict[str, str]:
    """How good the bare backbone of the main table is, and how long its runs take."""
    rows = pairing.accuracy_rows(store, ablated.planned())
    bare = tables.ok(rows[rows["arm"] == "none"])
    found = {"recipe.top1": display.MISSING, "recipe.minutes": display.MISSING}
    found["recipe.aim"] = f"{AIM:g} % in at most {AIM_MINUTES:g} minutes"
    found["recipe.aim_met"] = display.MISSING
    if len(bare):
        short = AIM - bare["top1"].mean()
        met = "reached" if short <= 0 else f"missed by {display.percent(short)} points"
        found["recipe.aim_met"] = met
        runs = display.many(len(bare), "run")
        found["recipe.top1"] = f"{display.percent(bare['top1'].mean())} % (mean of {runs})"
        minutes = bare["seconds"] / 60
        least, most = f"{minutes.min():.1f}", f"{minutes.max():.1f}"
        within = int((minutes <= AIM_MINUTES).sum())
        found["recipe.minutes"] = (
            f"{minutes.median():.1f} minutes in the median ({least} to {most}; {within} of {runs} "
            f"in at most {AIM_MINUTES:g})"
        )
    return found
