"""Latencies of a GPU beside those of a processor, and what a module adds at each of its places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import pandas as pd

from benchmarks import display, tables
from benchmarks.attention_costs import MOVED
from benchmarks.latency import ON_GPU
from benchmarks.site.gpu_accuracy import DEVICES
from benchmarks.site.html import Entry, Head, table, value
from benchmarks.site.latency import (
    LARGER,
    SMALLER,
    places_of,
    ratios,
    told_apart,
    without_none,
)
from benchmarks.site.origin import record
from benchmarks.site.words import listed
from benchmarks.store import Store


@dataclass(frozen=True)
class Timed:
    """A backbone's latencies in one setting: the setting and its `tables.latency_table`."""

    setting: dict[str, Any]
    frame: pd.DataFrame

    @property
    def backbone(self) -> str:
        return str(self.setting["backbone"])


def latency(store: Store) -> str:
    """Ratios to none of every backbone that a GPU timed, beside those of one thread."""
    found = [one for both in _timed(store) for one in both.values()]
    heads = [Head(one.backbone, tables.setting_words(one.setting)) for one in found]
    frames = [one.frame for one in found]
    title, note = "A GPU beside a processor", ", at inference"
    return ratios(title, note, heads, frames, _places(store, found))


def places(store: Store) -> str:
    """Microseconds that a module adds at each place where it sits, on a GPU."""
    found = [both["cuda"] for both in _timed(store)]
    title = "Time that a module adds at each of its places"
    heads = [Head("Module", number=False)]
    for one in found:
        fed = f"batch of {one.setting['batch_size']} at {one.setting['image_size']} px"
        about = f"{one.backbone}, {fed}"
        heads += [Head("µs a place", about), Head("Places", one.backbone)]
    columns = [tables.by_arm(_a_place(store, one)) for one in found]
    body = []
    for arm in tables.in_order(arm for column in columns for arm in column):
        rows = [column.get(arm) for column in columns]
        body.append((Entry(arm), *(entry for row in rows for entry in _added(row))))
    note = (
        "on a GPU, at inference; microseconds of the module less those of none, over its places; "
    )
    note += "of one session and without an interval"
    return table(title, note, heads, body, _places(store, found))


def facts(store: Store) -> dict[str, str]:
    """What the pages say of the GPU's latencies."""
    keys = ("name", "dearer", "work", "places", "watched")
    found = {f"gpu.{key}": display.MISSING for key in keys}
    return found | _seen(store) | _dearer(store) | _work(store) | _same_time(store)


def _seen(store: Store) -> dict[str, str]:
    """Which GPUs there are rows of, and what was seen of them between the rounds."""
    rows = tables.ok(store.table("latency"))
    rows = rows[rows["device"] == "cuda"]
    names = []
    for machine in sorted(rows["machine"].unique()):
        names += record(store, "machines", machine).get("gpus", [])[:1]
    found = {}
    if names:
        found["gpu.name"] = listed(list(dict.fromkeys(name.partition(",")[0] for name in names)))
    watched = rows[rows["sm_clock_low_mhz"].notna()]
    if watched.empty:
        return found
    session = [*tables.SETTING, "machine", "floor_low", "floor_high"]  # whose rows share a floor
    sessions = watched.drop_duplicates(session)
    ran, lost = (sessions["rounds"] * sessions["builds"]).sum(), sessions["discarded"].sum()
    low = display.whole(sessions["sm_clock_low_mhz"].min())
    high = display.whole(sessions["sm_clock_high_mhz"].max())
    stood = f"stood at {high} MHz" if low == high else f"was {low} to {high} MHz"
    found["gpu.watched"] = (
        f"in {display.many(len(sessions), 'session')} the clock {stood}, and "
        f"{display.whole(lost)} of {display.many(int(ran + lost), 'round')} "
        f"{'was' if lost == 1 else 'were'} thrown away"
    )
    return found


def _dearer(store: Store) -> dict[str, str]:
    """How many ratios are larger on the GPU and how many smaller.

    Beyond both intervals, each made wider by the noise floor of its session.
    """
    pairs = larger = 0
    smaller = []
    for both in _timed(store):
        if len(both) < len(DEVICES):
            continue
        found = told_apart(both["cpu"].frame, both["cuda"].frame)
        pairs += len(found)
        larger += int(found.eq(LARGER).sum())
        smaller += list(found.index[found.eq(SMALLER)])
    if not pairs:
        return {}
    words = f"{larger} of {pairs} are larger on the GPU and {len(smaller)} smaller"
    words += f" ({listed(tables.in_order(smaller))})" if smaller else ""
    same = pairs - larger - len(smaller)
    return {"gpu.dearer": f"{words}; {same} cannot be told apart" if same else words}


def _work(store: Store) -> dict[str, str]:
    """How little the time of the bare backbones has to do with their multiply-adds."""
    known = []
    for one in (both["cuda"] for both in _timed(store)):
        bare: Any = one.frame.set_index("arm").loc["none"]
        cost: Any = tables.cost_table(store, one.backbone).set_index("arm").loc["none"]
        same = display.given(cost["macs"]) and cost["image_size"] == one.setting["image_size"]
        if same and display.given(bare["latency_ms"]):
            known.append((float(cost["macs"]), float(bare["latency_ms"]), one))
    if len(known) < 2:
        return {}
    few, short, small = min(known, key=itemgetter(0))
    many, long, large = max(known, key=itemgetter(0))
    return {
        "gpu.work": (
            f"the bare {large.backbone} at {large.setting['image_size']} px has "
            f"{display.whole(round(many / few))} times the multiply-adds of the bare "
            f"{small.backbone} at {small.setting['image_size']} px, and takes {long / short:.1f} "
            "times as long"
        )
    }


def _same_time(store: Store) -> dict[str, str]:
    """By what the time of a module at a place varies over the networks, and the bytes there."""
    found = [_a_place(store, both["cuda"]) for both in _timed(store)]
    if len(found) < 2:
        return {}
    every = pd.concat(found).dropna(subset=["us", "bytes"])
    every = every[(every["us"] > 0) & (every["bytes"] > 0)].groupby("arm")
    spread = every[["us", "bytes"]].max() / every[["us", "bytes"]].min()
    spread = spread[every.size() == len(found)]
    if spread.empty:
        return {}
    least, most = (spread["us"].agg(end) for end in ("min", "max"))
    moved = display.span(spread["bytes"].round())
    return {
        "gpu.places": (
            f"over the {len(found)} networks the time that a module adds at a place varies by a "
            f"factor of {least:.2f} ({spread['us'].idxmin()}) to {most:.2f} "
            f"({spread['us'].idxmax()}), and the bytes that it moves there by one of {moved}"
        )
    }


def _timed(store: Store) -> list[dict[str, Timed]]:
    """The latencies of each backbone that a GPU timed in its first setting, and of one thread.

    By device; a processor may be missing.
    """
    gpu = tables.latency_settings(store, device="cuda")
    cpu = tables.latency_settings(store, device="cpu", threads=1)
    order = {how: i for i, how in enumerate(ON_GPU)}
    gpu.sort(key=lambda s: order.get((s["layout"], s["precision"]), len(order)))
    found = []
    for backbone in sorted({s["backbone"] for s in gpu}):
        both = {}
        for device, settings in (("cpu", cpu), ("cuda", gpu)):
            mine = next((s for s in settings if s["backbone"] == backbone), None)
            if mine:
                both[device] = Timed(mine, tables.latency_table(store, mine))
        found.append(both)
    return found


def _places(store: Store, found: Sequence[Timed]) -> str:
    parts = []
    for device, name in DEVICES.items():
        frames = [one.frame for one in found if one.setting["device"] == device]
        if frames:
            parts.append(f"{name}: {places_of(store, frames)}")
    return "<br>".join(parts)


def _a_place(store: Store, one: Timed) -> pd.DataFrame:
    """The modules of a table with ``places``, and at each of them ``us`` and ``bytes``.

    Microseconds that the module adds at a batch, and bytes that it moves at an image more than
    none does; NaN without a time of none or a count of the same image size.
    """
    cost = tables.cost_table(store, one.backbone).set_index("arm")
    cost = cost[cost["image_size"] == one.setting["image_size"]].astype({"inserted": "float64"})
    bare: Any = one.frame.loc[one.frame["arm"] == "none", "latency_ms"].astype("float64")
    made = without_none([one.frame])[0].copy()
    made["places"] = made["arm"].map(cost["inserted"]).where(lambda n: n > 0)
    added = made["latency_ms"].astype("float64") - bare.squeeze()
    made["us"] = 1000 * added / made["places"]
    moved = cost[list(MOVED)].astype("float64").sum(axis=1, skipna=False)
    made["bytes"] = made["arm"].map(moved - moved.get("none", math.nan)) / made["places"]
    return made[made["us"].notna()]


def _added(row: Any) -> list[Entry]:
    if row is None:
        return [Entry(display.MISSING)] * 2
    return [value(display.rounded, row.us), value(display.whole, row.places)]
