"""What memory allocation costs a network: a table, and sentences for the page on timing."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from benchmarks import display, latency, stats, tables
from benchmarks.fresh import KEEPING
from benchmarks.site.html import Entry, Head, estimate, table, value
from benchmarks.site.origin import origin
from benchmarks.store import Store


def rows_of(store: Store) -> pd.DataFrame:
    """The rows of one machine, backbones as in `latency`, modules in their usual order."""
    rows = tables.with_arm(tables.timed(store, "allocation"))
    known = [*latency.BACKBONES, *sorted(set(rows["backbone"]) - set(latency.BACKBONES))]
    return tables.sort_by(rows, {"backbone": known, "arm": tables.in_order(rows["arm"])})


def allocation(store: Store) -> str:
    """A line a network: its time by the C library's defaults and with freed memory kept."""
    rows = rows_of(store)
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
    largest = processes = display.MISSING
    if len(rows):
        row: Any = max(tables.records(rows), key=lambda r: r.ratio)
        network = row.backbone if row.arm == "none" else f"{row.backbone} with {row.arm}"
        times = display.interval(display.ratio, row.ratio, row.ratio_low, row.ratio_high)
        faults = display.rounded(row.default_faults)
        largest = f"{times} times for {network} ({faults} page faults a forward pass)"
        processes = display.whole(row.processes)
    variables = " ".join(f"{name}={value}" for name, value in KEEPING.items())
    return {
        "allocation.largest": largest,
        "allocation.chance": _chance(rows),
        "allocation.prices": _prices(rows),
        "allocation.processes": processes,
        "allocation.variables": variables,
    }


FEW_FAULTS = 20
"""Page faults a forward pass up to which a network counts as one that has none."""


def _chance(rows: pd.DataFrame) -> str:
    """What the ratio is where neither state has page faults, so that nothing should differ."""
    few = rows[rows[["default_faults", "kept_faults"]].max(axis=1) <= FEW_FAULTS]
    if few.empty:
        return f"Networks without page faults: {display.MISSING}."
    return (
        f"{display.many(len(few), 'network')} with at most {FEW_FAULTS} page faults a forward "
        f"pass in either state {'shows' if len(few) == 1 else 'show'} what chance does: "
        f"{display.span(few['ratio'], display.ratio)}."
    )


def _prices(rows: pd.DataFrame) -> str:
    """Where a module's ratio to the bare network depends on the defaults, in a sentence.

    Welch's intervals of the difference of the logarithms, wide enough to hold for all pairs of
    module and backbone together (Bonferroni).
    """
    pairs = []
    for backbone in dict.fromkeys(rows["backbone"]):
        mine = tables.by_arm(rows[rows["backbone"] == backbone])
        bare = mine.pop("none", None)
        both = [(row, bare) for row in mine.values() if bare]
        pairs += [pair for pair in both if all(display.given(one.ratios) for one in pair)]
    if not pairs:
        return f"Whether a module's ratio depends on the C library's defaults: {display.MISSING}."
    apart = []
    for row, bare in pairs:
        logs = [[math.log(float(r)) for r in one.ratios.split()] for one in (row, bare)]
        gap = stats.welch_interval(*logs, confidence=1 - stats.ALPHA / len(pairs))
        if gap.low > 0 or gap.high < 0:
            times = display.interval(display.ratio, *map(math.exp, (gap.value, gap.low, gap.high)))
            apart.append(f"{row.arm} in {row.backbone} {times} times")
    which = f"of {display.many(len(pairs), 'pair')} of module and backbone"
    if not apart:
        return (
            "Does a module's ratio to the bare network depend on the C library's defaults? For "
            f"none {which} can the ratio by the defaults be told from that with memory kept."
        )
    return (
        f"A module's ratio to the bare network can depend on the C library's defaults: {which}, "
        f"{len(apart)} {'has' if len(apart) == 1 else 'have'} another by the defaults than with "
        f"memory kept: {'; '.join(apart)} that ratio (intervals that hold for all pairs together)."
    )
