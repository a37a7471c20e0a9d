"""Charts of the page about what attention costs."""

from __future__ import annotations

from typing import Any

from benchmarks import attention_costs, display, stats, tables
from benchmarks import breakdown as profile
from benchmarks.cells import MODULES
from benchmarks.site.attention import TIMM, by_words
from benchmarks.site.charts import (
    EVEN_PADDING,
    LOG,
    MARKS,
    Figure,
    axis,
    dashed,
    module_legend,
    module_scale,
    nominal,
    panels,
)
from benchmarks.store import Store

FORMS = {"latency_ms": "ours", "timm_ms": "timm's", "compiled_ms": "timm's, compiled"}


def figures(store: Store) -> list[Figure]:
    """Every chart of the page."""
    return [speed(store), breakdown(store), counts(store)]


def speed(store: Store) -> Figure:
    """Times over the bare passes on the largest map, a panel a mode and layout."""
    rows = tables.ok(attention_costs.of_one_machine(store, "speed"))
    data = rows["data"].iloc[0] if len(rows) else ""
    rows = rows[rows["data"] == data]
    values: list[dict[str, Any]] = []
    for row in tables.records(attention_costs.quiet(rows)):
        for column, form in FORMS.items():
            if display.given(getattr(row, column)):
                times = display.clean(getattr(row, column) / row.floor_ms)
                panel = f"{row.recipe}, {row.layout}"
                values.append({"arm": row.arm, "form": form, "panel": panel, "times": times})
    drawn = list(values)
    noisy = rows[rows["verdict"] == stats.NOISY]
    for row in tables.records(noisy) if drawn else ():
        panel = f"{row.recipe}, {row.layout}"
        values.append({"arm": row.arm, "panel": panel, "noisy": "too noisy to rank"})
    forms = list(FORMS.values())
    scale = {"domain": forms, "range": ["circle", "square", "diamond"]}
    legend = {"title": None, "orient": "top"}
    arm = axis("arm", None, "nominal", sort=list(MODULES))
    layers = [
        dashed("x", datum=1.0),
        {
            "mark": {"type": "text", "align": "left", "dx": 8, "fontStyle": "italic"},
            "transform": [{"filter": "isValid(datum.noisy)"}],
            "encoding": {"y": arm, "x": {"datum": 1.0}, "text": {"field": "noisy"}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 90},
            "transform": [{"filter": "isValid(datum.times)"}],
            "encoding": {
                "y": arm,
                "x": axis(
                    "times",
                    "time, times the bare passes",
                    scale=LOG,
                    axis={"values": [1, 2, 5, 10, 20, 50], "format": "d"},
                ),
                "color": nominal("form", forms, legend=legend),
                "shape": {"field": "form", "type": "nominal", "scale": scale, "legend": legend},
            },
        },
    ]
    size = panels("panel", 2, 250, {"step": 26}, padding=EVEN_PADDING)
    fed = f", input {by_words(data)}" if data else ""
    caption = (
        f"Time of a module by itself over that of the bare passes over memory{fed}, one thread. "
        "The axis is logarithmic."
    )
    left_out = f"Not drawn: {len(noisy)} settings of {len(rows)}, too noisy to rank."
    gap = left_out if len(noisy) else Figure.gap
    if len(noisy):
        caption += f" {left_out}"
    words = (f"{v['panel']}, {v['arm']}, {v['form']}: {v['times']:.1f}" for v in drawn)
    alt = f"Times: {'; '.join(words)}"
    return Figure("attention-speed", caption, alt, values, layers, size, gap)


def breakdown(store: Store) -> Figure:
    """Milliseconds by kind of operator on the larger map, ours beside timm's."""
    rows = tables.ok(attention_costs.of_one_machine(store, "breakdown"))
    rows = rows[rows["data"] == profile.SHAPES[0]]
    both = {**{ours: f"{ours}, ours" for ours in profile.TWINS}, **TIMM}
    order = [both[arm] for pair in profile.TWINS.items() for arm in pair]
    kinds = list(profile.WORDS.values())
    values: list[dict[str, Any]] = []
    for row in tables.records(rows[rows["arm"].isin(list(both))]):
        for i, (kind, words) in enumerate(profile.WORDS.items()):
            ms = row.operators_ms * getattr(row, f"{kind}_share") / 100
            cell = {"arm": both[row.arm], "mode": row.recipe, "kind": words, "order": i}
            values.append({**cell, "ms": display.clean(ms)})
    legend = {"title": None, "orient": "bottom", "columns": 1, "labelLimit": 400}
    layers = [
        {
            "mark": "bar",
            "encoding": {
                "y": axis("arm", None, "nominal", sort=order),
                "x": axis("ms", "milliseconds", axis={"tickCount": 5}),
                "color": nominal("kind", kinds, legend=legend),
                "order": {"field": "order", "type": "quantitative"},
            },
        }
    ]
    apart = {"scale": {"x": "independent"}}
    size = panels("mode", 2, 235, {"step": 24}, padding=EVEN_PADDING, resolve=apart)
    caption = (
        f"Where the time goes, by kind of operator, input {by_words(profile.SHAPES[0])}, nchw, "
        "one thread. The two panels have axes of their own."
    )
    alt = "; ".join(f"{v['arm']}, {v['mode']}, {v['kind']}: {v['ms']:.1f} ms" for v in values)
    return Figure("attention-breakdown", caption, alt, values, layers, size)


def counts(store: Store) -> Figure:
    """Time against two counts, a panel a count; one mark a module and backbone."""
    frame = attention_costs.counts_and_time(store)
    values = [
        {
            "module": row["arm"].split()[0],
            "backbone": row["backbone"],
            "count": f"{words} added, %",
            "share": display.clean(row[column]),
            "ratio": display.clean(row["ratio"]),
        }
        for row in frame.to_dict("records")
        for column, words in attention_costs.COUNTS.items()
    ]
    legend = {**MARKS, **module_legend(values)}
    layers = [
        {
            "mark": {"type": "point", "filled": True, "size": 70},
            "encoding": {
                "x": axis(
                    "share",
                    None,
                    scale={"type": "symlog", "constant": 0.5},
                    axis={"values": [0, 1, 3, 10, 30, 100]},
                ),
                "y": axis("ratio", "time, times the bare backbone", scale={"zero": False}),
                "color": module_scale("color", legend),
                "stroke": module_scale("color"),
                "shape": module_scale("shape", legend),
            },
        }
    ]
    titles = [f"{words} added, %" for words in attention_costs.COUNTS.values()]
    size = panels("count", 2, 240, 240, titles, padding=EVEN_PADDING)
    caption = (
        "The time of a network with a module against what the module adds, both relative to the "
        "bare backbone: one mark a module and backbone, one thread. Left multiply-adds, right "
        "bytes that the operators read and write."
    )
    words = (
        f"{v['backbone']} with {v['module']}: {display.percent(v['share'])} {v['count']}, "
        f"{display.ratio(v['ratio'])} times"
        for v in values
    )
    return Figure("attention-counts", caption, "; ".join(words), values, layers, size)
