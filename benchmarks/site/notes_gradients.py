"""Gradients by layer beside accuracy: which networks vanish, explode, degrade, or do none of it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks import display, stats
from benchmarks import gradients as bench
from benchmarks.site.charts import (
    EVEN_PADDING,
    LONG_NAMES,
    Figure,
    axis,
    dashed,
    lines,
    nominal,
    panels,
)
from benchmarks.site.html import Entry, Head, absent, table, value
from benchmarks.site.notes_trained import ACTIVATIONS
from benchmarks.site.origin import origin
from benchmarks.site.paired import change, differences, percent, power_of_ten, rows_of
from benchmarks.store import Store

INITS = {"default": "PyTorch default", "xavier": "Xavier", "he": "He"}
LINKS = {"plain": "plain", "batchnorm": "BatchNorm", "residual": "residual"}

TOLD_APART = (
    "logistic default plain",
    "logistic default batchnorm",
    "relu default plain",
    "tanh xavier plain",
    "relu he plain",
    "relu he batchnorm",
    "relu he residual",
)
"""Networks that show every case."""

FAR = 2.0
"""Powers of ten by which a gradient must shrink or grow to be called vanishing or exploding."""


def network(variant: str) -> str:
    """A combination as people read it: ``ReLU, He, residual``."""
    activation, init, link = variant.split()
    return f"{ACTIVATIONS[activation]}, {INITS[init]}, {LINKS[link]}"


def of(rows: pd.DataFrame, variant: str, depth: int) -> pd.DataFrame:
    """The rows of one network of one depth."""
    return rows[(rows["variant"] == variant) & (rows["recipe"] == f"{depth} layers")]


def small(found: Any) -> str:
    """Two digits, also of what is nearly nothing."""
    if not found:
        return "0"
    return display.signed(f"{float(found):.1e}") if found < 1e-3 else f"{found:.2g}"


def reading(ratio: float, changes: list[float]) -> str:
    """What a deep network shows: the gradient first, then whether depth cost accuracy."""
    if ratio < -FAR:
        return "vanishing"
    if ratio > FAR:
        return "exploding"
    if len(changes) < 2:
        return display.MISSING
    return "degradation" if stats.student_interval(changes).high < 0 else "none of them"


def told_apart(store: Store) -> str:
    """Some networks: gradient and training accuracy at two depths, and what they show."""
    rows = rows_of(store, "gradients")
    few, many = bench.DEPTHS[1:]
    heads = (
        Head("Network", number=False),
        Head(f"Gradient, {many} layers", "first over last, power of ten"),
        Head(f"Training accuracy, {few} layers", "%, mean [95 %]"),
        Head(f"Training accuracy, {many} layers", "%, mean [95 %]"),
        Head("Change", "points, paired by seed [95 %]"),
        Head("Shows", number=False),
    )
    body = []
    for variant in TOLD_APART:
        shallow, deep = of(rows, variant, few), of(rows, variant, many)
        if deep.empty:
            continue
        ratio = float(deep["error_ratio"].mean())
        body.append(
            (
                Entry(network(variant)),
                value(power_of_ten, ratio),
                percent(shallow, "train"),
                percent(deep, "train"),
                change(deep, shallow, "train"),
                Entry(reading(ratio, differences(deep, shallow, "train"))),
            )
        )
    note = f"{rows['seed'].nunique()} seeds; the gradient is that before training"
    places = origin(store, rows, "gradients")
    return table("Vanishing, exploding, degradation", note, heads, body, places)


def everything(store: Store) -> str:
    """One table a link: all activations, initial values and depths."""
    rows = rows_of(store, "gradients")
    found = [(link, rows[rows["variant"].str.endswith(f" {link}")]) for link in LINKS]
    made = [_link(store, link, mine) for link, mine in found if len(mine)]
    return "\n".join(made) if made else absent("Gradients and accuracies")


def _link(store: Store, link: str, rows: pd.DataFrame) -> str:
    heads = (
        Head("Network", number=False),
        Head("Gradient of the state", "first over last, power of ten"),
        Head("Gradient of the weights", "first over last, power of ten"),
        Head("Rate"),
        Head("Training accuracy", "%, mean [95 %]"),
        Head("Test accuracy", "%, mean [95 %]"),
        Head("First hidden layer moved", "share of its norm"),
        Head("Last hidden layer moved", "share of its norm"),
    )
    body = []
    for variant in rows["variant"].unique():
        for depth in bench.DEPTHS:
            mine = of(rows, variant, depth)
            if len(mine):
                words = f"{network(variant).rpartition(', ')[0]}, {depth} layers"
                body.append((Entry(words), *_columns(mine)))
    note = f"{rows['seed'].nunique()} seeds"
    title = f"Gradients and accuracies, {LINKS[link]}"
    return table(title, note, heads, body, origin(store, rows, "gradients"))


def _columns(rows: pd.DataFrame) -> tuple[Entry, ...]:
    return (
        value(power_of_ten, rows["error_ratio"].mean()),
        value(power_of_ten, rows["weight_ratio"].mean()),
        value(lambda lr: f"{lr:g}", rows["lr"].max()),
        percent(rows, "train"),
        percent(rows, "test"),
        value(small, rows["moved_first"].mean()),
        value(small, rows["moved_last"].mean()),
    )


def figures(store: Store) -> list[Figure]:
    """The map of all networks, and the gradient of six by layer."""
    return [cases(store), layers(store)]


def cases(store: Store) -> Figure:
    """Training accuracy against what the gradient does, a panel a depth."""
    rows = rows_of(store, "gradients")
    values = []
    for depth in bench.DEPTHS:
        for variant in rows["variant"].unique():
            mine = of(rows, variant, depth)
            if mine["train"].notna().any():
                activation, _, link = variant.split()
                numbers = {
                    "ratio": display.clean(mine["error_ratio"].mean()),
                    "train": display.clean(mine["train"].mean()),
                }
                words = {"activation": ACTIVATIONS[activation], "link": LINKS[link]}
                panel = {"panel": f"{depth} hidden layers", "network": network(variant)}
                values.append({**panel, **words, **numbers})
    names = [ACTIVATIONS[name] for name in bench.ACTIVATIONS]
    x = axis(
        "ratio",
        "gradient, power of ten",
        scale={"type": "symlog", "constant": 1, "domain": [-50, 6], "nice": False},
        axis={"values": [-40, -10, -3, -1, 0, 1, 3], "labelOverlap": True},
    )
    point = {
        "x": x,
        "y": axis("train", "training accuracy, %", scale={"domain": [0, 100]}),
        "color": nominal("link", LINKS.values(), legend=LONG_NAMES),
        "shape": nominal("activation", names, "shape", LONG_NAMES),
    }
    layers_ = [
        *(dashed("x", datum=edge) for edge in (-FAR, FAR)),
        {
            "mark": {"type": "point", "size": 60, "strokeWidth": 2, "opacity": 0.9},
            "encoding": point,
        },
    ]
    titles = [f"{depth} hidden layers" for depth in bench.DEPTHS]
    size = panels("panel", 3, 180, 240, titles, padding=EVEN_PADDING)
    caption = (
        "Every network: what the gradient does on its way back before training, and the training "
        "accuracy after it, means over the seeds. Left of the first dashed line gradients vanish, "
        "right of the second they explode. In the panel of forty layers, a point between the lines "
        "and far below its network's point at ten is degradation: depth costs accuracy although "
        "the gradient changes by less than a factor of a hundred. Runs that left the finite "
        "numbers are not drawn."
    )
    alt = "; ".join(
        f"{v['network']}, {v['panel']}: {power_of_ten(v['ratio'])}, {display.percent(v['train'])} %"
        for v in values
    )
    return Figure("gradients", caption, alt, values, layers_, size)


def layers(store: Store) -> Figure:
    """The gradient of six deep networks by layer, over that after the last layer."""
    rows = rows_of(store, "gradients")
    depth = bench.DEPTHS[-1]
    values: list[dict[str, Any]] = []
    said = []
    for variant in TOLD_APART:
        mine = of(rows, variant, depth)
        if mine.empty:
            continue
        series = pd.DataFrame([text.split() for text in mine["errors"]]).astype(float)
        means = (series.sub(series[depth], axis=0)).mean()
        said.append(f"{network(variant)}: {power_of_ten(means[0])} before the first hidden layer")
        for layer in range(0, depth + 1, 2):
            ratio = display.clean(means[layer])
            values.append({"network": network(variant), "layer": layer, "ratio": ratio})
    names = [network(variant) for variant in TOLD_APART]
    encoding = {
        "x": axis("layer", "after hidden layer"),
        "y": axis("ratio", "gradient over that after the last, power of ten"),
        "color": nominal("network", names, legend={**LONG_NAMES, "columns": 2}),
    }
    layers_ = lines(encoding)
    caption = (
        f"The gradient of the loss on its way back through {depth} hidden layers, before training, "
        "from right to left; mean over the seeds. A straight line is a constant "
        "factor a layer."
    )
    size = {"width": 470, "height": 280, "padding": EVEN_PADDING}
    return Figure("gradients-layers", caption, "; ".join(said), values, layers_, size)
