"""Gates beside constants of the size that they start with: tables, and facts."""

from __future__ import annotations

import pandas as pd

from benchmarks import compare, controls, display, pairing, power, tables, task_controls
from benchmarks.controls import PAIRS
from benchmarks.mechanism import TASKS
from benchmarks.site import paired
from benchmarks.site.accuracy import difference, how, judged
from benchmarks.site.html import Entry, Head, absent, table
from benchmarks.site.mechanism import preview_of
from benchmarks.site.origin import origin
from benchmarks.site.words import comparison, verdict_counts
from benchmarks.store import Store


def judge(rows: pd.DataFrame) -> pd.DataFrame:
    """One line a pair of `PAIRS`: Holm's family is all of them."""
    return paired.judge(rows, PAIRS, controls.title)


def constants(store: Store) -> str:
    """What a factor of a gate's size does, and what the gate does beyond it, by comparison."""
    heads = (
        Head("Arms", number=False),
        Head("Difference", "top-1, points [95 %]"),
        Head("Bootstrap", "BCa [95 %]"),
        Head("p", "sign-flip, Holm"),
        Head("Seeds ahead", "P(A > B)"),
        Head("Could show", f"points, {100 * power.POWER:.0f} times in 100"),
    )
    parts = []
    for which in controls.comparisons(store):
        rows = controls.rows(store, which)
        frame = judge(rows)
        body = [(Entry(row.arm), *judged(row)) for row in tables.records(frame)]
        start = compare.preview_words(frame, which)
        old = controls.left_out(store, which)
        note = ", ".join([*([start] if start else []), *how(rows, which), *_apart(rows, old)])
        places = origin(store, rows, "accuracy", "controls")
        parts.append(table(which.title, f"{note}; {paired.ADJUSTED}", heads, body, places))
    return "\n".join(parts) or absent("Constants in place of gates")


def _apart(rows: pd.DataFrame, old: int = 0) -> list[str]:
    """Words about ``old`` rows that were left out, and pairs of two machines."""
    words = [f"{display.many(old, 'row')} of older code left out"] if old else []
    across = 0
    for reference in {other for _, other in PAIRS.values()}:
        arms = {reference, *(one for one, other in PAIRS.values() if other == reference)}
        across += pairing.crossed(rows[rows["arm"].isin(arms)], reference)
    return [*words, *([f"{display.many(across, 'pair')} across two machines"] if across else [])]


def on_tasks(store: Store) -> str:
    """The same on the mechanism tasks, a column a task, which is a family for itself."""
    made = {task: task_controls.rows(store, task) for task in TASKS}
    if not any((rows["benchmark"] == "task_controls").any() for rows in made.values()):
        return absent("Constants in place of gates, on these tasks")
    frames = {task: judge(rows).set_index("key") for task, rows in made.items()}
    heads = [Head("Arms", number=False)]
    heads += [Head(task.capitalize(), "accuracy, points [95 %]") for task in TASKS]
    body = [
        (
            Entry(controls.title(*pair)),
            *(difference(tables.records(f.loc[[key]])[0]) for f in frames.values()),
        )
        for key, pair in PAIRS.items()
    ]
    starts = [_preview(frame, made[task]) for task, frame in frames.items()]
    start = next(filter(None, starts), "")
    together = pd.concat(list(made.values()))
    apart = [word for rows in made.values() for word in _apart(rows)]
    note = "; ".join([*apart, paired.ADJUSTED_BY_COLUMN])
    places = origin(store, together, "mechanism", "task_controls")
    title = "Gates, and constants of the size that they start with"
    return table(title, f"{start}; {note}" if start else note, heads, body, places)


def _preview(frame: pd.DataFrame, rows: pd.DataFrame) -> str:
    """What a task's column has to begin with, by its controls; "" for a task without any."""
    if not (rows["benchmark"] == "task_controls").any():
        return ""
    return preview_of(frame[frame.index.isin(["half", "quarter"])], rows)


def _tasks(store: Store) -> dict[str, str]:
    """Verdicts over all tasks: of the constants against none, and of the modules against them."""
    words: dict[str, list[str]] = {"starts": [], "gates": []}
    begin = ""
    for task in TASKS:
        rows = task_controls.rows(store, task)
        frame = judge(rows).set_index("key")
        if (rows["benchmark"] == "task_controls").any():
            begin = begin or _preview(frame, rows)
            for key, verdict in frame["verdict"].dropna().items():
                words["starts" if key in ("half", "quarter") else "gates"].append(verdict)
    what = {
        "starts": "pairs of a task and a constant, compared with none",
        "gates": "pairs of a task and a gate, compared with the constant of its size",
    }
    said = {name: verdict_counts(found, what[name]) for name, found in words.items() if found}
    return {
        f"controls.tasks.{name}": f"{begin}. {said[name]}"
        if begin and name in said
        else said.get(name, f"{display.MISSING}.")
        for name in words
    }


def facts(store: Store) -> dict[str, str]:
    """The lines of the first comparison, in words and together; and those of the tasks, counted."""
    found = {f"controls.{key}": display.MISSING for key in PAIRS} | _tasks(store)
    found["controls.summary"] = summary(store) or f"{display.MISSING.capitalize()}."
    for which in controls.comparisons(store)[:1]:
        frame = judge(controls.rows(store, which))
        start = compare.preview_words(frame, which)
        for row in tables.records(frame):
            text = comparison(row)
            unfinished = start and text != display.MISSING
            found[f"controls.{row.key}"] = f"{start}: {text}" if unfinished else text
    return found


def summary(store: Store) -> str:
    """The constants against none and the gates against them, in the first comparison; or ""."""
    for which in controls.comparisons(store)[:1]:
        frame = judge(controls.rows(store, which)).set_index("key")
        start = compare.preview_words(frame, which)
        half, quarter = (tables.records(frame.loc[[key]])[0] for key in ("half", "quarter"))
        words = [f"{start}."] if start else []
        words.append(f"A constant 1/2 in place of a gate: {comparison(half)}.")
        words.append(f"A constant 1/4: {comparison(quarter)}.")
        gates = frame.drop(["half", "quarter"])["verdict"].dropna().tolist()
        words.append(verdict_counts(gates, "gates, compared with the constant of their size"))
        return " ".join(words)
    return ""
