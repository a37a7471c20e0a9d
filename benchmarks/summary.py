"""What a run ends with in the terminal: the comparisons of a suite in at most 100 columns."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks import compare, display, pairing, stats, tables
from benchmarks.cells import ROOT, benchmarks
from benchmarks.pairing import Comparison
from benchmarks.store import Store

WIDTH = 100
SHORT = {stats.SAME: "same", stats.NOISY: "too noisy"}
"""Verdicts of latency in narrow columns: ``same`` is no measurable difference."""

SAME = (
    "same: the interval does not leave 1 by more than the noise floor and by more than "
    f"{100 * stats.RESOLUTION:.0f} %"
)

MOST_LISTED = 12
"""Architectures without a module that are named; the table has all."""


def text_summary(
    store: Store,
    suite: str,
    only: Sequence[str] = (),
    backbones: Sequence[str] = (),
    arms: Sequence[str] = (),
) -> str:
    """Accuracy, cost, latency and coverage of a suite on this machine, and rows without a value.

    ``only`` names the benchmarks to speak of instead, in the order of the suite; ``backbones`` and
    ``arms`` are those that a reader asked for: costs and times are of these backbones, and what has
    no value of these arms and the bare backbone that they are compared with.
    """
    console = Console(
        width=WIDTH,
        file=io.StringIO(),
        color_system=None,
        highlight=False,
        emoji=False,
        markup=False,
    )
    machine = tables.here()
    found = compare.main_first(store, suite)
    if backbones:
        found = [which for which in found if which.backbone in backbones]
    # the benchmarks with a summary of their own; of the others rows are counted
    own = {
        "accuracy": lambda: _accuracies(console, store, found, machine),
        "cost": lambda: _costs(console, store, found, backbones),
        "latency": lambda: _latency(console, store, machine, backbones),
        "coverage": lambda: _coverage(console, store, arms),
    }
    for name, say in own.items():
        if not only or name in only:
            say()
    for name, benchmark in benchmarks().items():
        if name in only and name not in own:
            _counted(console, store, name, benchmark.title)
    failed = tables.failures(store)
    shown = [*arms, "none"] if arms else ()
    for column, asked in (("benchmark", only), ("backbone", backbones), ("arm", shown)):
        failed = failed[failed[column].isin(list(asked))] if asked else failed
    _failures(console, failed, pairing.recipes(suite))
    text = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    lines = (line.rstrip().replace(display.MINUS, "-") for line in text.splitlines())
    return "\n".join(lines).strip("\n") + "\n"


def page_of(name: str) -> Path | None:
    """The page that offers the table of a benchmark, from the checkout on; None if none does."""
    offer = f'download("{name}")'
    for path in sorted((ROOT / "docs").rglob("*.md")):
        if offer in path.read_text(encoding="utf-8"):
            return path.relative_to(ROOT)
    return None


def _counted(console: Console, store: Store, name: str, title: str) -> None:
    console.print(f"{name}: {title}")
    counts = store.table(name)["status"].value_counts()
    words = ", ".join(f"{n} {status}" for status, n in counts.items())
    console.print(f"  rows: {words or display.MISSING}")
    page = page_of(name)
    if page:
        console.print(f"  page: {page}; `nox -s serve` shows it with the rows of results/")
    console.print()


def _accuracies(console: Console, store: Store, found: Sequence[Comparison], machine: str) -> None:
    if not found:
        console.print("Accuracy: not measured")
    for which in found:
        _accuracy(console, store, which, machine)


def _accuracy(console: Console, store: Store, which: Comparison, machine: str) -> None:
    table = compare.accuracy_table(store, which, machine)
    preview = compare.preview_words(table, which)
    if preview:
        console.print(f"{preview}. It shows that everything runs, not which module is better.")
    rows = pairing.accuracy_rows(store, which, machine)
    console.print(f"Accuracy{_elsewhere(rows, machine)}: {which.title}")
    body = [
        (
            row.arm,
            display.percent(row.top1) if display.given(row.top1) else row.no_value,
            f"{row.seeds} + {row.failed} {row.no_value}" if row.failed else str(row.seeds),
            display.difference(row),
            display.verdict(row),
        )
        for row in tables.records(table)
    ]
    _print(console, ("module", "top-1 %", "seeds", "difference to none [95 %]", "verdict"), body)
    if table["verdict"].eq(stats.TOO_FEW).any():
        needed = stats.seeds_needed(int(table["family"].max()))
        console.print(f"A family of this size needs at least {needed} paired seeds for a verdict.")
    old = pairing.left_out(pairing.every_row(store, which))
    if old:
        console.print(f"{display.many(old, 'row')} of older code left out.")
    console.print()


def _elsewhere(rows: pd.DataFrame, machine: str) -> str:
    """How many of the rows are of another machine, as part of a title; "" if none is."""
    away = int((rows["machine"] != machine).sum())
    if not away:
        return ""
    some = "" if away == len(rows) else f"{away} of {len(rows)} rows "
    return f", {some}on another machine"


def _costs(
    console: Console, store: Store, found: Sequence[Comparison], backbones: Sequence[str]
) -> None:
    for wanted in backbones or [""]:
        _cost(console, store, found, wanted)


def _cost(console: Console, store: Store, found: Sequence[Comparison], asked: str) -> None:
    """Of the backbone that is asked for, or of the first that a comparison or a reader knows."""
    measured = set(tables.cost_rows(store)["backbone"])
    wanted = [*(which.backbone for which in found), *tables.REFERENCE_BACKBONES]
    wanted = [asked] if asked else wanted
    if not measured or (asked and asked not in measured):
        console.print(f"Cost{asked and f': {asked}'}: not measured\n")
        return
    backbone = next((b for b in wanted if b in measured), min(measured))
    table = tables.cost_table(store, backbone)
    others = f"; {len(measured) - 1} more backbones in the table" if len(measured) > 1 else ""
    console.print(f"Cost: {backbone}, {tables.pixels(table)}, one image{others}")
    rows = [
        (
            row.arm,
            display.measured(display.whole, row.params, row.status),
            display.measured(display.added, row.params_added, row.status),
            display.measured(display.count, row.macs, row.status),
            display.measured(display.added, row.macs_added, row.status),
        )
        for row in tables.records(table)
    ]
    _print(console, ("module", "parameters", "added", "multiply-adds", "added"), rows)
    console.print()


def _latency(console: Console, store: Store, machine: str, backbones: Sequence[str]) -> None:
    settings = tables.latency_settings(store, machine)
    settings = [s for s in settings if not backbones or s["backbone"] in backbones]
    if not settings:
        console.print("Latency: not measured\n")
        return
    where = "this kind of machine" if settings[0]["machine"] == machine else "another machine"
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
        floors = [tables.noise_floor(table) for table in columns.values()]
        loads = pd.concat([table["load_average"] for table in columns.values()]).dropna()
        _print(console, ("module", *columns), [*rows, ["(noise floor)", *floors]])
        if any(entry.endswith(" same") for line in rows for entry in line):
            console.print(SAME)
        if len(loads):
            console.print(f"largest load before a session: {loads.max():.1f}")
        console.print()


def _ratio(name: str, cell: Any) -> str:
    if cell is None or not display.given(cell["status"]):
        return display.MISSING
    if cell["status"] != "ok":
        return str(cell["status"])
    if name == "none":
        return f"{display.milliseconds(cell['latency_ms'])} ms"
    return f"{display.ratio(cell['ratio'])} {SHORT.get(cell['verdict'], cell['verdict'])}"


def _coverage(console: Console, store: Store, arms: Sequence[str]) -> None:
    rows = tables.counted(store, "coverage")
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
    failed = tables.failed(tables.coverage_rows(store))
    failed = failed[failed["arm"].isin(list(arms))] if arms else failed
    without = failed.groupby("backbone", sort=True)
    for i, (backbone, mine) in enumerate(without):
        if i == MOST_LISTED:
            more = without.ngroups - MOST_LISTED
            console.print(f"  and {more} more: python -m benchmarks table coverage")
            break
        console.print(f"  {backbone} without {', '.join(tables.in_order(mine['arm']))}")
    console.print()


def _failures(console: Console, rows: pd.DataFrame, suite_recipes: set[str]) -> None:
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
