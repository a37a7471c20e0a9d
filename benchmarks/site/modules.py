"""Tables of one paper's modules, for the page of that paper."""

from __future__ import annotations

import pandas as pd

from benchmarks import compare, display, pairing, tables
from benchmarks.site.accuracy import difference, seeds, top1
from benchmarks.site.html import Entry, Head, absent, table, value
from benchmarks.site.latency import time
from benchmarks.site.origin import origin
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


def module(store: Store, family: str) -> str:
    """The rows of one paper's modules: a line an arm and backbone, all that was measured."""
    members = FAMILIES[family]
    costs = tables.with_arm(store.table("cost"))
    costs = costs[costs["module"].isin(members)]
    heads = (
        Head("Module and backbone", number=False),
        Head("Parameters added"),
        Head("Multiply-adds added", "one image"),
        Head("Latency", "CPU, 1 thread, times none [95 %]"),
    )
    settings = [s for s in tables.latency_settings(store, device="cpu") if s["threads"] == 1]
    timed = [tables.latency_table(store, setting).dropna(subset="status") for setting in settings]
    times = {(row.arm, row.backbone): row for frame in timed for row in tables.records(frame)}
    order = {name: i for i, name in enumerate(tables.in_order(costs["arm"]))}
    pairs = [((row.arm, row.backbone) not in times, row) for row in tables.records(costs)]
    pairs.sort(key=lambda pair: (order[pair[1].arm], pair[0], pair[1].backbone))
    body = [
        (
            Entry(f"{row.arm} in {row.backbone}, {row.image_size} px"),
            value(display.added, row.params_added, row.status),
            value(display.added, row.macs_added, row.status),
            time(times.get((row.arm, row.backbone))),
        )
        for _, row in pairs
    ]
    if not body:
        return absent("Cost and latency")
    places = origin(store, costs, "cost")
    if times:
        rows = pd.concat(timed, ignore_index=True)
        mine = rows[rows["arm"].isin(costs["arm"])]
        places += f"<br>Latency: {origin(store, mine, 'latency')}"
    return table("Cost and latency", "", heads, body, places)


def module_accuracy(store: Store, family: str) -> str:
    """The accuracy of one paper's modules in every comparison."""
    heads = (
        Head("Module", number=False),
        Head("Difference to none", "top-1, points [95 %]"),
        Head("Top-1", "%, mean"),
        Head("Seeds"),
        Head("Compared on", number=False),
    )
    body, used = [], []
    for which in compare.main_first(store):
        frame = compare.accuracy_table(store, which)
        used.append(pairing.accuracy_rows(store, which))
        preview = compare.preview_words(frame, which)
        where = f"{preview}; {which.title}" if preview else which.title
        for row in tables.records(frame):
            if row.arm.split()[0] in FAMILIES[family]:
                body.append((Entry(row.arm), difference(row), top1(row), seeds(row), Entry(where)))
    if not body:
        return absent("Accuracy")
    rows = pd.concat(used, ignore_index=True)
    return table("Accuracy", "", heads, body, origin(store, rows, "accuracy"))
