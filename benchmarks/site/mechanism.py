"""Modules on tasks that are made for one of them: tables, examples of scenes, a chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from benchmarks import compare, display, pairing, stats, tables
from benchmarks.cells import MODULES
from benchmarks.mechanism import BACKBONE, RECIPE, TASKS, drawings
from benchmarks.pairing import Comparison
from benchmarks.recipes import RECIPES
from benchmarks.site import paired
from benchmarks.site.accuracy import judged, judged_heads, seeds, top1
from benchmarks.site.charts import EVEN_PADDING as PADDING
from benchmarks.site.charts import Figure, intervals
from benchmarks.site.html import Entry, Head, absent, estimate, table, value
from benchmarks.site.origin import origin
from benchmarks.store import Store

NOTHING = Entry(display.MISSING)

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
            value(display.percent, row.top1_sd) if row.seeds != 1 else Entry("one run"),
            seeds(row),
            value(display.whole, row.params),
        )
        for row in tables.records(frame)
    ]
    return table(title, _about(rows, frame), heads, body, origin(store, rows, "mechanism"))


def preview_of(frame: pd.DataFrame, rows: pd.DataFrame, plan: Sequence[str] = MODULES) -> str:
    """What a table of ``rows`` with the column ``pairs`` has to begin with; "" for a result.

    ``plan`` are the lines that the suite trains.
    """
    recipe = str(rows["recipe"].iloc[0]) if len(rows) else RECIPE
    return compare.preview_words(frame, Comparison("", BACKBONE, recipe), plan)


def preview(store: Store) -> str:
    """What the comparison of all modules with their tasks has to begin with."""
    pairs = [float(found.n) for found in against_none(store).values()]
    rows = pd.concat([pairing.task_rows(store, task) for task in TASKS])
    return preview_of(pd.DataFrame({"pairs": pairs}, dtype="float64"), rows)


def _about(rows: pd.DataFrame, frame: pd.DataFrame) -> str:
    """How a task was trained, what guessing gives, how to read it; a preview begins with that."""
    start = preview_of(frame, rows)
    words = [start] if start else []
    done = tables.ok(rows)
    if len(done):
        one = done.iloc[0]
        words.append(f"guessing gives {display.percent(100 / one['classes'])} %")
        words.append(f"{display.whole(one['train_images'])} training scenes")
        words.append(f"{display.whole(one['test_images'])} test scenes")
        words.append(display.many(one["epochs"], "epoch"))
    return f"{', '.join(words)}; {paired.ADJUSTED}" if words else ""


def against_others(rows: pd.DataFrame, arm: str, named: tuple[str, ...]) -> list[float]:
    """An arm less the mean of the modules that a task isn't made for, for each seed with all."""
    wide = tables.ok(rows).pivot(index="seed", columns="arm", values="top1")
    others = [name for name in MODULES if name not in ("none", *named)]
    if not {arm, *others} <= set(wide):
        return []
    return (wide[arm] - wide[others].mean(axis=1, skipna=False)).dropna().astype(float).tolist()


NAMED = {f"{arm}, {task}": (task, arm) for task, about in TASKS.items() for arm in about.named}
"""Task and arm of each line of `named`, by its title."""


def against_none(store: Store) -> dict[str, stats.Paired]:
    """Each module on the tasks that are made for it, less none: one family, by title."""
    gaps = {}
    for title, (task, arm) in NAMED.items():
        found = compare.paired_differences(pairing.task_rows(store, task), "top1").get(arm)
        if found:
            gaps[title] = found
    return stats.paired(gaps) if gaps else {}


def against_modules(store: Store) -> dict[str, stats.Paired]:
    """The same less the mean of the modules that the task isn't made for."""
    gaps = {}
    for title, (task, arm) in NAMED.items():
        found = against_others(pairing.task_rows(store, task), arm, TASKS[task].named)
        if found:
            gaps[title] = found
    return stats.paired(gaps) if gaps else {}


def beyond(store: Store) -> list[str]:
    """Modules that are higher than none on a task that is not made for them: ``sk on pair``."""
    found = []
    for task, about in TASKS.items():
        rows = pairing.task_rows(store, task)
        if rows.empty:
            continue
        frame = compare.judged(rows).set_index("arm", drop=False)
        for row in tables.records(frame):
            if row.verdict == "higher" and row.arm in MODULES and row.arm not in about.named:
                found.append(f"{row.arm} on *{task}*{_larger(row, frame)}")
    return found


def _larger(row: Any, frame: pd.DataFrame) -> str:
    """How many more parameters an arm has than none, where that is a tenth or more."""
    share = 100 * (row.params / frame.loc["none", "params"] - 1)
    return f" (with {share:.0f} % more parameters)" if share >= 10 else ""


def best_other(rows: pd.DataFrame, named: tuple[str, ...]) -> tuple[str, float] | None:
    """Of the modules that a task isn't made for the one with the highest mean, and that in %."""
    done = tables.ok(rows)
    means = done[done["arm"].isin(MODULES[1:]) & ~done["arm"].isin(named)].groupby("arm")["top1"]
    if means.ngroups == 0:
        return None
    best = means.mean().astype(float)
    return str(best.idxmax()), float(best.max())


def ahead_of_best(store: Store) -> str:
    """On how many tasks a module that it is made for has the highest mean, as a sentence; or ""."""
    ahead, asked = [], 0
    for task, about in TASKS.items():
        rows = tables.ok(pairing.task_rows(store, task))
        best = best_other(rows, about.named)
        mine = rows[rows["arm"].isin(about.named)].groupby("arm")["top1"].mean()
        if best is None or mine.empty:
            continue
        asked += 1
        ahead += [f"{arm} on *{task}*" for arm, mean in mine.items() if mean > best[1]]
    if not asked:
        return ""
    if not ahead:
        return (
            f"On none of {display.many(asked, 'task')} is the mean of a module that it is made for "
            "above that of every other module (means alone: the best of several is partly luck)."
        )
    return f"Above the mean of every module that the task is not made for: {', '.join(ahead)}."


def named(store: Store) -> str:
    """Each module on the tasks that are made for it: against none, and against the others."""
    made = {task: pairing.task_rows(store, task) for task in TASKS}
    together = pd.concat(list(made.values()))
    if together.empty:
        return absent("Modules on the tasks made for them")
    alone, among = against_none(store), against_modules(store)
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
    for title, (task, arm) in NAMED.items():
        pairs = among[title].n if title in among else 0
        compared = _paired(alone.get(title)), _paired(among.get(title))
        lost = _lost(made[task]) if title in among else ""
        own = tables.ok(made[task][made[task]["arm"] == arm])["top1"].astype(float)
        best = best_other(made[task], TASKS[task].named)
        body.append(
            (
                Entry(title),
                *compared,
                value(display.percent, own.mean()),
                Entry(display.percent(best[1]), best[1], word=best[0]) if best else NOTHING,
                top1(bare[task]),
                Entry(str(pairs), pairs, word=lost),
            )
        )
    note = "other modules: those that the task is not made for; "
    note += paired.ADJUSTED_BY_COLUMN
    start = preview(store)
    note = f"{start}; {note}" if start else note
    places = origin(store, together, "mechanism")
    return table("Modules on the tasks made for them", note, heads, body, places)


def _lost(rows: pd.DataFrame) -> str:
    """Which arms of a task have runs without a value: ``without a value: pam 1``."""
    failed = tables.failed(rows[rows["arm"].isin(MODULES)])["arm"].value_counts()
    words = [f"{arm} {failed[arm]}" for arm in MODULES if arm in failed]
    return f"without a value: {', '.join(words)}" if words else ""


def _paired(found: stats.Paired | None) -> Entry:
    if found is None:
        return Entry(display.MISSING)
    ends: tuple[Any, Any] = (found.low, found.high)
    if found.n < compare.FEWEST_FOR_INTERVAL:
        ends = (None, None)
    return estimate(display.points, found.mean, *ends, found.verdict)


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
            "axis": {"title": None, "ticks": False, "domain": False},
        },
    }
    image = {"type": "image", "width": SIDE, "height": SIDE, "smooth": False}
    layers = [
        {"mark": image, "encoding": {**encoding, "url": {"field": "url"}}},
        {
            "mark": {"type": "text", "dy": SIDE / 2 + 9},
            "encoding": {**encoding, "text": {"field": "label"}},
        },
    ]
    size = {"width": {"step": SIDE + 24}, "height": {"step": SIDE + 26}, "padding": PADDING}
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
    panels = {
        task: f"{task}: made for {' and '.join(about.named)}" for task, about in TASKS.items()
    }
    for task in TASKS:
        rows = pairing.task_rows(store, task)
        frame = compare.judged(rows)
        compared = frame[frame["difference"].notna()]
        unfinished |= bool(len(compared) and preview_of(frame, rows))
        for row in compared.to_dict("records"):
            numbers = {k: row[k] for k in ("difference", "low", "high") if display.given(row[k])}
            words = {"arm": row["arm"], "module": row["arm"].split()[0], "verdict": row["verdict"]}
            values.append({"panel": panels[task], **words, **display.cleaned(numbers)})
    sort = tables.in_order(v["arm"] for v in values)
    layers = intervals("difference", "difference in accuracy, points", 0.0, sort)
    size = {
        "facet": {
            "field": "panel",
            "type": "nominal",
            "title": None,
            "sort": [
                panel for panel in panels.values() if any(v["panel"] == panel for v in values)
            ],
        },
        "columns": 2,
        "resolve": {"scale": {"x": "independent"}},
        "spec": {"width": 250, "height": {"step": 22}, "layer": layers},
    }
    start = "Preview, not a result. " if unfinished else ""
    caption = (
        f"{start}Difference to the bare backbone in test accuracy, by task, with 95 % intervals "
        f"over the seeds. {paired.ADJUSTED_MARKS}"
    )
    alt = "; ".join(
        f"{v['panel']}, {v['arm']} {display.points(v['difference'])}, {v['verdict']}"
        for v in values
    )
    return Figure("mechanism", caption, alt, values, layers, size)
