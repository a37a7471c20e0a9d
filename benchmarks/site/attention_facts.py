"""Sentences of the page about what attention costs, from the tables."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks import alone, attention_costs, display, networks, stats, tables
from benchmarks.site import attention
from benchmarks.speed import PROCESSES, SHAPES
from benchmarks.store import Store


def facts(store: Store) -> dict[str, str]:
    """The sentences of the page; what has no row says so."""
    passes = {
        f"passes.{mode}.{what}": display.whole(number)
        for mode, numbers in alone.PASSES.items()
        for what, number in zip(("read", "written"), numbers, strict=True)
    }
    passes |= _networks_facts(store)
    return {**passes, **_speed_facts(store), **_position_facts(store), **_count_facts(store)}


def _networks_facts(store: Store) -> dict[str, str]:
    rows = tables.timed(store, "networks")
    return {
        "networks.processes": display.span(rows["processes"]),
        "networks.builds": display.whole(networks.BUILDS),
        "networks.most": display.whole(networks.MOST_PROCESSES),
        "networks.floor": display.percent(100 * networks.FLOOR).removesuffix(".00") + " %",
    }


def _speed_facts(store: Store) -> dict[str, str]:
    rows = tables.ok(attention_costs.of_one_machine(store, "speed"))
    found = {"speed.processes": display.whole(max(rows["processes"].dropna(), default=PROCESSES))}
    found |= {"speed.timm": against(rows, "timm's modules")}
    found["speed.compiled"] = against(rows, "timm's modules after torch.compile", "compiled_")
    found["speed.floor_kept"] = _kept(rows)
    return found


def _kept(rows: pd.DataFrame) -> str:
    """How close SE and ECA come to the floor at inference on the maps that leave the caches."""
    large = near_the_floor(rows)
    if large.empty:
        return f"SE and ECA on the two larger maps: {display.MISSING}."
    quiet = attention_costs.quiet(large)
    if quiet.empty:
        return (
            f"SE and ECA on the two larger maps: all {len(large)} settings are too noisy to rank."
        )
    ratios = display.span(quiet["floor_ratio"], display.ratio)
    return (
        f"At inference ours of SE and ECA take {ratios} times the bare passes on the two "
        f"larger maps, in the {len(quiet)} of {len(large)} settings that are quiet enough to rank."
    )


def near_the_floor(rows: pd.DataFrame) -> pd.DataFrame:
    """SE and ECA at inference on the maps that leave the caches, where the floor is the price."""
    mine = rows[rows["arm"].isin(["se", "eca"]) & (rows["recipe"] == alone.MODES[0])]
    return mine[mine["data"].isin(SHAPES[:2])]


def against(rows: pd.DataFrame, other: str, prefix: str = "") -> str:
    """Ours against another form as a sentence: mean, extremes, verdicts counted."""
    rows = rows[rows[f"{prefix}ratio"].notna()]
    if rows.empty:
        return f"Against {other}: {display.MISSING}."
    every = attention_costs.geometric_mean(rows[f"{prefix}ratio"])
    noisy = len(rows) - len(attention_costs.quiet(rows))
    rows = attention_costs.quiet(rows)
    if rows.empty:
        return f"Against {other}: all {noisy} settings are too noisy to rank."
    ratios, words = rows[f"{prefix}ratio"], rows[f"{prefix}verdict"]
    by_ratio = rows.sort_values(f"{prefix}ratio", kind="stable").to_dict("records")
    counted = [f"{words.eq(w).sum()} {w}" for w in ("faster", "slower") if words.eq(w).any()]
    if words.eq(stats.SAME).any():
        counted.append(f"{words.eq(stats.SAME).sum()} with no measurable difference")
    left = ""
    if noisy:
        mean = display.ratio(every)
        left = f" {noisy} more are too noisy to rank; the mean over all of them is {mean}."

    def where(row: Any) -> str:
        setting = (
            f"{row['arm']}, {attention.by_words(row['data'])}, {row['layout']}, {row['recipe']}"
        )
        return f"{display.ratio(row[f'{prefix}ratio'])} ({setting})"

    mean = display.ratio(attention_costs.geometric_mean(ratios))
    return (
        f"Over {len(rows)} settings our modules take {mean} times the time of {other} in the "
        f"geometric mean, from {where(by_ratio[0])} to {where(by_ratio[-1])}: "
        f"{', '.join(counted)}.{left}"
    )


def _position_facts(store: Store) -> dict[str, str]:
    rows = attention_costs.of_one_machine(store, "position")
    found = {}
    for mode in alone.MODES:
        mine = tables.ok(rows[rows["recipe"] == mode])
        text = f"In {mode}: {display.MISSING}."
        if len(mine):
            row = mine.iloc[0]
            text = (
                f"In {mode} on {attention.by_words(row['data'])} it needs "
                f"{display.ratio(row['memory_ratio'])} times the extra memory of the full map, "
                f"in {display.ratio(row['ratio'])} times the time ({row['verdict']})."
            )
        found[f"position.{mode}"] = text
    return found


ONE_KIND = "one kind of backbone"
"""In place of an interval over several."""


def _better_count(frame: pd.DataFrame) -> str:
    """Which of the two counts orders the times better, if the kinds of backbones can tell."""
    found = attention_costs.better_count(frame)
    if found is None and attention_costs.ranks(frame, "bytes_share"):
        return f"Which of the two orders the times better, {ONE_KIND} cannot tell."
    if found is None:
        return f"Which of the two orders the times better: {display.MISSING}."
    both = display.interval(display.hundredth, found.value, found.low, found.high)
    ends = f"difference {both}"
    if found.low > 0:
        return f"The bytes moved order the times better than the multiply-adds ({ends})."
    if found.high < 0:
        return f"The multiply-adds order the times better than the bytes moved ({ends})."
    return (
        f"Which of the two orders the times better, so few kinds of backbones cannot tell ({ends})."
    )


def _rank(frame: pd.DataFrame, column: str) -> str:
    """The mean over kinds of backbones of the rank correlation in each, with its interval."""
    ranks = attention_costs.ranks(frame, column)
    found = attention_costs.over_kinds(ranks)
    if found is None:
        return f"{display.hundredth(*ranks.values())} ({ONE_KIND})" if ranks else display.MISSING
    ends = (max(found.low, -1), min(found.high, 1))
    return display.interval(display.hundredth, found.value, *ends)


def _count_facts(store: Store) -> dict[str, str]:
    frame = attention_costs.counts_and_time(store)
    found = {}
    for column in attention_costs.COUNTS:
        found[f"counts.{column}.rank"] = _rank(frame, column)
    found["counts.pairs"] = display.whole(len(frame))
    nothing = "nothing" if len(frame) else display.MISSING
    found["counts.left_out"] = attention_costs.left_out(store) or nothing
    found["counts.kinds"] = display.whole(
        max(len(attention_costs.ranks(frame, c)) for c in attention_costs.COUNTS)
    )
    found["counts.backbones"] = display.whole(frame["backbone"].nunique())
    found["counts.verdict"] = _better_count(frame)
    for arm in ("se", "eca", "cbam", "coord"):
        mine = frame[(frame["arm"] == arm) & (frame["backbone"] == "resnet50")]
        found[f"counts.{arm}"] = f"{arm}: {display.MISSING}"
        for row in tables.records(mine):
            time = display.points(100 * (row.ratio - 1))
            share = display.signed(f"{row.macs_share:+.3f}")
            moved = display.points(row.bytes_share)
            found[f"counts.{arm}"] = (
                f"{arm}: {share} % multiply-adds, {moved} % bytes moved, {time} % time "
                f"({row.verdict})"
            )
    return found
