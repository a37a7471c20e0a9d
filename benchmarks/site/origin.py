"""Where rows come from, in words: machine, versions, dates."""

from __future__ import annotations

import json
from html import escape
from typing import Any

import pandas as pd

from benchmarks import display
from benchmarks.store import Store


def record(store: Store, kind: str, name: str) -> dict[str, Any]:
    """A machine or environment record, empty if it is not in the checkout."""
    path = store.root / kind / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def origin(store: Store, rows: pd.DataFrame, csv: str) -> str:
    """Where rows come from, as HTML: machine, threads, torch, dates, the file with all of them."""
    rows = rows[rows["machine"].map(display.given).astype(bool)]
    if rows.empty:
        return f"No row yet in <code>{csv}.csv</code>."
    places = []
    for name, mine in rows.groupby("machine"):
        machine = record(store, "machines", str(name))
        words = [escape(str(machine.get("processor", "a machine without a record")))]
        if "cores" in machine:
            words.append(f"{machine['cores']} cores")
        if machine.get("gpus") and mine.get("device", pd.Series()).eq("cuda").any():
            words = [escape(machine["gpus"][0])]
        places.append(f"{', '.join(words)} (record {name}, {len(mine)} rows)")
    torch = {record(store, "environments", e).get("torch") for e in rows["environment"].unique()}
    versions = ", ".join(sorted(str(v) for v in torch if v)) or "not recorded"
    days = sorted({str(day)[:10] for day in rows["measured_at"]})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"Measured on {'; '.join(places)}; torch {versions}; {when}. All rows: {csv}.csv."
