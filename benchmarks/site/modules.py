"""Tables of modules: all of them on one backbone, and one paper's for the page of that paper."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks import compare, display, pairing, tables
from benchmarks.cells import MODULES
from benchmarks.site import paired
from benchmarks.site.accuracy import about, shown
from benchmarks.site.html import Entry, Head, absent, table, value
from benchmarks.site.judged import seeds, top1
from benchmarks.site.latency import time
from benchmarks.site.origin import origin
from benchmarks.site.paired import difference
from benchmarks.store import Store

FAMILIES = {
    "se": ("se", "se_var1", "se_var2", "se_var3", "se_gc"),
    "cbam": ("cbam",),
    "sk": ("sk",),
    "danet": ("pam", "cam", "danet"),
    "eca": ("eca", "eca_ns"),
    "coord": ("coord",),
}
"""The modules that each page of a paper shows."""

ADJUSTED = paired.adjusted("all modules of the comparison")

OVERVIEW = "resnet50"
"""The backbone of the table that has all modules."""


def overview(store: Store) -> str:
    """What every module adds to one backbone: parameters, multiply-adds, time."""
    costs = tables.cost_table(store, OVERVIEW)
    by_arm = costs.set_index("arm")
    timed = [one for one in _timed(store) if one[0]["backbone"] == OVERVIEW]
    times = {row.arm: row for _, frame in timed for row in tables.records(frame)}
    if not times and not costs["status"].map(display.given).any():
        return absent("What each module adds")
    heads = (
        Head("Module", number=False),
        Head("Latency", "times none [95 %, one session]"),
        Head("Parameters added"),
        Head("Multiply-adds added"),
    )
    body = [
        (
            Entry(name),
            time(times.get(name)),
            *(
                value(display.added, by_arm.loc[name, column], by_arm.loc[name, "status"])
                for column in ("params_added", "macs_added")
            ),
        )
        for name in MODULES
        if name != "none"
    ]
    size = tables.pixels(costs)
    note = "; ".join(filter(None, (size and f"one image of {size}", _setting(timed))))
    places = _places(store, costs, timed)
    return table(f"What each module adds to {OVERVIEW}", note, heads, body, places)


def module(store: Store, family: str) -> str:
    """The rows of one paper's modules: a line an arm and backbone, all that was measured."""
    members = FAMILIES[family]
    costs = tables.with_arm(tables.counted(store, "cost"))
    costs = costs[costs["module"].isin(members)]
    heads = (
        Head("Module and backbone", number=False),
        Head("Latency", "times none [95 %, one session]"),
        Head("Parameters added"),
        Head("Multiply-adds added", "one image"),
    )
    found = [(setting, rows[rows["arm"].isin(costs["arm"])]) for setting, rows in _timed(store)]
    timed = [(setting, rows) for setting, rows in found if len(rows)]
    times = {(row.arm, row.backbone): row for _, rows in timed for row in tables.records(rows)}
    order = {name: i for i, name in enumerate(tables.in_order(costs["arm"]))}
    pairs = [((row.arm, row.backbone) not in times, row) for row in tables.records(costs)]
    pairs.sort(key=lambda pair: (order[pair[1].arm], pair[0], pair[1].backbone))
    body = [
        (
            Entry(f"{row.arm} in {row.backbone}, {row.image_size}\N{NO-BREAK SPACE}px"),
            time(times.get((row.arm, row.backbone))),
            value(display.added, row.params_added, row.status),
            value(display.added, row.macs_added, row.status),
        )
        for _, row in pairs
    ]
    return table("Latency and cost", _setting(timed), heads, body, _places(store, costs, timed))


Timed = list[tuple[dict[str, Any], pd.DataFrame]]


def _timed(store: Store) -> Timed:
    """The settings of one thread of a processor with what was timed in each."""
    settings = tables.latency_settings(store, device="cpu", threads=1)
    return [(s, tables.latency_table(store, s).dropna(subset="status")) for s in settings]


def _setting(timed: Timed) -> str:
    """How latencies were timed, for a caption; "" without any."""
    if not timed:
        return ""
    fed = dict.fromkeys(f"batch {s['batch_size']} at {s['image_size']} px" for s, _ in timed)
    floor = tables.noise_floor(pd.concat(rows for _, rows in timed))
    most = " at most" if len(timed) > 1 else ""
    return f"latency: CPU, 1 thread, {', '.join(fed)}; noise floor{most} {floor}"


def _places(store: Store, costs: pd.DataFrame, timed: Timed) -> str:
    places = origin(store, costs, "cost")
    if timed:
        rows = pd.concat((rows for _, rows in timed), ignore_index=True)
        places += f"<br>Latency: {origin(store, rows, 'latency')}"
    return places


def module_accuracy(store: Store, family: str) -> str:
    """The accuracy of one paper's modules, a table a comparison of `shown`."""
    heads = (
        Head("Module", number=False),
        Head("Difference to none", "top-1, points [95 %]"),
        Head("Top-1", "%, mean"),
        Head("Seeds"),
    )
    parts = []
    for which in shown(store):
        judged = tables.records(compare.accuracy_table(store, which))
        mine = [row for row in judged if row.arm.split()[0] in FAMILIES[family]]
        body = [(Entry(row.arm), difference(row), top1(row), seeds(row)) for row in mine]
        places = origin(store, pairing.accuracy_rows(store, which), "accuracy")
        if any(row.seeds or row.failed for row in mine):
            note = f"{about(store, which)}; {ADJUSTED}"
            parts.append(table(which.title, note, heads, body, places))
    return "\n".join(parts) or absent("Accuracy")
