"""The site's charts as Vega-Lite specifications, drawn light and dark without a browser.

A module has the same shape and colour in every chart. ``vl_convert`` is needed to draw, not to
make a specification.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from benchmarks import compare, display, stats, tables
from benchmarks.cells import MODULES
from benchmarks.store import Store

SHAPES = (
    "circle",
    "square",
    "cross",
    "diamond",
    "triangle-up",
    "triangle-down",
    "triangle-right",
    "triangle-left",
    "M-1,-1L1,1M-1,1L1,-1",
)
COLOURS = {
    "light": (
        "#333333",
        "#0060a8",
        "#b34700",
        "#00785a",
        "#8a2f78",
        "#b8336a",
        "#6b4fa3",
        "#7a5c00",
        "#a11d21",
    ),
    "dark": (
        "#e0e0e0",
        "#6cb6ff",
        "#ff9d5c",
        "#4fd1a5",
        "#e08ad0",
        "#ff8fb8",
        "#b9a2f2",
        "#e2c044",
        "#ff8a80",
    ),
}
INK = {"light": "#222222", "dark": "#e6e6e6"}
GRID = {"light": "#d9d9d9", "dark": "#4a4f5a"}
PADDING = {"left": 30, "right": 200, "top": 5, "bottom": 16}
"""Room for words that a reader's font sets wider than the one they were measured with."""

CANNOT_TELL = f"datum.verdict == '{stats.SAME}' || datum.verdict == '{stats.TOO_FEW}'"
"""Marks that are drawn hollow."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"


@dataclass(frozen=True)
class Figure:
    """A chart with its caption and a text that replaces it; without ``values`` there is none."""

    name: str
    caption: str
    alt: str
    values: list[dict[str, Any]]
    layers: list[dict[str, Any]]
    size: dict[str, Any]

    @property
    def digest(self) -> str:
        """Changes when what is drawn changes."""
        content = [self.values, self.layers, self.size]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def spec(self, scheme: str) -> dict[str, Any]:
        """The Vega-Lite specification in a colour scheme, ``light`` or ``dark``."""
        text = json.dumps(
            {
                "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
                "data": {"values": self.values},
                "background": None,
                **self.size,
                **({"layer": self.layers} if "facet" not in self.size else {}),
                "config": _config(scheme),
            }
        )
        colours = json.dumps(COLOURS[scheme])
        return json.loads(text.replace('"@colours"', colours).replace("@ink", INK[scheme]))

    def svg(self, scheme: str) -> str:
        """The drawing, marked with the digest of what it shows."""
        import vl_convert

        drawn = vl_convert.vegalite_to_svg(self.spec(scheme))
        return drawn.rstrip() + f"\n<!-- {self.digest} -->\n"


def _config(scheme: str) -> dict[str, Any]:
    ink, grid = INK[scheme], GRID[scheme]
    words = {"labelColor": ink, "titleColor": ink, "labelFont": FONT, "titleFont": FONT}
    words |= {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
    return {
        "font": FONT,
        "axis": {**words, "gridColor": grid, "domainColor": grid, "tickColor": grid},
        "legend": {**words, "layout": {"top": {"anchor": "start", "direction": "vertical"}}},
        "header": words,
        "view": {"stroke": grid},
        "text": {"color": ink, "fontSize": 12},
        "title": {"color": ink, "font": FONT, "fontSize": 13},
    }


def module_scale(channel: str) -> dict[str, Any]:
    """The colour or shape of a module, the same in every chart."""
    scale = {"domain": list(MODULES), "range": list(SHAPES) if channel == "shape" else "@colours"}
    return {"field": "module", "type": "nominal", "scale": scale, "legend": None}


def _intervals(value: str, title: str, reference: float, sort: list[str]) -> list[dict[str, Any]]:
    """Points with their intervals, a line at the reference and the verdict in words."""
    scale = {"zero": False, "nice": False, "padding": 10}
    ticks = {"tickCount": 6, "labelOverlap": True}
    axis = {"title": title, "scale": scale, "axis": ticks, "type": "quantitative"}
    arm = {"field": "arm", "type": "nominal", "sort": sort, "title": None}
    return [
        {
            "mark": {"type": "rule", "color": "@ink", "strokeDash": [4, 3]},
            "encoding": {"x": {"datum": reference, "type": "quantitative"}},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 2},
            "transform": [{"filter": "isValid(datum.low)"}],
            "encoding": {
                "y": arm,
                "x": {"field": "low", **axis},
                "x2": {"field": "high"},
                "color": module_scale("color"),
            },
        },
        {
            "mark": {"type": "point", "filled": True, "size": 90, "strokeWidth": 2},
            "encoding": {
                "y": arm,
                "x": {"field": value, **axis},
                "color": module_scale("color"),
                "stroke": module_scale("color"),
                "shape": module_scale("shape"),
                "fillOpacity": {"condition": {"test": CANNOT_TELL, "value": 0}, "value": 1},
            },
        },
    ]


def _words(sort: list[str], width: int) -> dict[str, Any]:
    return {
        "mark": {"type": "text", "align": "left", "dx": 10},
        "encoding": {
            "y": {"field": "arm", "type": "nominal", "sort": sort, "title": None},
            "x": {"value": width},
            "text": {"field": "verdict"},
        },
    }


ENDS = {"ratio": "", "low": "_low", "high": "_high"}


def accuracy(store: Store) -> Figure:
    """Differences to the bare backbone with intervals, in the first comparison."""
    values: list[dict[str, Any]] = []
    said: list[str] = []
    caption, start = "Difference in test accuracy to the bare backbone, by module.", ""
    found = compare.main_first(store)
    if found:
        which = found[0]
        frame = compare.accuracy_table(store, which)
        for row in frame[frame["difference"].notna()].to_dict("records"):
            numbers = {k: row[k] for k in ("difference", "low", "high") if display.given(row[k])}
            words = {"arm": row["arm"], "module": row["arm"].split()[0], "verdict": row["verdict"]}
            values.append(words | {k: round(float(number), 4) for k, number in numbers.items()})
            said.append(f"{row['arm']} {display.points(row['difference'])}, {row['verdict']}")
        least, most = frame["pairs"].min(), frame["pairs"].max()
        seeds = f"{least:.0f}" if least == most else f"{least:.0f} to {most:.0f}"
        what = "mean and 95 % interval" if any("low" in v for v in values) else "mean"
        preview = compare.preview_words(frame, which)
        start = f"{preview}. " if preview else ""
        caption = (
            f"{start}Difference in test accuracy to the bare backbone, {which.title}: {what} of "
            f"{seeds} paired seeds, and the verdict."
        )
    sort = tables.in_order(v["arm"] for v in values)
    layers = _intervals("difference", "difference in top-1, percentage points", 0.0, sort)
    layers.append(_words(sort, 380))
    size: dict[str, Any] = {"width": 380, "height": {"step": 26}, "padding": PADDING}
    if start:
        size["title"] = {"text": start.strip(), "anchor": "start"}
    alt = f"{start}Difference in points: {'; '.join(said)}"
    return Figure("accuracy", caption, alt, values, layers, size)


def latency(store: Store) -> Figure:
    """Latency ratios with intervals on one thread of a processor, a panel a backbone."""
    values: list[dict[str, Any]] = []
    absent: list[str] = []
    for setting in tables.latency_settings(store, device="cpu"):
        if setting["threads"] != 1:
            continue
        backbone = setting["backbone"]
        panel = f"{backbone}, batch {setting['batch_size']}, {setting['image_size']} px"
        for row in tables.latency_table(store, setting).to_dict("records"):
            arm, name = row["arm"], row["arm"].split()[0]
            if name == "none" or name not in MODULES or not display.given(row["status"]):
                continue
            word = row["verdict"] if row["status"] == "ok" else row["status"]
            if row["status"] != "ok" or word == stats.NOISY:
                absent.append(f"{arm} in {backbone} ({word})")
                continue
            numbers = {k: row[f"ratio{end}"] for k, end in ENDS.items()}
            words = {"arm": arm, "module": name, "backbone": backbone, "panel": panel}
            values.append({**words, "verdict": word, **display.cleaned(numbers)})
    sort = tables.in_order(v["arm"] for v in values)
    layers = _intervals("ratio", "latency, times the bare backbone", 1.0, sort)
    size = {
        "facet": {"field": "panel", "type": "nominal", "title": None},
        "columns": 2,
        "spec": {"width": 250, "height": {"step": 22}, "layer": layers},
    }
    caption = (
        "Latency of a forward pass over that of the bare backbone, one thread of a processor, "
        f"with 95 % intervals. Hollow marks: {stats.SAME}. The noise floors stand in the table."
    )
    if absent:
        caption += f" Not drawn: {', '.join(absent)}."
    alt = "; ".join(
        f"{v['backbone']} with {v['arm']} {display.ratio(v['ratio'])}, {v['verdict']}"
        for v in values
    )
    return Figure("latency", caption, f"Times the bare backbone: {alt}", values, layers, size)


def tradeoff(store: Store) -> Figure:
    """What a module adds in multiply-adds against what it adds in time."""
    values = []
    costs = tables.with_arm(tables.ok(store.table("cost")))
    added = {(r.arm, r.backbone): r for r in tables.records(costs)}
    for value in latency(store).values:
        row: Any = added.get((value["arm"], value["backbone"]))
        if row is not None and row.macs > row.macs_added:
            share = 100 * row.macs_added / (row.macs - row.macs_added)
            values.append({**value, "share": display.clean(share)})
    shapes: dict[str, Any] = {**module_scale("shape"), "legend": {"title": None}}
    colours: dict[str, Any] = {**module_scale("color"), "legend": {"title": None}}
    for scale in (shapes, colours):
        drawn = {v["module"] for v in values}
        scale["legend"] = {"title": None, "values": [m for m in MODULES if m in drawn]}
    layers = [
        {
            "mark": {"type": "rule", "color": "@ink", "strokeDash": [4, 3]},
            "encoding": {"y": {"datum": 1.0, "type": "quantitative"}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 90, "strokeWidth": 2},
            "encoding": {
                "x": {
                    "field": "share",
                    "type": "quantitative",
                    "title": "multiply-adds added, % of the bare backbone's",
                    "scale": {"type": "symlog", "constant": 0.1},
                },
                "y": {
                    "field": "ratio",
                    "type": "quantitative",
                    "title": "latency, times the bare backbone",
                    "scale": {"zero": False},
                },
                "color": colours,
                "stroke": {**module_scale("color"), "legend": None},
                "shape": shapes,
            },
        },
    ]
    caption = (
        "Time against multiply-adds, both relative to the bare backbone; one mark a module and "
        "backbone, one thread of a processor. Were multiply-adds time, all marks would lie on "
        "one curve."
    )
    alt = "; ".join(
        f"{v['backbone']} with {v['arm']}: {display.percent(v['share'])} % more multiply-adds, "
        f"{display.ratio(v['ratio'])} times the time"
        for v in values
    )
    return Figure("tradeoff", caption, alt, values, layers, {"width": 480, "height": 320})


def figures(store: Store) -> list[Figure]:
    """Every chart of the site."""
    # which are made of what is above
    from benchmarks.site import (
        attention_figures,
        clock,
        equal_cost,
        mechanism,
        notes_alexnet,
        notes_depth,
        notes_figures,
        notes_gradients,
        notes_optimisers,
        notes_trajectories,
        segmentation,
    )

    drawn = [accuracy(store), latency(store), tradeoff(store), clock.figure(store)]
    drawn += [equal_cost.figure(store), *mechanism.figures(store), segmentation.figure(store)]
    notes = [
        *notes_figures.figures(store),
        *notes_alexnet.figures(store),
        notes_depth.figure(store),
        *notes_gradients.figures(store),
        *notes_trajectories.figures(store),
        *notes_optimisers.figures(store),
    ]
    return [*drawn, *attention_figures.figures(store), *notes]
