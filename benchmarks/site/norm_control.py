"""CBAM with a quick norm beside itself as published, on the mechanism tasks."""

from __future__ import annotations

import pandas as pd

from benchmarks import compare, display, norm_control, pairing, tables
from benchmarks.mechanism import TASKS
from benchmarks.norm_control import ARM, NAME
from benchmarks.site import paired
from benchmarks.site.html import Entry, Head, absent, table
from benchmarks.site.judged import judged, judged_heads
from benchmarks.site.origin import origin
from benchmarks.site.words import after, listed, verdict_counts
from benchmarks.store import Store

TITLE = "CBAM with a quick norm less CBAM as published"
PAIRS = {task: (f"{ARM}, {task}", f"cbam, {task}") for task in TASKS}


def judged_lines(store: Store) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All rows, each arm with its task in its name, and a line a task: one family for Holm."""
    rows = paired.with_tasks(norm_control.rows(store))
    return rows, compare.judge(rows, PAIRS, {})


def norm_tasks(store: Store) -> str:
    """A line a task."""
    rows, frame = judged_lines(store)
    if not _measured(rows):
        return absent(TITLE)
    heads = (Head("Task", number=False), *judged_heads("accuracy", other=""))
    body = [(Entry(row.key), *judged(row)) for row in tables.records(frame)]
    words = ["momentum of a tenth and of a hundredth", *paired.across(rows, PAIRS.values())]
    note = after(_preview(rows, frame), "; ".join([*words, paired.ADJUSTED]))
    return table(TITLE, note, heads, body, origin(store, rows, "mechanism", "norm_control"))


def lines(store: Store) -> int:
    """How many lines of the table have a verdict."""
    return int(judged_lines(store)[1]["verdict"].notna().sum())


def _measured(rows: pd.DataFrame) -> bool:
    return bool((rows["benchmark"] == "norm_control").any())


def _preview(rows: pd.DataFrame, frame: pd.DataFrame) -> str:
    """What the table begins with as long as planned runs are missing; or ""."""
    return compare.preview_words(frame, pairing.among(rows)[0], frame["arm"])


def facts(store: Store) -> dict[str, str]:
    """How many verdicts of which kind, in words."""
    rows, frame = judged_lines(store)
    if not _measured(rows):
        return {"norm.tasks": display.NOT_YET}
    what = f"tasks, {NAME} compared with cbam"
    said = verdict_counts(frame["verdict"].dropna().tolist(), what)
    for word in ("higher", "lower"):
        there = [f"*{task}*" for task in frame.loc[frame["verdict"] == word, "key"]]
        said += f" {word.capitalize()}: {listed(there)}." if there else ""
    return {"norm.tasks": after(_preview(rows, frame), said, ". ")}
