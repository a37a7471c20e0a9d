"""Charts of the notes' spirals, activations and calibration."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from benchmarks import display, tables
from benchmarks import spiral as bench
from benchmarks.activations import ACTIVATIONS as STACKED
from benchmarks.calibration import EPOCHS, HEADS
from benchmarks.site.charts import (
    EVEN_PADDING,
    SHAPES,
    Figure,
    axis,
    lines,
    nominal,
    panels,
    shaped,
)
from benchmarks.site.notes_trained import ACTIVATIONS, rule
from benchmarks.site.paired import marks, rows_of, three
from benchmarks.store import Store

DRAWN = tuple((a, r) for r in ("sgd lr=0.001", "sgd lr=1", "adam lr=0.001") for a in bench.PAIR)
"""Networks whose boundaries are drawn: the notes' optimisers, and SGD with a larger step."""


def figures(store: Store) -> list[Figure]:
    """Every chart of this file."""
    return [boundaries(store), spiral(store), activations(store), calibration(store)]


def boundaries(store: Store) -> Figure:
    """What six networks answer in the plane, with some of their training points."""
    rows = tables.ok(rows_of(store, "spiral"))
    rows = rows[(rows["data"] == "spiral 4") & (rows["seed"] == 0) & (rows["grid"] != "")]
    values: list[dict[str, Any]] = []
    said = []
    for activation, recipe in DRAWN:
        mine = rows[(rows["variant"] == activation) & (rows["recipe"] == recipe)]
        if mine.empty:
            continue
        row = mine.iloc[0]
        panel = f"{ACTIVATIONS[activation]}, {rule(recipe)}"
        said.append(f"{panel}: {three(row['accuracy'])} of the points are right")
        values += [{"panel": panel, **one} for one in _areas(row["grid"])]
        values += [{"panel": panel, **one} for one in _points(row["points"])]
    titles = list(dict.fromkeys(v["panel"] for v in values))
    size = panels("panel", 2, 240, 240, titles, padding=EVEN_PADDING)
    caption = (
        "The class that each network answers, by place, with some of the training points. Without "
        "an activation the borders are straight lines, whatever the optimiser. One seed."
    )
    return Figure("spiral-boundaries", caption, "; ".join(said), values, _map(), size)


def _map() -> list[dict[str, Any]]:
    """Areas of one answer, and points above them with a shape a class."""
    scale = {"domain": [-bench.EXTENT, bench.EXTENT], "nice": False}
    x, y = (axis(name, None, scale=scale, axis=None) for name in "xy")
    domain = [str(c) for c in range(bench.CLASSES[0])]
    colour = nominal("class", domain, legend=None)
    shape = {**colour, "scale": {"domain": domain, "range": list(SHAPES[: len(domain)])}}
    ends = {"x2": {"field": "x2"}, "y2": {"field": "y2"}}
    return [
        {
            "mark": {"type": "rect", "opacity": 0.3, "aria": False},
            "transform": [{"filter": "isValid(datum.x2)"}],
            "encoding": {"x": x, "y": y, **ends, "color": colour},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 16, "opacity": 1, "aria": False},
            "transform": [{"filter": "!isValid(datum.x2)"}],
            "encoding": {"x": x, "y": y, "color": colour, "shape": shape},
        },
    ]


def _areas(grid: str) -> list[dict[str, Any]]:
    """Places of one answer along each line of a grid, as rectangles."""
    side = 2 * bench.EXTENT / bench.GRID
    found = []
    for i, line in enumerate(bench.boundaries(grid)):
        low, place = -bench.EXTENT + i * side, 0
        for answer, run in groupby(line):
            length = len(list(run))
            left = -bench.EXTENT + place * side
            ends = {"x": left, "x2": left + length * side, "y": low, "y2": low + side}
            found.append({"class": answer, **{k: round(v, 3) for k, v in ends.items()}})
            place += length
    return found


def _points(text: str) -> list[dict[str, Any]]:
    triples = [one.split() for one in text.split(";")]
    return [{"class": c, "x": int(x) / 100, "y": int(y) / 100} for x, y, c in triples]


def spiral(store: Store) -> Figure:
    """Accuracy by optimiser and activation, with the range over the seeds."""
    rows = tables.ok(rows_of(store, "spiral"))
    rows = rows[(rows["data"] == "spiral 4") & (rows["recipe"] != bench.NOTEBOOK)]
    values = []
    for recipe in bench.OPTIMISERS:
        for name, words in ACTIVATIONS.items():
            mine = rows[(rows["variant"] == name) & (rows["recipe"] == recipe)]["accuracy"]
            if len(mine):
                numbers = {"mean": mine.mean(), "low": mine.min(), "high": mine.max()}
                numbers = {k: display.clean(v) for k, v in numbers.items()}
                values.append({"rule": rule(recipe), "activation": words, **numbers})
    x = axis("mean", "training accuracy", scale={"zero": False}, axis={"labelFlush": False})
    rules = [rule(name) for name in bench.OPTIMISERS]
    encoding = {
        "x": x,
        "y": axis("rule", None, "nominal", sort=rules),
        "yOffset": {"field": "activation", "type": "nominal", "sort": list(ACTIVATIONS.values())},
        "color": nominal("activation", ACTIVATIONS.values()),
    }
    layers = marks(shaped(encoding))
    size = {"width": 440, "height": {"step": 14}, "padding": EVEN_PADDING}
    caption = (
        "Training accuracy on spirals of four classes by optimiser and activation: the mean over "
        "the seeds, and a line from the lowest to the highest. Four classes: guessing gives a "
        "quarter."
    )
    alt = "; ".join(f"{v['rule']}, {v['activation']}: {three(v['mean'])}" for v in values)
    return Figure("spiral-accuracy", caption, alt, values, layers, size)


def activations(store: Store) -> Figure:
    """Accuracy by depth, a line an activation."""
    rows = tables.ok(rows_of(store, "activations"))
    values = []
    for (name, recipe), mine in rows.groupby(["variant", "recipe"], sort=False):
        mean = display.clean(mine["accuracy"].mean())
        layers_ = int(str(recipe).split()[0])
        values.append({"activation": ACTIVATIONS[str(name)], "depth": layers_, "accuracy": mean})
    names = [ACTIVATIONS[name] for name in STACKED]
    encoding = {
        "x": axis("depth", "hidden layers", "ordinal", axis={"labelAngle": 0}),
        "y": axis("accuracy", "training accuracy, mean over the seeds", scale={"domain": [0, 1]}),
        "color": nominal("activation", names),
    }
    layers = lines(encoding, 70)
    caption = (
        "Training accuracy on spirals of four classes by the number of hidden layers. A run that "
        "left the finite numbers would not be drawn."
    )
    alt = "; ".join(
        f"{v['activation']}, {v['depth']} hidden: {three(v['accuracy'])}" for v in values
    )
    size = {"width": 440, "height": 260, "padding": EVEN_PADDING}
    return Figure("activations", caption, alt, values, layers, size)


def calibration(store: Store) -> Figure:
    """Accuracy and confidence over training, a panel a head."""
    rows = tables.ok(rows_of(store, "calibration"))
    kinds = ("accuracy", "confidence")
    values = []
    for head in HEADS:
        for epochs in EPOCHS:
            mine = rows[(rows["variant"] == head) & (rows["recipe"] == f"{epochs} epochs")]
            for what in kinds if len(mine) else ():
                mean = display.clean(mine[what].mean())
                values.append({"head": head, "epochs": epochs, "what": what, "percent": mean})
    encoding = {
        "x": axis("epochs", "epochs", "ordinal", axis={"labelAngle": 0}),
        "y": axis("percent", "%, mean over the seeds", scale={"zero": False}),
        "color": nominal("what", kinds),
    }
    layers = lines(encoding, 70)
    size = panels("head", 2, 230, 220, list(HEADS), padding=EVEN_PADDING)
    caption = (
        "Share of test images that are right, and mean of the largest output, over training. A "
        "calibrated network would have both on one line."
    )
    alt = "; ".join(
        f"{v['head']}, {v['epochs']} epochs, {v['what']}: {display.percent(v['percent'])} %"
        for v in values
    )
    return Figure("calibration", caption, alt, values, layers, size)
