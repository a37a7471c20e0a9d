"""The same times on more than one processor: what of them holds elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import pandas as pd

from benchmarks import attention_costs, display, stats, tables
from benchmarks.alone import MODES
from benchmarks.site.attention import TOGETHER
from benchmarks.site.attention_facts import near_the_floor
from benchmarks.site.html import Entry, Head, absent, table, value
from benchmarks.site.latency import (
    LARGER,
    SMALLER,
    kept,
    places_of,
    ratios,
    told_apart,
    without_none,
)
from benchmarks.site.origin import origin, processors
from benchmarks.site.words import listed
from benchmarks.store import Store

SETTING = ["arm", "data", "recipe", "layout"]
"""What makes two rows of `speed` comparable."""

Sessions = dict[str, pd.DataFrame]
"""The `tables.latency_table` of one setting by machine."""


def latency(store: Store) -> str:
    """Ratios of the networks that more than one processor timed, a column each."""
    timed = _timed(store)
    if not timed:
        return absent("Ratios on more than one processor")
    names = processors(store, _on_processors(store))
    heads, frames = [], []
    for (backbone, batch, pixels), sessions in timed.items():
        for machine, frame in sessions.items():
            heads.append(Head(backbone, f"{names[machine]}, batch {batch}, {pixels} px"))
            frames.append(frame)
    note = f"; one thread, at inference{kept(frames)}"
    title = "Ratios on more than one processor"
    return ratios(title, note, heads, frames, places_of(store, frames))


def speed(store: Store) -> str:
    """Each gate by itself over timm's, a column a mode and processor, and over compiled timm's.

    All settings that every processor has, noisy or not: what is quiet differs from one to the
    other, so means over that would be of other maps.
    """
    by_machine = _alone(store)
    if len(by_machine) < 2:
        return absent("Ours over timm's on more than one processor")
    rows = pd.concat(by_machine.values())
    names = processors(store, rows)
    heads = [Head("Module", number=False)]
    heads += [Head(mode.capitalize(), names[machine]) for mode in MODES for machine in by_machine]
    heads += [Head("Over compiled timm's", names[machine]) for machine in by_machine]
    body = []
    for name in [*tables.in_order(rows["arm"]), TOGETHER]:
        mine = rows if name == TOGETHER else rows[rows["arm"] == name]
        groups = [mine[mine["machine"] == machine] for machine in by_machine]
        entries = [_mean(of[of["recipe"] == mode]) for mode in MODES for of in groups]
        body.append((Entry(name), *entries, *(_mean(of, "compiled_") for of in groups)))
    note = (
        f"geometric means over the {len(rows) // len(by_machine)} settings of map, layout and mode "
        "that each has, noisy ones too; below them how many settings have which verdict"
    )
    title = "Ours over timm's on more than one processor"
    return table(title, note, heads, body, origin(store, rows, "speed"))


def _mean(rows: pd.DataFrame, prefix: str = "") -> Entry:
    """The geometric mean of the ratios, and how many settings have which verdict."""
    verdicts = rows[f"{prefix}verdict"]
    told, untold = (
        ", ".join(f"{n} {word}" for v, word in words if (n := int(verdicts.eq(v).sum())))
        for words in (
            (("faster", "faster"), ("slower", "slower")),
            ((stats.SAME, "same"), (stats.NOISY, "too noisy")),
        )
    )
    mean = value(display.ratio, attention_costs.geometric_mean(rows[f"{prefix}ratio"]))
    return replace(mean, interval=told, word=untold)


def facts(store: Store) -> dict[str, str]:
    """What the pages say of several processors."""
    timed = _timed(store)
    every = processors(store, _on_processors(store))
    named = [every[m] for m in dict.fromkeys(m for sessions in timed.values() for m in sessions)]
    return {
        "processors.names": listed(named) or display.MISSING,
        "processors.apart": _apart(timed, every),
        "processors.order": _order(timed, every),
        "processors.speed": _ratio(store, "ratio"),
        "processors.compiled": _ratio(store, "compiled_ratio"),
        "processors.floor": _floor(store),
    }


def _apart(timed: dict[tuple, Sessions], names: dict[str, str]) -> str:
    """How many ratios are larger on another processor, of each pair of them."""
    parts = []
    for first, other, pairs in _pairs(timed):
        told = [told_apart(sessions[first], sessions[other]) for sessions in pairs.values()]
        every = pd.concat(told)
        larger, smaller = (int(every.eq(word).sum()) for word in (LARGER, SMALLER))
        if len(every):
            parts.append(
                f"{larger} of {len(every)} ratios are larger on {names[other]} than on "
                f"{names[first]} and {smaller} smaller; {len(every) - larger - smaller} cannot be "
                "told apart"
            )
    return "; ".join(parts) or display.MISSING


def _order(timed: dict[tuple, Sessions], names: dict[str, str]) -> str:
    """How far two processors put the modules of a backbone into the same order."""
    parts = []
    for first, other, pairs in _pairs(timed):
        found = []
        for (backbone, *_), sessions in pairs.items():
            both = [_ratios(sessions[machine]) for machine in (first, other)]
            wide = pd.concat(both, axis=1, keys=["first", "other"]).dropna()
            rank = attention_costs.rank_correlation(wide["first"], wide["other"])
            if rank is not None:
                found.append(f"{display.signed(f'{rank:.2f}')} in {backbone}")
        if found:
            parts.append(f"{listed(found)} ({names[first]} and {names[other]})")
    return "; ".join(parts) or display.MISSING


def _ratios(frame: pd.DataFrame) -> pd.Series:
    """Ratio by module, of those that their session can rank."""
    rows = without_none([frame])[0]
    return rows[rows["verdict"] != stats.NOISY].set_index("arm")["ratio"].astype("float64")


def _pairs(timed: dict[tuple, Sessions]) -> Iterator[tuple[str, str, dict[tuple, Sessions]]]:
    """Two machines at a time, and the settings that both have timed."""
    machines = list(dict.fromkeys(m for sessions in timed.values() for m in sessions))
    for first, other in combinations(machines, 2):
        both = {first, other}
        if pairs := {s: sessions for s, sessions in timed.items() if both <= set(sessions)}:
            yield first, other, pairs


def _ratio(store: Store, column: str) -> str:
    """The geometric mean of a ratio of the gates on each processor, over the same settings."""
    by_machine = _alone(store)
    names = processors(store, store.table("speed"))
    means = {
        names[m]: attention_costs.geometric_mean(rows[column]) for m, rows in by_machine.items()
    }
    parts = [f"{display.shown(display.ratio, mean)} on {name}" for name, mean in means.items()]
    return listed(parts) or display.MISSING


def _floor(store: Store) -> str:
    """How close SE and ECA come to the bare passes on each processor, see `near_the_floor`."""
    names = processors(store, store.table("speed"))
    parts = []
    for machine, mine in _alone(store).items():
        ratios = near_the_floor(mine)["floor_ratio"].dropna()
        if len(ratios):
            least, most = map(display.ratio, (ratios.min(), ratios.max()))
            parts.append(f"{least} to {most} on {names[machine]}")
    return listed(parts) or display.MISSING


def _alone(store: Store) -> dict[str, pd.DataFrame]:
    """The gates by themselves by machine, that of the other tables first.

    Of the settings that every machine has.
    """
    rows = tables.ok(attention_costs.ordered(store.table("speed")))
    machines = tables.timing_first(store, rows)
    has = rows.groupby(SETTING)["machine"].transform("nunique")
    rows = rows[has == len(machines)]
    return {machine: rows[rows["machine"] == machine] for machine in machines if len(rows)}


def _on_processors(store: Store) -> pd.DataFrame:
    rows = store.table("latency")
    return rows[rows["device"] == "cpu"]


def _timed(store: Store) -> dict[tuple, Sessions]:
    """The latencies on one thread, in fp32 and nchw, of what more than one processor has.

    By backbone, batch and pixels, machines as in `tables.timing_first`.
    """
    found: dict[tuple, Sessions] = {}
    for machine in tables.timing_first(store, _on_processors(store)):
        for setting in tables.latency_settings(store, machine, device="cpu", threads=1):
            plain = setting["precision"] == "fp32" and setting["layout"] == "nchw"
            if setting["machine"] == machine and plain:
                key = (setting["backbone"], setting["batch_size"], setting["image_size"])
                found.setdefault(key, {})[machine] = tables.latency_table(store, setting)
    return {setting: sessions for setting, sessions in found.items() if len(sessions) > 1}
