"""What memory allocation costs a network: a table, and sentences for the page on timing."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from benchmarks import display, tables
from benchmarks.fresh import KEEPING
from benchmarks.site.html import Entry, Head, absent, estimate, table, value
from benchmarks.site.origin import origin
from benchmarks.store import Store


def rows_of(store: Store) -> pd.DataFrame:
    """The rows of one machine, backbones as they were measured, modules in their usual order."""
    rows = tables.with_arm(tables.one_machine(store.table("allocation")))
    arms = tables.in_order(rows["arm"]) if len(rows) else []
    backbones = list(dict.fromkeys(rows.get("backbone", [])))
    order = pd.Series(
        [(backbones.index(r.backbone), arms.index(r.arm)) for r in tables.records(rows)],
        rows.index,
        dtype=object,
    )
    return rows.loc[order.sort_values(kind="stable").index]


def allocation(store: Store) -> str:
    """A line a network: its time by the C library's defaults and with freed memory kept."""
    rows = rows_of(store)
    if rows.empty:
        return absent("What memory allocation costs")
    heads = (
        Head("Network", number=False),
        Head("Module", number=False),
        Head("Memory kept", "ms"),
        Head("Defaults", "ms"),
        Head("Defaults over kept", "ratio [95 % interval]"),
        Head("Page faults", "a forward pass, by defaults"),
        Head("Page faults", "a forward pass, memory kept"),
    )
    body = [
        (
            Entry(row.backbone),
            Entry(row.arm),
            value(display.tenth, row.kept_ms, row.status),
            value(display.tenth, row.default_ms, row.status),
            estimate(display.ratio, row.ratio, row.ratio_low, row.ratio_high, None, row.status),
            value(display.rounded, row.default_faults, row.status),
            value(display.rounded, row.kept_faults, row.status),
        )
        for row in tables.records(rows)
    ]
    note = "one thread; each process runs one network and nothing else"
    return table(
        "What memory allocation costs", note, heads, body, origin(store, rows, "allocation")
    )


def facts(store: Store) -> dict[str, str]:
    """The largest cost of the defaults, and how far a module's apparent price depends on them."""
    rows = tables.ok(rows_of(store))
    largest = prices = display.MISSING
    if len(rows):
        row: Any = max(tables.records(rows), key=lambda r: r.ratio)
        network = row.backbone if row.arm == "none" else f"{row.backbone} with {row.arm}"
        largest = (
            f"{display.ratio(row.ratio)} times for {network} "
            f"({display.rounded(row.default_faults)} page faults a forward pass)"
        )
        prices = "; ".join(_prices(rows)) or display.MISSING
    variables = " ".join(f"{name}={value}" for name, value in KEEPING.items())
    return {
        "allocation.largest": largest,
        "allocation.prices": prices,
        "allocation.variables": variables,
    }


def _prices(rows: pd.DataFrame) -> list[str]:
    """For each backbone the module whose ratio to the bare one depends most on the allocation."""
    found = []
    for backbone in dict.fromkeys(rows["backbone"]):
        mine = {row.arm: row for row in tables.records(rows[rows["backbone"] == backbone])}
        bare = mine.pop("none", None)
        if bare is None or not mine:
            continue
        row = max(mine.values(), key=lambda r: abs(math.log(r.ratio / bare.ratio)))
        kept, default = row.kept_ms / bare.kept_ms, row.default_ms / bare.default_ms
        found.append(
            f"{row.arm} in {backbone} takes {display.ratio(kept)} of the bare network's time with "
            f"memory kept, {display.ratio(default)} by the defaults"
        )
    return found
