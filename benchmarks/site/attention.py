"""Tables and sentences of the page about what attention costs."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks import breakdown as profile
from benchmarks import display, gates, stats, tables
from benchmarks.site.html import Entry, Head, absent, estimate, table, value
from benchmarks.site.origin import origin
from benchmarks.store import Store

MODES = ("inference", "training")
TIMM = {theirs: f"{ours}, timm's" for ours, theirs in profile.TWINS.items()}


def speed(store: Store) -> str:
    """Every gate by itself against timm's, compiled timm's and the bare passes, by mode."""
    rows = gates.of_one_machine(store, "speed")
    if rows.empty:
        return absent("Speed of each module by itself")
    heads = (
        Head("Module, input, layout", number=False),
        Head("Over timm's", "[95 %]"),
        Head("Over compiled timm's", "[95 %]"),
        Head("Over the bare passes", "[95 %]"),
        Head("Ours", "ms"),
        Head("timm's", "ms"),
        Head("Compiled", "ms"),
        Head("Bare passes", "ms"),
        Head("Noise floor", "%"),
    )
    parts = []
    for mode in MODES:
        mine = rows[rows["recipe"] == mode]
        if len(mine):
            body = [_speed(row) for row in tables.records(mine)]
            note = "one thread, fp32; a ratio below one: ours takes less time"
            parts += [f"\n### {mode.capitalize()}\n"]
            parts.append(table(f"Speed, {mode}", note, heads, body, origin(store, mine, "speed")))
    return "\n".join(parts)


def _speed(row: Any) -> tuple[Entry, ...]:
    def ratio(prefix: str, word: Any) -> Entry:
        number, low, high = (getattr(row, f"{prefix}ratio{end}") for end in ("", "_low", "_high"))
        return estimate(display.ratio, number, low, high, word, row.status)

    noise = None
    if display.given(row.noise_low):
        noise = 100 * stats.floor_of(stats.Interval(1.0, row.noise_low, row.noise_high))
    times = (row.latency_ms, row.timm_ms, row.compiled_ms, row.floor_ms)
    return (
        Entry(f"{row.arm}, {by_words(row.data)}, {row.layout}"),
        ratio("", row.verdict),
        ratio("compiled_", row.compiled_verdict),
        ratio("floor_", ""),
        *(value(display.milliseconds, time, row.status) for time in times),
        value(lambda n: f"{n:.1f}", noise, row.status),
    )


def by_words(data: str) -> str:
    """``8x256x56x56`` as people read it: ``8 × 256 × 56 × 56``."""
    return data.replace("x", " × ")


def speed_means(store: Store) -> str:
    """Geometric means over the three maps, by module, mode and layout."""
    rows = tables.ok(gates.of_one_machine(store, "speed"))
    if rows.empty:
        return absent("Means of the speed of each module")
    settings = [(mode, layout) for mode in MODES for layout in ("nchw", "nhwc")]
    heads = [Head("Module", number=False)]
    heads += [Head(f"{mode.capitalize()}, {layout}", "over timm's") for mode, layout in settings]
    heads += [Head("All", "over timm's"), Head("All", "over compiled timm's")]
    groups = [(arm, rows[rows["arm"] == arm]) for arm in tables.in_order(rows["arm"])]
    body = []
    for name, mine in [*groups, ("all modules", rows)]:
        pairs = [
            mine[(mine["recipe"] == mode) & (mine["layout"] == layout)]["ratio"]
            for mode, layout in settings
        ]
        means = [gates.geometric_mean(v) for v in (*pairs, mine["ratio"], mine["compiled_ratio"])]
        body.append((Entry(name), *(value(display.ratio, mean) for mean in means)))
    note = "geometric means over the inputs of the next tables; below one: ours takes less time"
    return table("Ours over timm's", note, heads, body, origin(store, rows, "speed"))


def position(store: Store) -> str:
    """Position attention against the map written out in full."""
    rows = gates.of_one_machine(store, "position")
    if rows.empty:
        return absent("Memory and time of position attention")
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
    return f"{number:.0f}" if number >= 100 else f"{number:.1f}"


def breakdown(store: Store) -> str:
    """Shares of time by kind of operator, with the operators themselves."""
    rows = gates.of_one_machine(store, "breakdown")
    if rows.empty:
        return absent("Where the time of a module goes")
    heads = [Head("Module, input, mode", number=False), Head("Operators", "ms")]
    heads += [Head(words.capitalize(), "%") for words in profile.WORDS.values()]
    heads += [Head("Calls"), Head("Largest operators", "% of the time (calls)", number=False)]
    body = []
    for row in tables.records(rows):
        shares = (getattr(row, f"{kind}_share") for kind in profile.WORDS)
        largest = "; ".join(str(row.operations).split("; ")[:3])
        body.append(
            (
                Entry(f"{name_of(row.arm)}, {by_words(row.data)}, {row.recipe}"),
                value(display.milliseconds, row.operators_ms, row.status),
                *(value(lambda n: f"{n:.0f}", share, row.status) for share in shares),
                value(display.whole, row.calls, row.status),
                value(str, largest, row.status),
            )
        )
    note = "one thread, fp32, nchw; each operator's own time by PyTorch's profiler"
    return table("Where the time goes", note, heads, body, origin(store, rows, "breakdown"))


def name_of(arm: str) -> str:
    """``se``, or ``se, timm's`` for timm's class."""
    return TIMM.get(arm, arm)


def networks(store: Store) -> str:
    """Ratios of whole networks, a column a setting."""
    rows = tables.with_arm(tables.one_machine(store.table("networks")))
    if rows.empty:
        return absent("Whole networks by layout, batch and mode")
    keys = ["recipe", "layout", "batch_size"]
    settings = rows[keys].drop_duplicates().sort_values(["recipe", "batch_size", "layout"])
    parts = []
    for backbone in dict.fromkeys(rows["backbone"]):
        mine = rows[rows["backbone"] == backbone]
        heads, columns = [Head("Module", number=False)], []
        for mode, layout, batch in settings.itertuples(index=False):
            here = (mine["recipe"] == mode) & (mine["layout"] == layout)
            found = mine[here & (mine["batch_size"] == batch)]
            words = f"{mode.capitalize()}, {layout}, batch {batch}"
            heads.append(Head(words, f"noise floor {tables.noise_floor(found)}"))
            columns.append({row.arm: row for row in tables.records(found)})
        arms = [arm for arm in tables.in_order(mine["arm"]) if arm != "none"]
        body = [(Entry(arm), *(_network(column.get(arm)) for column in columns)) for arm in arms]
        note = "times the bare backbone [95 %]; one thread"
        places = origin(store, mine, "networks")
        parts.append(table(f"Gates in {backbone}", note, heads, body, places))
    return "\n".join(parts)


def _network(row: Any) -> Entry:
    if row is None:
        return Entry(display.MISSING)
    ends = (row.ratio_low, row.ratio_high)
    return estimate(display.ratio, row.ratio, *ends, row.verdict, row.status)


def counts(store: Store) -> str:
    """What is counted beside what is timed, a line a module and backbone, most time first."""
    frame = gates.counts_and_time(store)
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
            *(value(percent, share) for share in (row.macs_share, row.bytes_share)),
        )
        for row in tables.records(frame)
    ]
    rows = tables.one_machine(store.table("latency"))
    rows = rows[rows["threads"] == 1]
    note = "relative to the bare backbone; one thread, one image (small ones: a batch)"
    return table("Counts beside times", note, heads, body, origin(store, rows, "latency"))


def percent(number: Any) -> str:
    """A share with its sign and two decimals."""
    return f"{number:+.2f}".replace("-", display.MINUS)


def facts(store: Store) -> dict[str, str]:
    """The sentences of the page; what has no row says so."""
    return {**_speed_facts(store), **_position_facts(store), **_count_facts(store)}


def _speed_facts(store: Store) -> dict[str, str]:
    rows = tables.ok(gates.of_one_machine(store, "speed"))
    found = {"speed.timm": against(rows, "timm's modules")}
    found["speed.compiled"] = against(rows, "timm's modules after torch.compile", "compiled_")
    for mode in MODES:
        mine = rows[rows["recipe"] == mode]
        theirs = gates.geometric_mean(mine["timm_ms"] / mine["floor_ms"])
        ours = gates.geometric_mean(mine["floor_ratio"])
        for name, mean in (("timm", theirs), ("ours", ours)):
            found[f"speed.{mode}.{name}_floor"] = display.shown(lambda n: f"{n:.1f}", mean)
    return found


def against(rows: pd.DataFrame, other: str, prefix: str = "") -> str:
    """Ours against another form as a sentence: mean, extremes, verdicts counted."""
    rows = rows[rows[f"{prefix}ratio"].notna()]
    if rows.empty:
        return f"Against {other}: {display.MISSING}."
    ratios, words = rows[f"{prefix}ratio"], rows[f"{prefix}verdict"]
    by_ratio = rows.sort_values(f"{prefix}ratio", kind="stable").to_dict("records")
    counted = [f"{words.eq(w).sum()} {w}" for w in ("faster", "slower") if words.eq(w).any()]
    for word, text in ((stats.SAME, "with no measurable difference"), (stats.NOISY, "too noisy")):
        if words.eq(word).any():
            counted.append(f"{words.eq(word).sum()} {text}")

    def where(row: Any) -> str:
        setting = f"{row['arm']}, {by_words(row['data'])}, {row['layout']}, {row['recipe']}"
        return f"{display.ratio(row[f'{prefix}ratio'])} ({setting})"

    mean = display.ratio(gates.geometric_mean(ratios))
    return (
        f"Over {len(rows)} settings our modules take {mean} times the time of {other} in the "
        f"geometric mean, from {where(by_ratio[0])} to {where(by_ratio[-1])}: "
        f"{', '.join(counted)}."
    )


def _position_facts(store: Store) -> dict[str, str]:
    rows = gates.of_one_machine(store, "position")
    found = {}
    for mode in MODES:
        mine = tables.ok(rows[rows["recipe"] == mode])
        text = f"In {mode}: {display.MISSING}."
        if len(mine):
            row = mine.iloc[0]
            text = (
                f"In {mode} on {by_words(row['data'])} it needs "
                f"{display.ratio(row['memory_ratio'])} times the extra memory of the full map, "
                f"in {display.ratio(row['ratio'])} times the time ({row['verdict']})."
            )
        found[f"position.{mode}"] = text
    return found


def _count_facts(store: Store) -> dict[str, str]:
    frame = gates.counts_and_time(store)
    found = {}
    for column in gates.COUNTS:
        number = gates.rank_correlation(frame[column], frame["ratio"])
        text = display.shown(lambda n: f"{n:.2f}".replace("-", display.MINUS), number)
        found[f"counts.{column}.rank"] = text
    found["counts.pairs"] = display.whole(len(frame))
    for arm in ("se", "eca", "cbam", "coord"):
        mine = frame[(frame["arm"] == arm) & (frame["backbone"] == "resnet50")]
        found[f"counts.{arm}"] = f"{arm}: {display.MISSING}"
        for row in tables.records(mine):
            time = percent(100 * (row.ratio - 1))
            share = f"{row.macs_share:+.3f}".replace("-", display.MINUS)
            found[f"counts.{arm}"] = (
                f"{arm}: {share} % multiply-adds, {percent(row.bytes_share)} % bytes moved, "
                f"{time} % time ({row.verdict})"
            )
    return found
