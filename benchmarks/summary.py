"""What a run ends with in the terminal: the comparisons of a suite in at most 100 columns."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks import display, stats, tables
from benchmarks.store import Store
from benchmarks.tables import Comparison

WIDTH = 100
SHORT = {stats.SAME: "same", stats.NOISY: "too noisy"}
"""Verdicts of latency in narrow columns: ``same`` is no measurable difference."""

FEWEST_FOR_INTERVAL = 3
"""Pairs below which an interval would only repeat the values."""

MOST_LISTED = 12
"""Architectures without a module that are named; the table has all."""

PREVIEW = (
    "This is a preview: so few epochs and seeds show that everything runs, not which module is "
    "better. The suite cpu measures results."
)


def text_summary(store: Store, suite: str) -> str:
    """Accuracy, cost and latency of a suite on this machine, and every row that failed."""
    console = Console(
        width=WIDTH,
        file=io.StringIO(),
        color_system=None,
        highlight=False,
        emoji=False,
        markup=False,
    )
    machine = tables.here()
    found = tables.comparisons(store, suite)
    if not found:
        console.print("Accuracy: not measured")
    for which in found:
        _accuracy(console, store, which, machine)
    _cost(console, store, found)
    _latency(console, store, machine)
    _coverage(console, store)
    _failures(console, store, tables.recipes(suite))
    text = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    lines = (line.rstrip().replace(display.MINUS, "-") for line in text.splitlines())
    return "\n".join(lines).strip("\n") + "\n"


def _accuracy(console: Console, store: Store, which: Comparison, machine: str) -> None:
    table = tables.accuracy_table(store, which, machine)
    title = f"Accuracy: {which.backbone} on {which.data}, recipe {which.recipe}, {which.device}"
    console.print(f"{title} (preview)" if which.preview else title)
    rows = [
        (
            row.arm,
            display.shown(display.percent, row.top1),
            _seeds(row.seeds, row.failed),
            difference(row),
            verdict(row),
        )
        for row in tables.records(table)
    ]
    _print(console, ("module", "top-1 %", "seeds", "difference to none [95 %]", "verdict"), rows)
    if which.preview:
        console.print(PREVIEW)
    elif table["verdict"].eq(stats.TOO_FEW).any():
        needed = stats.seeds_needed(int(table["pairs"].notna().sum()))
        console.print(f"A family of this size needs at least {needed} paired seeds for a verdict.")
    console.print()


def difference(row: Any) -> str:
    """The paired difference with its interval; the bare backbone is the reference."""
    if row.arm == "none":
        return display.REFERENCE
    ends = (row.low, row.high) if row.pairs >= FEWEST_FOR_INTERVAL else (None, None)
    return display.interval(display.points, row.difference, *ends)


def verdict(row: Any) -> str:
    """The verdict word; the bare backbone has none."""
    if row.arm == "none":
        return ""
    return display.shown(str, row.verdict)


def _seeds(done: int, failed: int) -> str:
    return f"{done} + {failed} failed" if failed else str(done)


def _cost(console: Console, store: Store, found: Sequence[Comparison]) -> None:
    measured = set(store.table("cost")["backbone"])
    wanted = [*(which.backbone for which in found), *tables.REFERENCE_BACKBONES]
    backbone = next((b for b in wanted if b in measured), None)
    if backbone is None:
        console.print("Cost: not measured\n")
        return
    others = f"; {len(measured) - 1} more backbones in the table" if len(measured) > 1 else ""
    console.print(f"Cost: {backbone}, 224 px, one image{others}")
    rows = [
        (
            row.arm,
            _or_status(display.whole, row.params, row.status),
            _or_status(display.added, row.params_added, row.status),
            _or_status(display.count, row.macs, row.status),
            _or_status(display.added, row.macs_added, row.status),
        )
        for row in tables.records(tables.cost_table(store, backbone))
    ]
    _print(console, ("module", "parameters", "added", "multiply-adds", "added"), rows)
    console.print()


def _or_status(form, value: object, status: object) -> str:
    if display.given(status) and status != "ok":
        return str(status)
    return display.shown(form, value)


def _latency(console: Console, store: Store, machine: str) -> None:
    settings = tables.latency_settings(store, machine)
    if not settings:
        console.print("Latency: not measured\n")
        return
    where = "this machine" if settings[0]["machine"] == machine else "another machine"
    groups: dict[str, list[dict[str, Any]]] = {}
    for setting in settings:
        groups.setdefault(tables.setting_words(setting), []).append(setting)
    for words, members in groups.items():
        console.print(f"Latency over the bare backbone's, on {where}: {words}")
        columns = {s["backbone"]: tables.latency_table(store, s).set_index("arm") for s in members}
        arms = tables.in_order(arm for table in columns.values() for arm in table.index)
        rows = []
        for name in arms:
            cells = [t.loc[name] if name in t.index else None for t in columns.values()]
            rows.append([name, *(_ratio(name, cell) for cell in cells)])
        floors = [floor(table) for table in columns.values()]
        _print(console, ("module", *columns), [*rows, ["(noise floor)", *floors]])
        console.print("same: no measurable difference, that is, within the noise floor of 1\n")


def _ratio(name: str, cell: Any) -> str:
    if cell is None or not display.given(cell["status"]):
        return display.MISSING
    if cell["status"] != "ok":
        return str(cell["status"])
    if name == "none":
        return f"{display.milliseconds(cell['latency_ms'])} ms"
    return f"{display.ratio(cell['ratio'])} {SHORT.get(cell['verdict'], cell['verdict'])}"


def floor(table: pd.DataFrame) -> str:
    """The noise floor of a latency table as ``+-1.2 %``, or ``not measured``."""
    ends = table[["floor_low", "floor_high"]].dropna()
    if ends.empty:
        return display.MISSING
    low, high = ends.iloc[0]
    return f"{100 * stats.floor_of(stats.Interval(1.0, low, high)):.1f} %"


def _coverage(console: Console, store: Store) -> None:
    rows = store.table("coverage")
    if rows.empty:
        console.print("Coverage: not measured\n")
        return
    good = int((rows["status"] == "ok").sum())
    counted = tables.coverage_table(store, "kind")
    every = counted[(counted["kind"] == "convolutional") & (counted["arm"] == "all")]
    for row in tables.records(every):
        console.print(
            f"Coverage: {row.good} of {row.all} convolutional architectures take every module "
            f"({display.share(row.good, row.all)})"
        )
    console.print(f"Coverage: {good} of {len(rows)} pairs of architecture and module work")
    without = tables.failed(tables.coverage_rows(store)).groupby("backbone", sort=True)
    for i, (backbone, mine) in enumerate(without):
        if i == MOST_LISTED:
            more = without.ngroups - MOST_LISTED
            console.print(f"  and {more} more: python -m benchmarks table coverage")
            break
        console.print(f"  {backbone} without {', '.join(tables.in_order(mine['arm']))}")
    console.print()


def _failures(console: Console, store: Store, suite_recipes: set[str] | None) -> None:
    rows = tables.failures(store)
    if suite_recipes is not None:
        rows = rows[(rows["benchmark"] != "accuracy") | rows["recipe"].isin(suite_recipes)]
    if rows.empty:
        return
    console.print(f"Rows without a value: {len(rows)}")
    for row in tables.records(rows):
        seed = f"seed {row.seed}" if display.given(row.seed) else ""
        threads = f"threads {row.threads}" if display.given(row.threads) else ""
        words = [row.benchmark, row.backbone, row.arm, row.data, row.recipe, seed, threads]
        what = " · ".join(str(w) for w in words if display.given(w))
        console.print(f"  {row.status}: {what}: {row.reason}")


def _print(console: Console, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, title in enumerate(titles):
        right = i > 0 and title not in ("verdict",)
        table.add_column(title, justify="right" if right else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)
