"""Paths of optimisers on two surfaces: through a ravine, and past a saddle."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from benchmarks import display, tables, trajectories
from benchmarks.site.charts import EVEN_PADDING, LONG_NAMES, Figure, axis, lines, nominal, panels
from benchmarks.site.html import Entry, Head, table, value
from benchmarks.site.origin import origin
from benchmarks.site.paired import rows_of
from benchmarks.store import Store

RULES = {
    "sgd": "SGD",
    "momentum": "SGD, momentum 0.9",
    "nesterov": "SGD, Nesterov 0.9",
    "adam": "Adam",
    "adamw": "AdamW",
}
STARTS = {"near": "beside the ridge", "ridge": "on the ridge"}

DRAWN = (
    ("sgd", "lr=0.01"),
    ("sgd", "lr=0.038"),
    ("momentum", "lr=0.01"),
    ("adam", "lr=0.1"),
)
"""Paths through the ravine that are drawn."""


def rate(recipe: str) -> str:
    """The rate of a recipe as people read it."""
    return recipe.removeprefix("lr=")


def ravine(store: Store) -> str:
    """Steps, swings and losses in the ravine, by rule and rate."""
    rows = rows_of(store, "trajectories")
    rows = rows[rows["backbone"] == "ravine"]
    heads = (
        Head("Rule and rate", number=False),
        Head("Steps to a millionth of the loss"),
        Head("Steps that change sides", f"of {trajectories.STEPS}"),
        Head("Loss", f"after {trajectories.STEPS} steps"),
    )
    body = [
        (
            Entry(f"{RULES[row.variant]}, {rate(row.recipe)}"),
            _steps(row.steps),
            value(display.whole, row.swings),
            value(_power, row.loss),
        )
        for row in _in_order(rows)
    ]
    note = "curvature 1 along and 50 across, no noise, float64"
    return table("In the ravine", note, heads, body, origin(store, rows, "trajectories"))


def saddle(store: Store) -> str:
    """Steps that each rule takes to leave a saddle."""
    rows = rows_of(store, "trajectories")
    rows = rows[rows["backbone"] == "saddle"]
    heads = (Head("Rule and rate", number=False), *(Head(f"Start {w}") for w in STARTS.values()))
    body = []
    for row in _in_order(rows[rows["data"] == "near"]):
        mine = rows[(rows["variant"] == row.variant) & (rows["recipe"] == row.recipe)]
        found = [mine[mine["data"] == start]["steps"] for start in STARTS]
        entries = [_steps(steps.iloc[0]) if len(steps) else _steps(None) for steps in found]
        body.append((Entry(f"{RULES[row.variant]}, {rate(row.recipe)}"), *entries))
    note = "steps to half of the way to a minimum; no noise, float64"
    return table("Past a saddle", note, heads, body, origin(store, rows, "trajectories"))


def _in_order(rows: pd.DataFrame) -> list[Any]:
    order = {name: i for i, name in enumerate(RULES)}
    return sorted(tables.records(rows), key=lambda row: (order[row.variant], row.recipe))


def _steps(found: Any) -> Entry:
    if not display.given(found):
        return Entry(f"never in {trajectories.LIMIT:,}")
    return Entry(display.whole(found), int(found))


def _power(found: Any) -> str:
    return display.signed(f"{float(found):.2g}")


def figures(store: Store) -> list[Figure]:
    """Paths through the ravine and ways out of the saddle."""
    return [paths(store), escape(store)]


def paths(store: Store) -> Figure:
    """Four paths through the ravine, with lines of equal height."""
    rows = rows_of(store, "trajectories")
    rows = rows[rows["backbone"] == "ravine"]
    values: list[dict[str, Any]] = []
    said = []
    for rule, recipe in DRAWN:
        mine = rows[(rows["variant"] == rule) & (rows["recipe"] == recipe)]
        if mine.empty:
            continue
        panel = f"{RULES[rule]}, rate {rate(recipe)}"
        said.append(f"{panel}: {mine['swings'].iloc[0]} steps change sides")
        for number, (x, y) in enumerate(points(mine["path"].iloc[0])):
            values.append({"panel": panel, "what": "path", "step": number, "x": x, "y": y})
        values += [{"panel": panel, **one} for one in _heights()]
    titles = list(dict.fromkeys(v["panel"] for v in values))
    encoding = {
        "x": axis("x", "x, along the ravine", scale={"domain": [-5.5, 1.5], "nice": False}),
        "y": axis("y", "y, across", scale={"domain": [-1.1, 1.1], "nice": False}),
        "order": {"field": "step", "type": "quantitative"},
    }
    path = [{"filter": "datum.what == 'path'"}]
    layers = [
        {
            "mark": {"type": "line", "color": "@ink", "opacity": 0.35, "strokeWidth": 1},
            "transform": [{"filter": "datum.what != 'path'"}],
            "encoding": {**encoding, "detail": {"field": "what", "type": "nominal"}},
        },
        {
            "mark": {"type": "line", "color": "@ink", "strokeWidth": 1.5, "clip": True},
            "transform": path,
            "encoding": encoding,
        },
        {
            "mark": {"type": "point", "color": "@ink", "filled": True, "size": 18, "clip": True},
            "transform": path,
            "encoding": encoding,
        },
    ]
    size = panels("panel", 2, 260, 170, titles, padding=EVEN_PADDING)
    caption = (
        f"The first {trajectories.STEPS} steps through a ravine from the left, with lines of equal "
        "height; the minimum is in the middle of the smallest one. The height of a panel is "
        "stretched: the ravine is narrower than it looks."
    )
    return Figure("ravine", caption, "; ".join(said), values, layers, size)


def points(path: str) -> list[tuple[float, float]]:
    """The places of a column ``path``."""
    return [(float(x), float(y)) for x, y in (place.split() for place in path.split(";"))]


def _heights() -> list[dict[str, Any]]:
    """Lines on which (x^2 + 50 y^2) / 2 is constant, inside of what is drawn."""
    found = []
    for along in (1.0, 2.5, 5.0):
        for number in range(49):
            angle = 2 * math.pi * number / 48
            x, y = along * math.cos(angle), along * math.sin(angle) / 50**0.5
            if x < 1.5:
                place = {"x": round(x, 3), "y": round(y, 3), "step": number}
                found.append({"what": f"height {along:g}", **place})
    return found


def escape(store: Store) -> Figure:
    """Distance from the ridge by step, beside a saddle."""
    rows = rows_of(store, "trajectories")
    rows = rows[(rows["backbone"] == "saddle") & (rows["data"] == "near")]
    values = []
    for row in _in_order(rows):
        for step, (_, y) in enumerate(points(row.path)):
            if abs(y) > 0 and step % 2 == 0:
                values.append({"rule": RULES[row.variant], "step": step, "distance": abs(y)})
    names = [RULES[name] for name in trajectories.RATES["saddle"]]
    encoding = {
        "x": axis("step", "step"),
        "y": axis(
            "distance",
            "distance from the ridge",
            scale={"type": "log"},
            axis={"format": ".0e", "tickCount": 6},
        ),
        "color": nominal("rule", names, legend=LONG_NAMES),
    }
    layers = lines(encoding)
    rules = [f"{RULES[row.variant]}: {_steps(row.steps).text} steps" for row in _in_order(rows)]
    caption = (
        "How the rules leave a saddle that they start beside, all at the same rate. The scale is "
        "one of powers: the distance grows by a factor a step until the slope gets less steep."
    )
    size = {"width": 460, "height": 250, "padding": EVEN_PADDING}
    return Figure("saddle", caption, "; ".join(rules), values, layers, size)
