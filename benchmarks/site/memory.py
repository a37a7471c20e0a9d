"""Tables of peak memory: what a step takes, and what a module adds to it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks import display, tables
from benchmarks.memory import MODES
from benchmarks.site.html import Entry, Head, absent, table, value
from benchmarks.site.origin import origin
from benchmarks.store import Store


def memory(store: Store) -> str:
    """One table a backbone: both modes, the step's tensors and what is more than without module.

    Each is of one device and one machine.
    """
    every = tables.with_arm(store.table("memory"))
    parts = []
    for device, where in (("cpu", ""), ("cuda", " on a GPU")):
        rows = tables.one_machine(every[every["device"] == device])
        for backbone in dict.fromkeys(rows["backbone"]):
            mine = rows[rows["backbone"] == backbone]
            parts += [f"\n### {backbone}{where}\n", _table(store, backbone, mine)]
    return "\n".join(parts) or absent("Peak memory")


def _table(store: Store, backbone: str, rows: pd.DataFrame) -> str:
    newest = rows.sort_values("measured_at", kind="stable")
    newest = newest.drop_duplicates(["arm", "recipe"], keep="last")
    by_mode = {m: newest[newest["recipe"] == m].set_index("arm") for m in MODES}
    heads = [Head("Module", number=False)]
    resident = bool(newest["device"].eq("cpu").any())
    for mode in MODES:
        name = mode.capitalize()
        heads += [Head(f"{name} step", "MiB of tensors"), Head("Times none", mode)]
        heads += [Head("Resident set", f"{mode}, MiB more")] if resident else []
    body = []
    for arm in tables.in_order(newest["arm"]):
        entries = [Entry(arm)]
        for frame in by_mode.values():
            *tensors, grown = _entries(frame, arm)
            entries += [*tensors, grown] if resident else tensors
        body.append(entries)
    first: Any = newest.iloc[0]
    note = f"{first['device']}, batch {first['batch_size']}, {first['image_size']} px"
    where = "" if resident else " on a GPU"
    caption = f"Peak memory of a step of {backbone}{where}"
    return table(caption, note, heads, body, origin(store, newest, "memory"))


def _entries(frame: pd.DataFrame, arm: str) -> list[Entry]:
    if arm not in frame.index:
        return [Entry(display.MISSING)] * 3
    row: Any = frame.loc[arm]
    bare = frame.loc["none", "step_mib"] if "none" in frame.index else None
    times = (
        row["step_mib"] / bare if display.given(bare) and display.given(row["step_mib"]) else None
    )
    return [
        value(display.tenth, row["step_mib"], row["status"]),
        value(display.ratio, times, row["status"]),
        value(display.whole, row["resident_mib"], row["status"]),
    ]
