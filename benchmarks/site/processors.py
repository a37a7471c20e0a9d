"""The same times on more than one processor: what of them holds elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from benchmarks import display, gates, stats, tables
from benchmarks.site.accuracy import listed
from benchmarks.site.attention import MODES, TOGETHER
from benchmarks.site.attention_facts import near_the_floor
from benchmarks.site.html import Entry, Head, absent, table, value
from benchmarks.site.latency import (
    LARGER,
    SMALLER,
    kept,
    lines,
    places_of,
    time,
    told_apart,
    without_none,
)
from benchmarks.site.origin import origin, processor
from benchmarks.store import Store

Sessions = dict[str, pd.DataFrame]
"""The `tables.latency_table` of a backbone on each machine that timed it, by machine."""


def latency(store: Store) -> str:
    """Ratios of the networks that more than one processor timed, a column each."""
    timed = _timed(store)
    if not timed:
        return absent("Ratios on more than one processor")
    heads, frames = [Head("Module", number=False)], []
    for backbone, sessions in timed.items():
        for machine, frame in sessions.items():
            words = f"{processor(store, machine)}; noise floor {tables.noise_floor(frame)}"
            heads.append(Head(backbone, words))
            frames.append(frame)
    body = lines(without_none(frames), time)
    note = f"times the bare backbone [95 %]; one thread, at inference{kept(frames)}"
    title = "Ratios on more than one processor"
    return table(title, note, heads, body, places_of(store, frames, "cpu"))


def speed(store: Store) -> str:
    """Each gate by itself over timm's, a column a mode and processor; all settings, noisy or not.

    What is quiet differs from processor to processor, so means over that would be of other maps.
    """
    by_machine = _alone(store)
    if len(by_machine) < 2:
        return absent("Ours over timm's on more than one processor")
    rows = pd.concat(by_machine.values())
    columns = [(mode, machine) for mode in MODES for machine in by_machine]
    heads = [Head("Module", number=False)]
    heads += [Head(mode.capitalize(), processor(store, machine)) for mode, machine in columns]
    body = []
    for name in [*tables.in_order(rows["arm"]), TOGETHER]:
        mine = rows if name == TOGETHER else rows[rows["arm"] == name]
        cells = [mine[(mine["recipe"] == m) & (mine["machine"] == k)] for m, k in columns]
        body.append((Entry(name), *map(_mean, cells)))
    note = "times timm's, geometric means over map and layout; one thread, fp32; below it verdicts"
    title = "Ours over timm's on more than one processor"
    return table(title, note, heads, body, origin(store, rows, "speed"))


def _mean(rows: pd.DataFrame) -> Entry:
    """The geometric mean of the ratios, and how many settings have which verdict."""
    mean = gates.geometric_mean(rows["ratio"])
    words = {"faster": "faster", stats.SAME: "same", "slower": "slower", stats.NOISY: "too noisy"}
    counts = ((int(rows["verdict"].eq(v).sum()), word) for v, word in words.items())
    told = ", ".join(f"{n} {word}" for n, word in counts if n)
    return replace(value(display.ratio, mean), word=told)


def facts(store: Store) -> dict[str, str]:
    """What the pages say of several processors."""
    timed = _timed(store)
    found = {"processors.names": display.MISSING, "processors.order": display.MISSING}
    found["processors.apart"] = display.MISSING
    if timed:
        machines = dict.fromkeys(machine for sessions in timed.values() for machine in sessions)
        found["processors.names"] = listed([processor(store, machine) for machine in machines])
        found["processors.apart"] = _apart(store, timed)
        found["processors.order"] = _order(timed)
    return found | {"processors.speed": _speed(store), "processors.floor": _floor(store)}


def _apart(store: Store, timed: dict[str, Sessions]) -> str:
    """How many ratios are larger on another processor than on the first one."""
    parts = []
    for first, other, pairs in _pairs(timed):
        told = [told_apart(sessions[first], sessions[other]) for sessions in pairs.values()]
        every = pd.concat(told)
        larger, smaller = (int(every.eq(word).sum()) for word in (LARGER, SMALLER))
        if len(every):
            parts.append(
                f"of {len(every)} ratios {larger} are larger on {processor(store, other)} than on "
                f"{processor(store, first)}, {smaller} are smaller, and "
                f"{len(every) - larger - smaller} can't be told apart"
            )
    return "; ".join(parts) or display.MISSING


def _order(timed: dict[str, Sessions]) -> str:
    """How far two processors put the modules of a backbone into the same order."""
    parts = []
    for first, other, pairs in _pairs(timed):
        for backbone, sessions in pairs.items():
            both = [_ratios(sessions[machine]) for machine in (first, other)]
            wide = pd.concat(both, axis=1, keys=["first", "other"]).dropna()
            rank = gates.rank_correlation(wide["first"], wide["other"])
            if rank is not None:
                parts.append(f"{display.signed(f'{rank:.2f}')} in {backbone}")
    return listed(parts) or display.MISSING


def _ratios(frame: pd.DataFrame) -> pd.Series:
    return without_none([frame])[0].set_index("arm")["ratio"].astype("float64")


def _pairs(timed: dict[str, Sessions]) -> Iterator[tuple[str, str, dict[str, Sessions]]]:
    """The first machine with each other one, and the backbones that both have timed."""
    machines = list(dict.fromkeys(m for sessions in timed.values() for m in sessions))
    for other in machines[1:]:
        both = {machines[0], other}
        if pairs := {b: sessions for b, sessions in timed.items() if both <= set(sessions)}:
            yield machines[0], other, pairs


def _speed(store: Store) -> str:
    """The geometric mean of ours over timm's on each processor, over all settings."""
    parts = []
    for machine, mine in _alone(store).items():
        means = [gates.geometric_mean(mine[name]) for name in ("ratio", "compiled_ratio")]
        if None not in means:
            ours, compiled = map(display.ratio, means)
            parts.append(f"{ours} (of compiled timm's {compiled}) on {processor(store, machine)}")
    return listed(parts) or display.MISSING


def _floor(store: Store) -> str:
    """How close SE and ECA come to the bare passes on each processor, see `near_the_floor`."""
    parts = []
    for machine, mine in _alone(store).items():
        large = near_the_floor(mine)
        quiet = gates.quiet(large)["floor_ratio"].dropna()
        if len(quiet):
            least, most = map(display.ratio, (quiet.min(), quiet.max()))
            where = f"{processor(store, machine)}, {len(quiet)} of {len(large)} settings"
            parts.append(f"{least} to {most} ({where})")
    return listed(parts) or display.MISSING


def _alone(store: Store) -> dict[str, pd.DataFrame]:
    """The gates by themselves by machine, that of the other tables first."""
    rows = tables.ok(gates.ordered(store.table("speed")))
    found = tables.timing_first(store, rows)
    return {machine: rows[rows["machine"] == machine] for machine in found}


def _timed(store: Store) -> dict[str, Sessions]:
    """The latencies on one thread of each backbone that more than one processor has."""
    rows: Any = store.table("latency")
    found: dict[str, Sessions] = {}
    for machine in tables.machines(rows[rows["device"] == "cpu"]):
        for setting in tables.latency_settings(store, machine, device="cpu", threads=1):
            if setting["machine"] == machine:
                sessions = found.setdefault(str(setting["backbone"]), {})
                sessions.setdefault(machine, tables.latency_table(store, setting))
    return {backbone: sessions for backbone, sessions in found.items() if len(sessions) > 1}
