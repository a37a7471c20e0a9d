"""Tables of what an arm adds: parameters, multiply-adds, element-wise work."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

from benchmarks import display, tables
from benchmarks.nets import SIZES
from benchmarks.site.html import Entry, Head, absent, table, value
from benchmarks.site.origin import origin
from benchmarks.store import Store


def cost(store: Store) -> str:
    """What every arm adds on every backbone, then everything that was counted, by backbone."""
    rows = tables.counted(store, "cost")
    backbones = in_order(rows["backbone"])
    if not backbones:
        return absent("Cost")
    overviews = (("Parameters added", "params_added"), ("Multiply-adds added", "macs_added"))
    parts = ["\n## Every backbone\n"]
    for title, column in overviews:
        parts.append(_overview(store, rows, backbones, title, column))
    links = ", ".join(f"[{name}](#{name})" for name in backbones)
    parts += ["\n## Everything counted\n", f"Of {links}.\n"]
    for backbone in backbones:
        parts += [f"\n### {backbone}\n", _cost(store, backbone)]
    return "\n".join(parts)


def in_order(backbones: Iterable[str]) -> list[str]:
    """Each backbone once, ResNets first."""
    return sorted(dict.fromkeys(backbones), key=lambda name: not name.startswith("resnet"))


def nets(store: Store) -> str:
    """Everything that was counted of the trained nets beside that of the main table."""
    backbones = list(dict.fromkeys(store.table("nets")["backbone"]))
    if not backbones:
        return absent("Cost of the other trained nets")
    order = [name for name in SIZES if name in backbones]
    return "\n".join(f"\n### {backbone}\n\n{_cost(store, backbone)}" for backbone in order)


def _overview(
    store: Store, rows: pd.DataFrame, backbones: list[str], title: str, column: str
) -> str:
    frames = [tables.cost_table(store, b).set_index("arm") for b in backbones]
    plain = [arm for arm in tables.in_order(tables.with_arm(rows)["arm"]) if " " not in arm]
    body = [
        (
            Entry(arm),
            *(
                value(display.added, f.loc[arm, column], f.loc[arm, "status"])
                if arm in f.index
                else Entry(display.MISSING)
                for f in frames
            ),
        )
        for arm in plain
        if arm != "none"
    ]
    heads = [Head("Module", number=False), *(Head(b) for b in backbones)]
    note = "default options, one image at the size that the backbone is counted at"
    return table(title, note, heads, body, origin(store, rows, "cost"))


COST_COLUMNS: tuple[tuple[Head, str, Callable[[Any], str]], ...] = (
    (Head("Parameters"), "params", display.whole),
    (Head("Parameters added"), "params_added", display.added),
    (Head("Multiply-adds", "conv, matmul, attention"), "macs", display.count),
    (Head("Multiply-adds added"), "macs_added", display.added),
    (Head("Element-wise operations added"), "elementwise_ops_added", display.added),
    (Head("Element-wise bytes added"), "elementwise_bytes_added", display.added),
    (Head("Activations"), "activations", display.count),
    (Head("fvcore's total"), "fvcore_flops", display.count),
    (Head("fvcore did not count", number=False), "fvcore_uncounted", str),
    (Head("Placed", "modules"), "inserted", display.whole),
    (Head("Slot", number=False), "slot", str),
)


def _cost(store: Store, backbone: str) -> str:
    frame = tables.cost_table(store, backbone)
    body = []
    for row in frame.to_dict("records"):
        entries = [Entry(str(row["arm"]))]
        for head, column, form in COST_COLUMNS:
            done = display.given(row["status"])
            empty = done and not head.number and not display.given(row[column])
            entries.append(Entry("–") if empty else value(form, row[column], row["status"]))
        body.append(entries)
    heads = [Head("Module", number=False), *(head for head, _, _ in COST_COLUMNS)]
    note = f"one image of {tables.pixels(frame)}; the same on every machine"
    file = "nets" if backbone in SIZES else "cost"
    return table(f"Cost of {backbone}", note, heads, body, origin(store, frame, file))
