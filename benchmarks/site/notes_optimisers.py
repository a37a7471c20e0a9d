"""Five optimisers with the same rates: the best of each, how many are as good, how soon."""

from __future__ import annotations

from itertools import product
from typing import Any

import pandas as pd

from benchmarks import display, tables
from benchmarks import optimisers as bench
from benchmarks.notes import grids
from benchmarks.site.charts import EVEN_PADDING, LONG_NAMES, Figure, axis, lines, nominal
from benchmarks.site.html import Entry, Head, of_interval, table
from benchmarks.site.notes_trajectories import RULES, rate
from benchmarks.site.origin import origin
from benchmarks.site.paired import change, mean, percent, rows_of, three
from benchmarks.stats import student_interval
from benchmarks.store import Store

DASHES = [[1, 0], [1, 0], [1, 0], [1, 0], [4, 3]]
"""The lines of the rules: AdamW's may lie on Adam's."""


def optimisers(store: Store) -> str:
    """Each rule at the best of its rates, and how many rates are nearly as good."""
    rows = rows_of(store, "optimisers")
    heads = (
        Head("Rule", number=False),
        Head("Best rate", "by held-out images"),
        Head("Test accuracy there", "%, mean [95 %]"),
        Head("Against Adam", "points, paired by seed [95 %]"),
        Head("Rates that are good", f"of {len(bench.RATES)}, mean [95 %]"),
        Head("Loss, first epoch", "training, mean [95 %]"),
        Head("Loss, last epoch", "training, mean [95 %]"),
        Head("Runs without a value"),
    )
    adam = at_best(rows, "adam")
    body = []
    for rule, words in RULES.items():
        mine = at_best(rows, rule)
        if mine.empty:
            continue
        every = rows[rows["variant"] == rule]
        lost = len(tables.failed(every))
        by = Entry(display.REFERENCE) if rule == "adam" else change(mine, adam, "test")
        body.append(
            (
                Entry(words),
                Entry(rate(mine["recipe"].iloc[0]), float(rate(mine["recipe"].iloc[0]))),
                percent(mine, "test"),
                by,
                _good(tables.ok(every)),
                mean(mine, "first_loss"),
                mean(mine, "last_loss"),
                Entry(f"{lost} of {len(every)}", lost),
            )
        )
    note = f"{rows['seed'].nunique()} seeds; good is within {bench.WITHIN:g} points of the best"
    return table(
        "Five rules with the same rates", note, heads, body, origin(store, rows, "optimisers")
    )


def at_best(rows: pd.DataFrame, rule: str) -> pd.DataFrame:
    """The rows of a rule at the rate that the held-out images choose."""
    mine = tables.ok(rows[rows["variant"] == rule])
    return mine if mine.empty else mine[mine["recipe"] == grids.best(mine, "held")]


def _good(rows: pd.DataFrame) -> Entry:
    """How many rates are nearly as good as the best, seed by seed."""
    found = grids.near_by_seed(rows, "held", bench.WITHIN)
    return of_interval(display.tenth, student_interval(found))


def rates(store: Store) -> str:
    """Held-out accuracy of every rule at every rate."""
    rows = rows_of(store, "optimisers")
    found = [rule for rule in RULES if (rows["variant"] == rule).any()]
    heads = (Head("Rate"), *(Head(RULES[rule]) for rule in found))
    body = []
    for lr in bench.RATES:
        here = rows[rows["recipe"] == bench.recipe(lr)]
        if len(here):
            entries = [percent(here[here["variant"] == rule], "held") for rule in found]
            body.append((Entry(f"{lr:g}", lr), *entries))
    note = f"held-out accuracy in %, mean over {rows['seed'].nunique()} seeds [95 %]"
    return table("All rates", note, heads, body, origin(store, rows, "optimisers"))


def figures(store: Store) -> list[Figure]:
    """Accuracy by rate, and losses over training."""
    return [by_rate(store), losses(store)]


def by_rate(store: Store) -> Figure:
    """Held-out accuracy by rate, a line a rule."""
    rows = tables.ok(rows_of(store, "optimisers"))
    values = []
    for rule, lr in product(RULES, bench.RATES):
        mine = rows[(rows["variant"] == rule) & (rows["recipe"] == bench.recipe(lr))]["held"]
        if len(mine):
            values.append({"rule": RULES[rule], "rate": lr, "held": display.clean(mine.mean())})
    ticks = {"values": [0.0001, 0.001, 0.01, 0.1, 1], "format": "~g"}
    encoding = {
        "x": axis("rate", "rate", scale={"type": "log"}, axis=ticks),
        "y": axis("held", "held-out accuracy, %, mean over the seeds"),
        "color": nominal("rule", RULES.values(), legend=LONG_NAMES),
    }
    layers = _lines(encoding)
    caption = (
        "Held-out accuracy of each rule at each rate, after the same number of steps. A rate "
        "at which a seed left the finite numbers shows the mean of the others, if there are any."
    )
    alt = "; ".join(
        f"{v['rule']}, rate {v['rate']:g}: {display.percent(v['held'])} %" for v in values
    )
    size = {"width": 470, "height": 280, "padding": EVEN_PADDING}
    return Figure("optimisers-rates", caption, alt, values, layers, size)


def _lines(encoding: dict[str, Any]) -> list[dict[str, Any]]:
    """Lines with points; dashes let a rule be seen on which another lies."""
    dashes = {"field": "rule", "type": "nominal", "sort": list(RULES.values()), "legend": None}
    scale = {"domain": list(RULES.values()), "range": DASHES}
    line, points = lines(encoding)
    line["encoding"] = {**encoding, "strokeDash": {**dashes, "scale": scale}}
    return [line, points]


def losses(store: Store) -> Figure:
    """Training loss by epoch, each rule at its best rate."""
    rows = rows_of(store, "optimisers")
    values = []
    for rule, words in RULES.items():
        mine = at_best(rows, rule)
        if len(mine):
            series = pd.DataFrame([text.split() for text in mine["losses"]]).astype(float).mean()
            values += [
                {"rule": words, "epoch": epoch, "loss": display.clean(loss)}
                for epoch, loss in enumerate(series, 1)
            ]
    scale = {"type": "log", "nice": False}
    encoding = {
        "x": axis("epoch", "epoch", "ordinal", axis={"labelAngle": 0}),
        "y": axis("loss", "training loss, mean over the seeds", scale=scale),
        "color": nominal("rule", RULES.values(), legend=LONG_NAMES),
    }
    layers = _lines(encoding)
    caption = (
        "Training loss during each epoch, each rule at the rate that the held-out images choose "
        "for it."
    )
    alt = "; ".join(f"{v['rule']}, epoch {v['epoch']}: {three(v['loss'])}" for v in values)
    size = {"width": 470, "height": 260, "padding": EVEN_PADDING}
    return Figure("optimisers-speed", caption, alt, values, layers, size)
