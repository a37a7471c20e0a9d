"""Charts of functions that the notes explain, drawn from formulas: they show no measurement."""

from __future__ import annotations

import math
from typing import Any

from benchmarks import display
from benchmarks.site.charts import EVEN_PADDING, Figure, axis, nominal, panels
from benchmarks.site.notes_trained import ACTIVATIONS

REACH, STEPS = 3, 60
"""The curves go from minus to plus ``REACH`` in so many steps."""

JUST_ABOVE = 1e-6
"""An input more, so that the slope of ReLU jumps."""

SHOWN = {
    "relu": (lambda z: max(0.0, z), lambda z: float(z > 0)),
    "tanh": (math.tanh, lambda z: 1 - math.tanh(z) ** 2),
    "logistic": (
        lambda z: 1 / (1 + math.exp(-z)),
        lambda z: math.exp(-z) / (1 + math.exp(-z)) ** 2,
    ),
    "square": (lambda z: z * z, lambda z: 2 * z),
}
"""Each activation and its derivative."""

LOGITS = {"a": 2.0, "b": 1.0, "c": 0.0, "d": -1.0}
TEMPERATURES = (0.5, 1.0, 2.0)


def figures() -> list[Figure]:
    """Every chart that needs no rows."""
    return [shapes(), temperatures()]


def shapes() -> Figure:
    """The activations and their slopes, a panel each, over the same inputs."""
    values: list[dict[str, Any]] = []
    names = [ACTIVATIONS[name] for name in SHOWN]
    panels_ = ("function", "slope")
    inputs = sorted([REACH * (2 * i / STEPS - 1) for i in range(STEPS + 1)] + [JUST_ABOVE])
    for name, pair in SHOWN.items():
        for panel, of in zip(panels_, pair, strict=True):
            points = [{"z": display.clean(z), "value": display.clean(of(z))} for z in inputs]
            values += [{"panel": panel, "activation": ACTIVATIONS[name], **p} for p in points]
    scale = {"domain": [-2, REACH], "clamp": False}
    layers = [
        {
            "mark": {"type": "line", "strokeWidth": 2, "clip": True},
            "encoding": {
                "x": axis("z", "input z", axis={"tickCount": 6}),
                "y": axis("value", None, scale=scale),
                "color": nominal("activation", names),
                "strokeDash": {**nominal("activation", names), "scale": {"domain": names}},
            },
        }
    ]
    size = panels("panel", 2, 230, 220, list(panels_), padding=EVEN_PADDING)
    caption = (
        "Activations and their slopes, from the formulas. The slopes of tanh and of the logistic "
        "function vanish to both sides, that of ReLU is zero or one."
    )
    alt = (
        "Far from zero tanh and the logistic function are flat. ReLU is flat below zero and grows "
        "above it, the square grows to both sides."
    )
    return Figure("activation-shapes", caption, alt, values, layers, size)


def temperatures() -> Figure:
    """Softmax of four logits at three temperatures."""
    values: list[dict[str, Any]] = []
    said = []
    for t in TEMPERATURES:
        powers = {name: math.exp(logit / t) for name, logit in LOGITS.items()}
        total = sum(powers.values())
        shares = {name: power / total for name, power in powers.items()}
        panel = f"T = {t:g}"
        for name, share in shares.items():
            label = f"{name} ({display.signed(f'{LOGITS[name]:g}')})"
            bar = {"class": label, "share": display.clean(share)}
            values.append({"panel": panel, **bar})
        said.append(f"{panel}: {', '.join(f'{share:.2f}' for share in shares.values())}")
    layers = [
        {
            "mark": {"type": "bar", "size": 26},
            "encoding": {
                "x": axis("class", "class (logit)", "nominal", axis={"labelAngle": 0}),
                "y": axis("share", "softmax", scale={"domain": [0, 1]}),
                "color": {"value": "@ink"},
                "opacity": {"value": 0.6},
            },
        }
    ]
    titles = [f"T = {t:g}" for t in TEMPERATURES]
    size = panels("panel", 3, 150, 170, titles, padding=EVEN_PADDING)
    caption = (
        "Softmax of the same four logits at three temperatures, from the formula. The order stays, "
        "the distances shrink as the temperature rises."
    )
    return Figure("softmax-temperature", caption, "; ".join(said), values, layers, size)
