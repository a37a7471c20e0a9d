"""Tables of the notes' spirals, activations and calibration."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks import display, tables
from benchmarks import spiral as bench
from benchmarks.activations import DEPTHS, HIGHEST
from benchmarks.calibration import EPOCHS, HEADS, TRAINED_ON
from benchmarks.site.html import Entry, Head, absent, runs, table, value
from benchmarks.site.notes import number
from benchmarks.site.origin import origin
from benchmarks.site.paired import mean, rows_of, three
from benchmarks.store import Store

ACTIVATIONS = {
    "none": "no activation",
    "relu": "ReLU",
    "tanh": "tanh",
    "logistic": "logistic",
    "square": "square",
}
RULES = {"sgd": "SGD", "adam": "Adam"}


def rule(recipe: str) -> str:
    """An optimiser as people read it: ``SGD 0.1, momentum 0.9``."""
    one = bench.OPTIMISERS[recipe]
    return f"{RULES[one.kind]} {one.lr:g}" + f", momentum {one.momentum:g}" * bool(one.momentum)


def spiral(store: Store) -> str:
    """One table a number of classes: activations by optimisers."""
    rows = rows_of(store, "spiral")
    rows = rows[rows["recipe"] != bench.NOTEBOOK]
    if rows.empty:
        return absent("Activations and optimisers")
    parts = []
    for classes in bench.CLASSES:
        mine = rows[rows["data"] == f"spiral {classes}"]
        if len(mine):
            parts.append(_spiral(store, classes, mine))
    return "\n".join(parts)


def _spiral(store: Store, classes: int, rows: pd.DataFrame) -> str:
    recipes = [name for name in bench.OPTIMISERS if name in set(rows["recipe"])]
    heads = (Head("Between the layers", number=False), *(Head(rule(name)) for name in recipes))
    body = []
    for name, words in ACTIVATIONS.items():
        mine = rows[rows["variant"] == name]
        if len(mine):
            entries = [mean(mine[mine["recipe"] == r], "accuracy", most=1) for r in recipes]
            body.append((Entry(words), *entries))
    seeds = rows["seed"].nunique()
    note = f"training accuracy, mean over {seeds} seeds [95 %]"
    places = origin(store, rows, "spiral")
    return table(f"Spirals of {classes} classes", note, heads, body, places)


def pair(store: Store) -> str:
    """The notes' two networks: at their seed, over other seeds, on fresh points."""
    rows = rows_of(store, "spiral")
    rows = rows[rows["recipe"] == bench.NOTEBOOK]
    if rows.empty:
        return absent("The notes' pair")
    heads = (
        Head("Network", number=False),
        Head("At the notes' seed"),
        Head("Over all seeds", "mean [95 %]"),
        Head("Lowest"),
        Head("Highest"),
        Head("Fresh points", "mean [95 %]"),
        Head("Seeds"),
    )
    body = []
    for name, one in bench.PAIR.items():
        mine = tables.ok(rows[rows["variant"] == name])
        at_seed = mine[mine["seed"] == bench.NOTES_SEED]["accuracy"].mean()
        body.append(
            (
                Entry(f"{ACTIVATIONS[name]}, {rule(one.name)}"),
                value(three, at_seed),
                mean(mine, "accuracy", most=1),
                value(three, mine["accuracy"].min()),
                value(three, mine["accuracy"].max()),
                mean(mine, "fresh_accuracy", most=1),
                runs(len(mine)),
            )
        )
    note = "drawn in the notebook's order"
    return table("The notes' pair", note, heads, body, origin(store, rows, "spiral"))


def activations(store: Store) -> str:
    """Accuracy and properties by activation and depth."""
    rows = rows_of(store, "activations")
    heads = (
        Head("Activation and depth", number=False),
        Head("Training accuracy", "mean [95 %]"),
        Head("Fresh points", "mean [95 %]"),
        Head("Off an affine map", "largest, share of the range"),
        Head("Degree along a line"),
        Head("Bend far outside", "largest"),
    )
    body = []
    for name, words in ACTIVATIONS.items():
        for layers in DEPTHS:
            recipe = display.many(layers, "hidden layer")
            mine = rows[(rows["variant"] == name) & (rows["recipe"] == recipe)]
            if mine.empty:
                continue
            done = tables.ok(mine)
            body.append(
                (
                    Entry(f"{words}, {recipe}"),
                    mean(mine, "accuracy", most=1),
                    mean(mine, "fresh_accuracy", most=1),
                    value(number, done["off_affine"].max()),
                    value(_degree, done["degree"].max()),
                    _bend(done["bend"]),
                )
            )
    seeds = rows["seed"].nunique()
    note = f"spirals of four classes, {seeds} seeds"
    places = origin(store, rows, "activations")
    return table("Depth with and without an activation", note, heads, body, places)


def _bend(found: pd.Series) -> Entry:
    """The largest bend; what was measured without one has left the finite numbers."""
    if len(found) and found.isna().all():
        return Entry("overflows")
    return value(number, found.max())


def _degree(found: Any) -> str:
    return f"above {HIGHEST}" if int(found) > HIGHEST else str(int(found))


def calibration(store: Store) -> str:
    """Accuracy beside confidence for each head and number of epochs."""
    rows = rows_of(store, "calibration")
    heads = (
        Head("Head and epochs", number=False),
        Head("Accuracy", "%, mean [95 %]"),
        Head("Confidence", "%, mean [95 %]"),
        Head("Calibration error", "points, mean [95 %]"),
        Head("Temperature", "mean [95 %]"),
        Head("Error with it", "points, mean [95 %]"),
        Head("Seeds"),
    )
    columns = ("accuracy", "confidence", "ece", "temperature", "ece_cooled")
    body = []
    for head in HEADS:
        for epochs in EPOCHS:
            recipe = f"{epochs} epochs"
            mine = rows[(rows["variant"] == head) & (rows["recipe"] == recipe)]
            if len(mine):
                entries = [mean(mine, column, display.hundredth) for column in columns]
                done = len(tables.ok(mine))
                body.append((Entry(f"{head}, {recipe}"), *entries, runs(done, len(mine) - done)))
    note = f"LeNet on {TRAINED_ON:,} images of Fashion-MNIST, 10,000 test images"
    places = origin(store, rows, "calibration")
    return table("Confidence and accuracy over training", note, heads, body, places)
