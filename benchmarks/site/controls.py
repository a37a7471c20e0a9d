"""Gates beside constants of their size, and gates with that size taken away: tables, and facts."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks import compare, controls, display, pairing, tables, task_controls
from benchmarks.compare import Pairs
from benchmarks.controls import FACTORS, FAMILIES, FREED_PAIRS, NAMES, PAIRS, RESCALED_PAIRS
from benchmarks.mechanism import TASKS
from benchmarks.pairing import Comparison
from benchmarks.site import paired
from benchmarks.site.html import Entry, Head, absent, table
from benchmarks.site.judged import how, of_pairs, older
from benchmarks.site.origin import origin
from benchmarks.site.paired import difference
from benchmarks.site.words import after, comparison, of_arm, verdict_counts
from benchmarks.store import Store

CONSTANTS = ("half", "quarter")
"""The pairs of a constant and the bare backbone."""

TITLES = {
    "constants": "Gates, and constants of their size",
    "rescaled": "Gates with their size taken away",
    "freed": "Gates with their size taken away, less themselves as published",
}
ON_TASKS = ", on these tasks"


def judge(rows: pd.DataFrame, pairs: Pairs = PAIRS) -> pd.DataFrame:
    """One line a pair: Holm's family is all of them."""
    return compare.judge(rows, pairs, NAMES)


def _begun(rows: pd.DataFrame, which: Comparison, family: str) -> tuple[pd.DataFrame, str]:
    """`judge` of a family, and what a table of it has to begin with."""
    frame = judge(rows, FAMILIES[family])
    return frame, compare.preview_words(frame, which, frame["arm"])


def constants(store: Store) -> str:
    """What a factor of a gate's size does, and what the gate does beyond it, by comparison."""
    return _tables(store, "constants") or absent(TITLES["constants"])


def rescaled(store: Store) -> str:
    """What a gate does where its size is no handicap, and what the size does, by comparison."""
    both = [_tables(store, family) for family in ("rescaled", "freed")]
    return "\n".join(filter(None, both)) or absent(TITLES["rescaled"])


def _tables(store: Store, family: str) -> str:
    parts = []
    for which in controls.comparisons(store):
        rows = _of(controls.rows(store, which), family)
        if not _measured(rows, "controls"):
            continue
        frame, start = _begun(rows, which, family)
        every = _of(controls.every_row(store, which), family)
        apart = older(pairing.left_out(every))
        apart += paired.across(rows, FAMILIES[family].values())
        note = after(start, f"{', '.join([*how(rows, which), *apart])}; {paired.LESS}")
        places = origin(store, rows, "accuracy", "controls")
        title = f"{TITLES[family]}: {which.title}"
        parts.append(of_pairs(title, note, frame, ("Arms", "top-1"), places))
    return "\n".join(parts)


def _of(rows: pd.DataFrame, family: str) -> pd.DataFrame:
    """The rows of a family's arms."""
    return rows[rows["arm"].isin({arm for pair in FAMILIES[family].values() for arm in pair})]


def _measured(rows: pd.DataFrame, name: str) -> bool:
    return bool((rows["benchmark"] == name).any())


def constants_on_tasks(store: Store) -> str:
    """`constants` on the mechanism tasks, a column a task."""
    return _on_tasks(store, "constants") or absent(f"{TITLES['constants']}{ON_TASKS}")


def rescaled_on_tasks(store: Store) -> str:
    """`rescaled` on the mechanism tasks, a column a task."""
    both = [_on_tasks(store, family) for family in ("rescaled", "freed")]
    return "\n".join(filter(None, both)) or absent(f"{TITLES['rescaled']}{ON_TASKS}")


def _on_tasks(store: Store, family: str) -> str:
    """A column a task, which is a family for itself."""
    made = {task: _of(task_controls.rows(store, task), family) for task in TASKS}
    if not any(_measured(rows, "task_controls") for rows in made.values()):
        return ""
    frames = {task: judge(rows, FAMILIES[family]).set_index("key") for task, rows in made.items()}
    heads = [Head("Arms", number=False)]
    heads += [Head(task.capitalize(), "accuracy, points [95 %]") for task in TASKS]
    body = [
        (
            Entry(compare.less(*pair, NAMES)),
            *(difference(tables.records(f.loc[[key]])[0]) for f in frames.values()),
        )
        for key, pair in FAMILIES[family].items()
    ]
    starts = (_preview(frame, made[task]) for task, frame in frames.items())
    start = next(filter(None, starts), "")
    pairs = list(FAMILIES[family].values())
    apart = [
        f"{task}: {word}" for task, rows in made.items() for word in paired.across(rows, pairs)
    ]
    note = after(start, "; ".join([*apart, paired.LESS, paired.ADJUSTED_BY_COLUMN]))
    places = origin(store, pd.concat(list(made.values())), "mechanism", "task_controls")
    return table(TITLES[family], note, heads, body, places)


def _preview(frame: pd.DataFrame, rows: pd.DataFrame) -> str:
    """What a task's column has to begin with, by its controls; "" for a task without any."""
    if not _measured(rows, "task_controls"):
        return ""
    keys = CONSTANTS if CONSTANTS[0] in frame.index else RESCALED_PAIRS
    ours = frame[frame.index.isin(list(keys))]
    return compare.preview_words(ours, pairing.among(rows)[0], ours["arm"])


def constant_on(store: Store, task: str, gate: str) -> tuple[Any, str, pd.DataFrame]:
    """A task's line of the constant of a gate's size less none, what it begins with, its rows."""
    key = next(one for one in CONSTANTS if PAIRS[one][0] == PAIRS[gate][1])
    rows = _of(task_controls.rows(store, task), "constants")
    frame = judge(rows).set_index("key")
    own = rows[rows["arm"].isin(PAIRS[key])]
    return tables.records(frame.loc[[key]])[0], _preview(frame, rows), own


def rescaled_verdicts(store: Store, gate: str) -> dict[str, str]:
    """The verdict of a rescaled gate less none by task, as in `rescaled_on_tasks`."""
    found = {}
    for task in TASKS:
        frame = judge(_of(task_controls.rows(store, task), "rescaled"), RESCALED_PAIRS)
        verdict = frame.set_index("key")["verdict"].get(gate)
        if display.given(verdict):
            found[task] = str(verdict)
    return found


def freed_on(store: Store, task: str, gate: str) -> Any:
    """A task's line of a rescaled gate less itself as published."""
    frame = judge(_of(task_controls.rows(store, task), "freed"), FREED_PAIRS)
    return tables.records(frame[frame["key"] == gate])[0]


def _counts(store: Store) -> dict[str, str]:
    """Verdicts over all tasks, of constants, gates and rescaled gates."""
    what = {
        "factors": "pairs of a task and a constant, compared with none",
        "gates": "pairs of a task and a gate, compared with the constant of its size",
        "rescaled": "pairs of a task and a rescaled gate, compared with none",
        "freed": "pairs of a task and a rescaled gate, compared with itself as published",
    }
    words: dict[str, list[str]] = {name: [] for name in what}
    begin = dict.fromkeys(what, "")
    apart = {name: {"higher": [], "lower": []} for name in ("rescaled", "freed")}
    for task in TASKS:
        for family, pairs in FAMILIES.items():
            rows = _of(task_controls.rows(store, task), family)
            if not _measured(rows, "task_controls"):
                continue
            frame = judge(rows, pairs).set_index("key")
            for key, verdict in frame["verdict"].dropna().items():
                name = "factors" if key in CONSTANTS else "gates"
                name = family if family in apart else name
                words[name].append(verdict)
                if verdict in apart.get(name, {}):
                    apart[name][verdict].append(f"{NAMES[pairs[str(key)][0]]} on *{task}*")
                begin[name] = begin[name] or _preview(frame, rows)
    found = {}
    for name, verdicts in words.items():
        text = verdict_counts(verdicts, what[name]) if verdicts else display.NOT_YET
        found[f"controls.tasks.{name}"] = after(begin[name], text, ". ")
    for name, by_verdict in apart.items():
        for verdict, pairs in by_verdict.items():
            if pairs:
                found[f"controls.tasks.{name}"] += f" {verdict.capitalize()}: {', '.join(pairs)}."
    return found


def facts(store: Store) -> dict[str, str]:
    """The lines of the first comparison, in words and together; and those of the tasks, counted."""
    found = {f"controls.{gate}": display.MISSING for gate in FACTORS}
    for family in ("rescaled", "freed"):
        found |= {f"controls.{family}.{gate}": display.MISSING for gate in FACTORS}
    found["controls.summary"] = summary(store) or display.NOT_YET
    found["controls.alike"] = found["controls.sizes"] = display.MISSING
    for which in controls.comparisons(store)[:1]:
        rows = controls.rows(store, which)
        found["controls.alike"] = _alike(rows)
        found["controls.sizes"] = _sizes(rows)
        for family in FAMILIES:
            frame, start = _begun(rows, which, family)
            for row in tables.records(frame[~frame["key"].isin(CONSTANTS)]):
                key = row.key if family == "constants" else f"{family}.{row.key}"
                found[f"controls.{key}"] = of_arm(start, comparison(row))
    return found | _counts(store)


def _sizes(rows: pd.DataFrame) -> str:
    """The larger constant less the smaller, in points, by itself."""
    larger, smaller = (PAIRS[name][0] for name in CONSTANTS)
    (row,) = tables.records(judge(rows, {"sizes": (larger, smaller)}))
    return display.interval(display.points, row.difference, row.low, row.high)


def _alike(rows: pd.DataFrame) -> str:
    """How alike the constants and none vary from seed to seed, and how the other arms do."""
    alike = compare.correlations(rows)
    arms = [PAIRS[name][0] for name in CONSTANTS if PAIRS[name][0] in alike]
    others = pd.Series([r for arm, r in alike.items() if arm not in arms], dtype="float64")
    if not arms or others.empty:
        return display.MISSING
    words = [f"{NAMES[arm]} by {display.hundredth(alike[arm])}" for arm in arms]
    return f"{', '.join(words)}, the others by {display.hundredth(others.median())} in the median"


def summary(store: Store) -> str:
    """In the first comparison the verdicts of all families, as sentences; or ""."""
    for which in controls.comparisons(store)[:1]:
        rows = controls.rows(store, which)
        frame, start = _begun(rows, which, "constants")
        frame = frame.set_index("key")
        half, quarter = (tables.records(frame.loc[[key]])[0] for key in CONSTANTS)
        words = [f"{start}."] if start else []
        words.append(f"A constant 1/2 in place of a gate: {comparison(half)}.")
        words.append(f"A constant 1/4: {comparison(quarter)}.")
        gates = frame.drop(list(CONSTANTS))["verdict"].dropna().tolist()
        words.append(verdict_counts(gates, "gates, compared with the constant of their size"))
        asked = {
            "rescaled": "gates rescaled so that their mean starts at one, compared with none",
            "freed": "rescaled gates, compared with themselves as published",
        }
        for family, what in asked.items():
            frame, start = _begun(rows, which, family)
            verdicts = frame["verdict"].dropna().tolist()
            if verdicts:
                words.append(after(start, verdict_counts(verdicts, what), ": "))
        return " ".join(words)
    return ""
