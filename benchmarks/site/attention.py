"""Tables of the page about what attention costs; its sentences are in `attention_facts`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from benchmarks import attention_costs, display, stats, tables
from benchmarks import breakdown as profile
from benchmarks.alone import MODES
from benchmarks.site import latency
from benchmarks.site.html import Entry, Head, absent, estimate, table, value
from benchmarks.site.origin import origin
from benchmarks.store import Store

TOGETHER = "all modules"
AT_THE_FLOOR = ("se", "eca", "coord")
"""Gates that a floor of two reads and a write is meant for."""
TIMM = {theirs: f"{ours}, timm's" for ours, theirs in profile.TWINS.items()}


def speed(store: Store) -> str:
    """Every gate by itself against timm's, compiled timm's and the bare passes.

    A table a mode and input, its rows the modules in both layouts.
    """
    rows = attention_costs.of_one_machine(store, "speed")
    if rows.empty:
        return absent("Speed of each module by itself")
    heads = (
        Head("Module, layout", number=False),
        Head("Over timm's", "[95 %]"),
        Head("Over compiled timm's", "[95 %]"),
        Head("Over the bare passes", "[95 %]"),
        Head("Ours", "ms"),
        Head("timm's", "ms"),
        Head("Compiled", "ms"),
        Head("Bare passes", "ms"),
        Head("Noise floor", "%"),
    )
    note = "one thread, fp32; a ratio below one: ours takes less time"
    parts = []
    for what, mine in by_setting(rows):
        body = [_speed(row) for row in tables.records(mine)]
        parts.append(table(f"Speed, {what}", note, heads, body, origin(store, mine, "speed")))
    return "\n".join(parts)


def by_setting(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each mode and input, with words for the two."""
    pairs = rows[["recipe", "data"]].drop_duplicates().itertuples(index=False)
    return [
        (f"{mode}, {by_words(data)}", rows[(rows["recipe"] == mode) & (rows["data"] == data)])
        for mode, data in pairs
    ]


def _speed(row: Any) -> tuple[Entry, ...]:
    def ratio(prefix: str, word: Any) -> Entry:
        number, low, high = (getattr(row, f"{prefix}ratio{end}") for end in ("", "_low", "_high"))
        return estimate(display.ratio, number, low, high, word, row.status)

    noise = None
    if display.given(row.noise_low):
        noise = 100 * stats.floor_of(stats.Interval(1.0, row.noise_low, row.noise_high))
    times = (row.latency_ms, row.timm_ms, row.compiled_ms, row.floor_ms)
    return (
        Entry(f"{row.arm}, {row.layout}"),
        ratio("", row.verdict),
        ratio("compiled_", row.compiled_verdict),
        ratio("floor_", stats.NOISY if row.verdict == stats.NOISY else ""),
        *(value(display.milliseconds, time, row.status) for time in times),
        value(display.tenth, noise, row.status),
    )


def by_words(data: str) -> str:
    """``8x256x56x56`` as people read it: ``8 × 256 × 56 × 56``."""
    return data.replace("x", " × ")


def speed_means(store: Store) -> str:
    """Geometric means over the three maps, by module, mode and layout."""
    every = tables.ok(attention_costs.of_one_machine(store, "speed"))
    rows = attention_costs.quiet(every)
    if rows.empty:
        return absent("Ours over timm's")
    settings = [(mode, layout) for mode in MODES for layout in ("nchw", "nhwc")]
    heads = [Head("Module", number=False)]
    heads += [Head(f"{mode.capitalize()}, {layout}", "over timm's") for mode, layout in settings]
    heads += [Head("All", "over timm's"), Head("All", "over compiled timm's")]
    groups = [(arm, rows[rows["arm"] == arm]) for arm in tables.in_order(rows["arm"])]
    body = []
    for name, mine in [*groups, (TOGETHER, rows)]:
        pairs = [
            mine[(mine["recipe"] == mode) & (mine["layout"] == layout)]["ratio"]
            for mode, layout in settings
        ]
        means = [
            attention_costs.geometric_mean(v)
            for v in (*pairs, mine["ratio"], mine["compiled_ratio"])
        ]
        tried = every if name == TOGETHER else every[every["arm"] == name]
        of = [
            int(((tried["recipe"] == mode) & (tried["layout"] == layout)).sum())
            for mode, layout in settings
        ]
        counts = [f"over {len(part)} of {n}" for part, n in zip(pairs, of, strict=True)]
        counts += [f"over {len(mine)} of {len(tried)}"] * 2
        gaps = [Entry(stats.NOISY if n else display.MISSING) for n in (*of, 1, 1)]
        entries = [
            value(display.ratio, mean) if display.given(mean) else gap
            for mean, gap in zip(means, gaps, strict=True)
        ]
        body.append(
            (Entry(name), *(replace(e, word=n) for e, n in zip(entries, counts, strict=True)))
        )
    note = "geometric means over settings of map, mode and layout; below one: ours takes less time"
    if len(every) > len(rows):
        note += (
            f"; {len(every) - len(rows)} of {len(every)} settings are too noisy to rank and left "
            "out, so a mean is over as many as it says, and two means need not be of the same maps"
        )
    return table("Ours over timm's", note, heads, body, origin(store, rows, "speed"))


def position(store: Store) -> str:
    """Position attention against the map written out in full."""
    rows = attention_costs.of_one_machine(store, "position")
    heads = (
        Head("Input, mode", number=False),
        Head("Extra memory over full map's"),
        Head("Time over full map's", "[95 %]"),
        Head("Extra memory", "MiB"),
        Head("Full map's", "MiB"),
        Head("Time", "ms"),
        Head("Full map's", "ms"),
    )
    body = [
        (
            Entry(f"{by_words(row.data)}, {row.recipe}"),
            value(display.ratio, row.memory_ratio, row.status),
            estimate(
                *(display.ratio, row.ratio, row.ratio_low, row.ratio_high, row.verdict),
                status=row.status,
            ),
            value(mebibytes, row.extra_mib, row.status),
            value(mebibytes, row.materialised_extra_mib, row.status),
            value(display.milliseconds, row.latency_ms, row.status),
            value(display.milliseconds, row.materialised_ms, row.status),
        )
        for row in tables.records(rows)
    ]
    note = "one thread, fp32; memory beyond what is held before the call"
    return table("Position attention", note, heads, body, origin(store, rows, "position"))


def mebibytes(number: Any) -> str:
    """To a tenth, or whole from a hundred on."""
    return display.rounded(number) if number >= 100 else display.tenth(number)


def breakdown(store: Store) -> str:
    """Shares of time by kind of operator, with the operators; a table a mode and input."""
    rows = attention_costs.of_one_machine(store, "breakdown")
    if rows.empty:
        return absent("Where the time of a module goes")
    heads = [Head("Module", number=False), Head("Operators", "ms")]
    heads += [Head(words.capitalize(), "%") for words in profile.WORDS.values()]
    heads += [Head("Calls"), Head("Largest operators", "% of the time (calls)", number=False)]
    order = [*(name for pair in profile.TWINS.items() for name in pair), *rows["arm"]]
    note = "one thread, fp32, nchw; each operator's own time by PyTorch's profiler"
    parts = []
    for what, mine in by_setting(rows):
        body = [_breakdown(row) for row in tables.records(tables.sort_by(mine, {"arm": order}))]
        places = origin(store, mine, "breakdown")
        parts.append(table(f"Where the time goes, {what}", note, heads, body, places))
    return "\n".join(parts)


def _breakdown(row: Any) -> tuple[Entry, ...]:
    shares = (getattr(row, f"{kind}_share") for kind in profile.WORDS)
    largest = "; ".join(str(row.operations).split("; ")[:3])
    return (
        Entry(name_of(row.arm)),
        value(display.milliseconds, row.operators_ms, row.status),
        *(value(display.rounded, share, row.status) for share in shares),
        value(display.whole, row.calls, row.status),
        value(str, largest, row.status),
    )


def name_of(arm: str) -> str:
    """``se``, or ``se, timm's`` for timm's class."""
    return TIMM.get(arm, arm)


def networks(store: Store) -> str:
    """Ratios of whole networks, a column a setting."""
    rows = tables.with_arm(tables.timed(store, "networks"))
    if rows.empty:
        return absent("Whole networks by layout, batch and mode")
    keys = ["recipe", "layout", "batch_size"]
    settings = rows[keys].drop_duplicates().sort_values(["recipe", "batch_size", "layout"])
    parts = []
    for backbone in dict.fromkeys(rows["backbone"]):
        mine = rows[rows["backbone"] == backbone]
        heads, frames = [], []
        for mode, layout, batch in settings.itertuples(index=False):
            here = (mine["recipe"] == mode) & (mine["layout"] == layout)
            found = mine[here & (mine["batch_size"] == batch)]
            heads.append(Head(f"{mode.capitalize()}, {layout}, batch {batch}"))
            frames.append(found)
        places = origin(store, mine, "networks")
        title = f"Gates in {backbone}"
        parts.append(latency.ratios(title, "; one thread", heads, frames, places))
    return "\n".join(parts)


def counts(store: Store) -> str:
    """What is counted beside what is timed, a line a module and backbone, most time first."""
    frame = attention_costs.counts_and_time(store)
    if frame.empty:
        return absent("Counts beside times")
    frame = frame.sort_values("ratio", ascending=False, kind="stable")
    heads = (
        Head("Module and backbone", number=False),
        Head("Time", "times none [95 %]"),
        Head("Multiply-adds added", "%"),
        Head("Bytes moved added", "%"),
    )
    body = [
        (
            Entry(f"{row.arm} in {row.backbone}"),
            estimate(display.ratio, row.ratio, row.ratio_low, row.ratio_high, row.verdict),
            *(value(display.points, share) for share in (row.macs_share, row.bytes_share)),
        )
        for row in tables.records(frame)
    ]
    note = "relative to the bare backbone; one thread, one image (small ones: a batch)"
    return table("Counts beside times", note, heads, body, _both_places(store))


def count_ranks(store: Store) -> str:
    """How well each count orders the times, a line a backbone."""
    frame = attention_costs.counts_and_time(store)
    if frame.empty:
        return absent("Which count orders the times")
    heads = (
        Head("Backbone", number=False),
        Head("Modules"),
        *(
            Head(words.capitalize(), "rank correlation with time")
            for words in attention_costs.COUNTS.values()
        ),
        Head("Time for bytes", "% of time for each % of bytes, median"),
    )
    body = [
        (
            Entry(row.backbone),
            value(display.whole, row.modules),
            *(value(display.points, getattr(row, name)) for name in attention_costs.COUNTS),
            value(display.points, row.price),
        )
        for row in tables.records(attention_costs.by_backbone(frame))
    ]
    note = "relative to the bare backbone; one thread; a rank correlation of one is the same order"
    return table("Which count orders the times", note, heads, body, _both_places(store))


def _both_places(store: Store) -> str:
    """Where the counts and the times come from."""
    timed, counted = attention_costs.behind(store)
    counts_of = origin(store, counted, *attention_costs.COUNTED)
    return f"{counts_of}<br>Latency: {origin(store, timed, 'latency')}"


def floors(store: Store) -> str:
    """Ours and timm's over the bare passes, a line a mode and map.

    Geometric means over the gates that can reach the floor, all settings, noisy or not: a mean of
    what is quiet would be over settings that the noise has chosen.
    """
    rows = tables.ok(attention_costs.of_one_machine(store, "speed"))
    rows = rows[rows["arm"].isin(AT_THE_FLOOR)]
    if rows.empty:
        return absent("Times the bare passes")
    heads = (
        Head("Mode, map", number=False),
        Head("Ours", "times the bare passes"),
        Head("timm's", "times the bare passes"),
        Head("Bare passes", "ms, least to most"),
        Head("Settings", "(too noisy to rank)"),
    )
    body = []
    for what, mine in by_setting(rows):
        floor, noisy = mine["floor_ms"], len(mine) - len(attention_costs.quiet(mine))
        body.append(
            (
                Entry(what),
                value(display.tenth, attention_costs.geometric_mean(mine["latency_ms"] / floor)),
                value(display.tenth, attention_costs.geometric_mean(mine["timm_ms"] / floor)),
                Entry(display.span(floor, display.milliseconds), floor.min()),
                Entry(f"{len(mine)} ({noisy})", len(mine)),
            )
        )
    note = (
        f"{', '.join(AT_THE_FLOOR)}; one thread, fp32; geometric means over module and layout, "
        "settings too noisy to rank included"
    )
    return table("Times the bare passes", note, heads, body, origin(store, rows, "speed"))
