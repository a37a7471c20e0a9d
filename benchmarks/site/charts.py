"""How the site's charts look: Vega-Lite specifications, drawn light and dark without a browser.

A module has the same shape and colour in every chart. ``vl_convert`` is needed to draw, not to
make a specification.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from benchmarks import stats
from benchmarks.cells import MODULES

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
        "#a9d468",
        "#b9a2f2",
        "#e2c044",
        "#ff8a80",
    ),
}
SCHEMES = tuple(COLOURS)
INK = {"light": "#222222", "dark": "#e6e6e6"}
GRID = {"light": "#d9d9d9", "dark": "#4a4f5a"}
PADDING = {"left": 30, "right": 45, "top": 5, "bottom": 16}
"""Room for words that a reader's font sets wider than the one they were measured with."""

EVEN_PADDING = {"left": 20, "right": 20, "top": 5, "bottom": 5}
"""The same of a chart without a column of verdicts."""

ABOVE = {"title": None, "orient": "top", "columnPadding": 40}
"""A legend above its chart."""

LONG_NAMES = {**ABOVE, "columns": 3, "labelLimit": 260}
"""The same of more names than have room in one line."""

MARKS = {**ABOVE, "columns": 5, "columnPadding": 14}
"""The same of modules, in lines that a phone shows."""

LOG = {"type": "log", "nice": False, "padding": 10}
"""A logarithmic axis that ends at its marks."""

WIDTH = 300
"""A chart with a column of verdicts, px: no wider than a phone."""

CANNOT_TELL = f"datum.verdict == '{stats.SAME}' || datum.verdict == '{stats.TOO_FEW}'"
"""Marks that are drawn hollow."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"


@dataclass(frozen=True)
class Figure:
    """A chart with its caption and a text that replaces it.

    Without ``values`` there is none, and ``gap`` stands in its place: why rows give no chart.
    """

    name: str
    caption: str
    alt: str
    values: list[dict[str, Any]]
    layers: list[dict[str, Any]]
    size: dict[str, Any]
    gap: str = "Not measured yet."

    @property
    def digest(self) -> str:
        """Changes when what is drawn changes."""
        content = [self.values, self.layers, self.size]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def spec(self, scheme: str) -> dict[str, Any]:
        """The Vega-Lite specification in a colour scheme, ``light`` or ``dark``."""
        size, layer = self.size, {"layer": self.layers}
        drawn = {"spec": {**size["spec"], **layer}} if "facet" in size else layer
        text = json.dumps(
            {
                "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
                "data": {"values": self.values},
                "background": None,
                **size,
                **drawn,
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


def axis(field: str, title: str | None, kind: str = "quantitative", **more: Any) -> dict[str, Any]:
    """A field along an axis with a title; None writes none, not even the field's name."""
    return {"field": field, "type": kind, "title": title, **more}


def nominal(
    field: str,
    domain: Iterable[str],
    channel: str = "color",
    legend: dict[str, Any] | None = ABOVE,
) -> dict[str, Any]:
    """A colour or a shape a name."""
    scale = {"domain": list(domain), "range": list(SHAPES) if channel == "shape" else "@colours"}
    return {"field": field, "type": "nominal", "scale": scale, "legend": legend}


def shaped(encoding: dict[str, Any]) -> dict[str, Any]:
    """The encoding with a shape beside each colour."""
    colour = encoding["color"]
    scale = {**colour["scale"], "range": list(SHAPES)}
    return {**encoding, "shape": {**colour, "scale": scale}}


def module_scale(channel: str, legend: dict[str, Any] | None = None) -> dict[str, Any]:
    """The colour or shape of a module, the same in every chart."""
    return nominal("module", MODULES, channel, legend)


def module_legend(values: list[dict[str, Any]]) -> dict[str, Any]:
    """The modules that are drawn, in their order."""
    drawn = {v["module"] for v in values}
    return {"title": None, "values": [name for name in MODULES if name in drawn]}


def panels(
    field: str,
    columns: int,
    width: int,
    height: Any,
    sort: list[str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The size of a chart of one panel a value of ``field``; width and height are a panel's."""
    facet: dict[str, Any] = {"field": field, "type": "nominal", "title": None}
    if sort is not None:
        facet["sort"] = sort
    spec = {"width": width, "height": height}
    return {"facet": facet, "columns": columns, "spec": spec, **more}


def dashed(channel: str, **place: Any) -> dict[str, Any]:
    """A dashed line across a chart, at a ``datum`` or a ``field``."""
    return {
        "mark": {"type": "rule", "color": "@ink", "strokeDash": [4, 3]},
        "encoding": {channel: {"type": "quantitative", **place}},
    }


def lines(encoding: dict[str, Any], size: int = 60) -> list[dict[str, Any]]:
    """Lines with points on them, a colour and a shape a name."""
    return [
        {"mark": {"type": "line", "strokeWidth": 2}, "encoding": encoding},
        {"mark": {"type": "point", "filled": True, "size": size}, "encoding": shaped(encoding)},
    ]


def intervals(value: str, title: str, reference: float, sort: list[str]) -> list[dict[str, Any]]:
    """Points with their intervals, a line at the reference and the verdict in words."""
    scale = {"zero": False, "nice": False, "padding": 10}
    ticks = {"tickCount": 6, "labelOverlap": True, "labelFlush": False}
    x = axis(value, title, scale=scale, axis=ticks)
    arm = axis("arm", None, "nominal", sort=sort)
    return [
        dashed("x", datum=reference),
        {
            "mark": {"type": "rule", "strokeWidth": 2},
            "transform": [{"filter": "isValid(datum.low)"}],
            "encoding": {
                "y": arm,
                "x": {**x, "field": "low"},
                "x2": {"field": "high"},
                "color": module_scale("color"),
            },
        },
        {
            "mark": {"type": "point", "filled": True, "size": 90, "strokeWidth": 2},
            "encoding": {
                "y": arm,
                "x": x,
                "color": module_scale("color"),
                "stroke": module_scale("color"),
                "shape": module_scale("shape"),
                "fillOpacity": {"condition": {"test": CANNOT_TELL, "value": 0}, "value": 1},
            },
        },
    ]


def with_verdicts(
    name: str,
    caption: str,
    alt: str,
    values: list[dict[str, Any]],
    axis: str,
    sort: list[str],
    title: str = "",
) -> Figure:
    """Differences with their intervals and a column of verdicts, under a title if there is one."""
    layers = [*intervals("difference", axis, 0.0, sort), verdict_words(sort)]
    size: dict[str, Any] = {"width": WIDTH, "height": {"step": 26}, "padding": PADDING}
    if title:
        size["title"] = {"text": title, "anchor": "start"}
    return Figure(name, caption, alt, values, layers, size)


def verdict_words(sort: list[str]) -> dict[str, Any]:
    """The verdicts as a column to the right of a chart of ``WIDTH``."""
    return {
        "mark": {"type": "text", "align": "left", "dx": 10},
        "encoding": {
            "y": axis("arm", None, "nominal", sort=sort),
            "x": {"value": WIDTH},
            "text": {"field": "verdict"},
        },
    }
