"""What memory allocation costs a network: a table, and sentences for the page on timing."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks import display, latency, tables
from benchmarks.allocation import PROCESSES
from benchmarks.fresh import KEEPING
from benchmarks.site.html import Entry, Head, absent, estimate, table, value
from benchmarks.site.origin import origin
from benchmarks.store import Store


def rows_of(store: Store) -> pd.DataFrame:
    """The rows of one machine, backbones as in `latency`, modules in their usual order."""
    rows = tables.with_arm(tables.one_machine(store.table("allocation")))
    known = [*latency.BACKBONES, *sorted(set(rows["backbone"]) - set(latency.BACKBONES))]
    arms = tables.in_order(rows["arm"])
    places = pd.DataFrame({"backbone": rows["backbone"].map(known.index)}, rows.index)
    places["arm"] = rows["arm"].map(arms.index)
    return rows.loc[places.sort_values(["backbone", "arm"], kind="stable").index]


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
    """The largest cost of the defaults, and where a module's apparent price depends on them."""
    rows = tables.ok(rows_of(store))
    largest = display.MISSING
    if len(rows):
        row: Any = max(tables.records(rows), key=lambda r: r.ratio)
        network = row.backbone if row.arm == "none" else f"{row.backbone} with {row.arm}"
        largest = (
            f"{_with_ends(row)} times for {network} "
            f"({display.rounded(row.default_faults)} page faults a forward pass)"
        )
    variables = " ".join(f"{name}={value}" for name, value in KEEPING.items())
    return {
        "allocation.largest": largest,
        "allocation.prices": _prices(rows),
        "allocation.processes": str(PROCESSES),
        "allocation.variables": variables,
    }


def _prices(rows: pd.DataFrame) -> str:
    """Whether the defaults cost a network with a module as much as the bare one, in a sentence."""
    apart, pairs = [], 0
    for backbone in dict.fromkeys(rows["backbone"]):
        mine = {row.arm: row for row in tables.records(rows[rows["backbone"] == backbone])}
        bare = mine.pop("none", None)
        for row in mine.values() if bare else ():
            pairs += 1
            if row.ratio_low > bare.ratio_high or row.ratio_high < bare.ratio_low:
                apart.append(
                    f"by the defaults {row.arm} in {backbone} takes {_with_ends(row)} times as "
                    f"long as with memory kept, the bare network {_with_ends(bare)} times"
                )
    if not pairs:
        return f"Whether a ratio to the bare network depends on them: {display.MISSING}."
    which = f"of {display.many(pairs, 'pair')} of module and backbone"
    if not apart:
        return (
            f"Whether a ratio to the bare network depends on them can't be told here: {which} "
            "none has an interval beyond that of the bare network."
        )
    return (
        f"And a ratio of two networks does not cancel them: beyond both intervals, {which} "
        f"{len(apart)} {'has' if len(apart) == 1 else 'have'} another price with them: "
        f"{'; '.join(apart)}."
    )


def _with_ends(row: Any) -> str:
    low, high = display.ratio(row.ratio_low), display.ratio(row.ratio_high)
    return f"{display.ratio(row.ratio)} [{low}, {high}]"
