"""How we time: ways of timing against planted differences, as a table, a figure and facts."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks import burst, display, latency, stats, tables, timing
from benchmarks import clock as bench
from benchmarks.site.charts import EVEN_PADDING, LOG, Figure, axis, dashed, nominal, panels
from benchmarks.site.html import Entry, Head, absent, estimate, table, value
from benchmarks.site.origin import origin, processors
from benchmarks.store import Store
from benchmarks.widths import WIDTHS

NAMES = {
    "interleaved": "ours, interleaved",
    "timm": "timm's benchmark.py",
    "torch.utils.benchmark": "torch.utils.benchmark",
}
TICKS = (0.5, 0.6, 0.8, 1.0, 1.2, 1.4, 1.7, 2.0)
COPY, SMALL, LARGE = bench.LAYERS
ENDS = ("ratio_q025", "ratio_q25", "ratio_median", "ratio_q75", "ratio_q975")
SPREAD = ("ratio_median", "ratio_q025", "ratio_q975")


QUESTIONS = {
    COPY: (f"Copy within {100 * bench.WITHIN:.0f} %", "within"),
    SMALL: (f"{SMALL} called no difference", "same"),
    LARGE: (f"{LARGE} found", "slower"),
}
"""By planted difference: what a good way of timing says of it, and the column that counts that."""

FEW_CASES = 3
"""So many cases are named in a sentence, more are counted."""


def rows_of(store: Store) -> pd.DataFrame:
    """The rows of one machine, in the order of `ordered`."""
    return ordered(tables.timed(store, "clock"))


def ordered(rows: pd.DataFrame) -> pd.DataFrame:
    """Ours first, differences and loads in the order of the benchmark."""
    order = {"data": bench.LOADS, "variant": bench.LAYERS, "recipe": bench.METHODS}
    return tables.sort_by(rows, order)


def right(store: Store) -> str:
    """A line a machine and way of timing: how often it was right, by difference and load."""
    rows = store.table("clock")
    heads = [Head("Way of timing", number=False), Head("Machine", number=False)]
    asked = [(planted, load) for planted in QUESTIONS for load in bench.LOADS]
    heads += [Head(QUESTIONS[planted][0], load) for planted, load in asked]
    body = []
    for machine, words in processors(store, rows).items():
        for method, name in NAMES.items():
            mine = rows[(rows["machine"] == machine) & (rows["recipe"] == method)]
            found = {(row.variant, row.data): row for row in tables.records(mine)}
            body.append(
                (
                    Entry(name),
                    Entry(words, interval=_builds(mine)),
                    *(_how_often(found.get(pair), QUESTIONS[pair[0]][1]) for pair in asked),
                )
            )
    note = "times of 100 measurements; a copy, and planted differences whose truth is known"
    places = origin(store, rows, "clock")
    return table("How often each way of timing is right", note, heads, body, places)


def _builds(rows: pd.DataFrame) -> str:
    """How often the networks of a measurement were built, if they were built again at all."""
    built = rows.dropna(subset=["builds"])
    if built.empty:
        return ""
    fewest = int(built["builds"].min())
    if built["builds_mean"].isna().any():
        return f"{fewest} builds (earlier code)"
    return f"{fewest} to {bench.MOST_BUILDS} builds"


def _how_often(row: Any, column: str) -> Entry:
    if row is None:
        return Entry(display.MISSING)
    return value(display.rounded, getattr(row, column), row.status)


def _least(store: Store) -> str:
    """Where ours was right least often, over all machines with rows of the present protocol."""
    rows = ordered(tables.ok(store.table("clock")))
    names = processors(store, rows)
    ours = rows[(rows["recipe"] == bench.METHODS[0]) & rows["builds_mean"].notna()]
    counts = [(getattr(r, QUESTIONS[r.variant][1]), r) for r in tables.records(ours)]
    if not counts:
        return display.MISSING
    least = min(count for count, _ in counts)
    cases = [
        f"{QUESTIONS[row.variant][0]}, {row.data}, {names[row.machine]}"
        for count, row in counts
        if count == least
    ]
    many = f"in {len(cases)} of {len(counts)} cases"
    where = many if len(cases) > FEW_CASES else "; ".join(cases)
    return f"{display.rounded(least)} of 100 ({where})"


def clock(store: Store) -> str:
    """One table a load: how often each way was right about each planted difference."""
    rows = rows_of(store)
    if rows.empty:
        return absent("Ways of timing")
    parts = []
    for load in dict.fromkeys(rows["data"]):
        parts += [f"\n### {load.capitalize()}\n", _table(store, load, rows[rows["data"] == load])]
    return "\n".join(parts)


def _table(store: Store, load: str, rows: pd.DataFrame) -> str:
    heads = (
        Head("Way of timing", number=False),
        Head("Planted", "more work"),
        Head("Within 1 %", "of the truth, of 100"),
        Head("Slower", "of 100"),
        Head("No difference", "of 100"),
        Head("Faster", "of 100"),
        Head("Can't tell", "of 100"),
        Head("Ratio", "median [95 % of them]"),
        Head("Seconds", "a measurement"),
    )
    body = [
        (
            Entry(NAMES[row.recipe]),
            Entry(row.variant, bench.LAYERS[row.variant]),
            *(
                value(display.rounded, getattr(row, name), row.status)
                for name in ("within", "slower", "same", "faster", "cannot_tell")
            ),
            _spread(row),
            value(display.tenth, row.measurement_s, row.status),
        )
        for row in tables.records(rows)
    ]
    repetitions = rows["repetitions"].dropna()
    note = f"{repetitions.min():.0f} measurements each" if len(repetitions) else ""
    return table(f"Ways of timing, {load}", note, heads, body, origin(store, rows, "clock"))


def figure(store: Store) -> Figure:
    """Spread of the measured ratios by way of timing, a panel a planted difference."""
    rows = tables.ok(rows_of(store))
    values = [
        {
            "method": NAMES[row.recipe],
            "load": row.data,
            "panel": f"planted: {row.variant}",
            "truth": round(float(row.truth), 4),
            **display.cleaned({name: getattr(row, name) for name in ENDS}),
        }
        for row in tables.records(rows)
    ]
    loads = list(bench.LOADS)
    place = {
        "y": axis("method", None, "nominal", sort=list(NAMES.values())),
        "yOffset": {"field": "load", "type": "nominal", "sort": loads},
        "color": nominal("load", loads, legend={"title": None, "orient": "top"}),
    }

    def measured(field: str, **more: Any) -> dict[str, Any]:
        return axis(field, "measured ratio", scale=LOG, **more)

    def rule(low: str, high: str, width: int) -> dict[str, Any]:
        x = measured(low, axis={"values": TICKS, "format": ".2f", "labelOverlap": True})
        mark = {"type": "rule", "strokeWidth": width}
        return {"mark": mark, "encoding": {**place, "x": x, "x2": {"field": high}}}

    layers = [
        dashed("x", **measured("truth")),
        rule("ratio_q025", "ratio_q975", 2),
        rule("ratio_q25", "ratio_q75", 7),
        {
            "mark": {"type": "point", "filled": True, "size": 60, "color": "@ink"},
            "encoding": {
                "y": place["y"],
                "yOffset": place["yOffset"],
                "x": measured("ratio_median"),
            },
        },
    ]
    size = panels("panel", 1, 460, {"step": 20}, padding=EVEN_PADDING)
    caption = (
        "What the ways of timing said about networks whose truth is known (the dashed line): thin "
        "lines hold 95 % of the measurements, thick ones half of them, the point is the median. "
        "The axis is logarithmic."
    )
    alt = "; ".join(
        f"{v['panel']}, {v['method']}, {v['load']}: "
        f"{display.interval(display.ratio, *(v[name] for name in SPREAD))}"
        for v in values
    )
    return Figure("clock", caption, f"Measured ratios: {alt}", values, layers, size)


def _by_load(rows: pd.DataFrame, column: str, text: str) -> str:
    """The median over the planted differences of a column of ours, beside each load."""
    mine = rows[rows["recipe"] == bench.METHODS[0]].dropna(subset=[column])
    middle = mine.groupby("data", sort=False)[column].median()
    shown = [f"{text.format(number)} ({load})" for load, number in middle.items()]
    return ", ".join(shown) or display.MISSING


def _on_processors(store: Store) -> pd.DataFrame:
    """The latencies on all processors."""
    rows = tables.ok(store.table("latency"))
    return rows[rows["device"] == "cpu"]


def _on_one_thread(store: Store) -> pd.DataFrame:
    """Those of the machine of the other tables, on one thread."""
    rows = tables.ok(tables.timed(store, "latency"))
    return rows[rows["clock"] == "thread"]


def _half_width(store: Store) -> str:
    """How wide the intervals of the modules' latencies at one thread are, in words."""
    rows = _on_one_thread(store)
    rows = rows[rows["module"] != "none"]
    if rows.empty:
        return display.MISSING
    widths = (rows["ratio_high"] / rows["ratio_low"]).astype(float) ** 0.5 - 1
    return f"±{100 * widths.median():.2f} %"


def _spread(row: Any) -> Entry:
    """The median of the measured ratios with the middle 95 % of them."""
    ends = row.ratio_q025, row.ratio_q975
    return estimate(display.ratio, row.ratio_median, *ends, "", row.status)


def _copies(store: Store) -> str:
    """In how many sessions the second copy of the bare backbone seems not to be one."""
    rows = _on_processors(store)
    copies = rows[(rows["module"] == "none") & ~rows["backbone"].isin(WIDTHS)]
    settings = copies[["floor_low", "floor_high"]].dropna()
    if settings.empty:
        return f"How often such an interval leaves 1 out: {display.MISSING}."
    out = int(((settings["floor_low"] > 1) | (settings["floor_high"] < 1)).sum())
    return (
        f"In {out} of {display.many(len(settings), 'session')} of the latencies on processors "
        "this interval leaves 1 out; of a number of processes that is fixed beforehand it would be "
        f"nominally one in {1 / (1 - stats.CONFIDENCE):.0f}."
    )


def facts(store: Store) -> dict[str, str]:
    """What the page says of the protocol, and how often it was right."""
    rows = tables.ok(rows_of(store))
    found = {
        "clock.sample_ms": f"{1000 * timing.SAMPLE_S:.0f}",
        "clock.rounds": str(latency.ROUNDS["cpu"]),
        "clock.rounds_gpu": str(latency.ROUNDS["cuda"]),
        "clock.builds": str(latency.BUILDS),
        "clock.processes": str(latency.PROCESSES),
        "clock.most_processes": str(latency.MOST_PROCESSES["cpu"]),
        "clock.resolution": f"{100 * stats.RESOLUTION:.0f} %",
        "clock.wait_min": f"{latency.LOCK_WAIT_S / 60:.0f}",
        "clock.layers": str(bench.LAYERS[COPY]),
        "clock.layers_small": str(bench.LAYERS[SMALL]),
        "clock.layers_large": str(bench.LAYERS[LARGE]),
        "clock.small": SMALL,
        "clock.large": LARGE,
        "clock.within": f"{100 * bench.WITHIN:.0f} %",
        "clock.small_exact": f"{100 * (bench.LAYERS[SMALL] / bench.LAYERS[COPY] - 1):.3f} %",
        "clock.large_exact": f"{100 * (bench.LAYERS[LARGE] / bench.LAYERS[COPY] - 1):.3f} %",
        "clock.test_rounds": str(bench.ROUNDS),
        "clock.test_builds": str(bench.BUILDS),
        "clock.test_most_builds": str(bench.MOST_BUILDS),
        "clock.warmup_calls": str(bench.WARMUP_CALLS),
        "clock.torch_share": f"1/{bench.TORCH_SHARE}",
        "clock.burst_short_ms": f"{1000 * burst.SHORTEST_S:.0f}",
        "clock.burst_long_ms": f"{1000 * burst.LONGEST_S:.0f}",
        "clock.test_sample_ms": _by_load(rows, "sample_ms", "{:.1f} ms"),
        "clock.test_half_width": _by_load(rows, "half_width", "±{:.2f} %"),
        "clock.test_builds_mean": _by_load(rows, "builds_mean", "{:.0f}"),
        "clock.latency_builds": display.span(_on_one_thread(store)["builds"]),
        "clock.latency_rounds": display.span(_on_one_thread(store)["rounds"]),
        "clock.latency_processes": display.span(_on_processors(store)["processes"]),
        "clock.copies": _copies(store),
        "clock.latency_half_width": _half_width(store),
        "clock.least": _least(store),
    }
    return found
