"""Softmax: what the function does to logits, exactly, with nothing trained.

Each row is one number over random logits; the seed draws them. The arithmetic is float64, except
where overflow is the question.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.provenance import versions

SEEDS = 5

WHAT = {
    "shift": "largest change when one number is added to all logits",
    "overflow as written": "share of outputs with a value that is no number, float32",
    "overflow less the maximum": "the same when the largest logit is subtracted first",
    "first overflow": "smallest whole number whose exponential is infinite in float32",
    "expansion, 1-norm": "largest distance of outputs over that of logits",
    "expansion, 2-norm": "largest distance of outputs over that of logits",
    "expansion, maximum norm": "largest distance of outputs over that of logits",
    "difference": "largest |p_i - p_j| over |z_i - z_j|",
    "ratio": "largest relative error of p_i / p_j = exp(z_i - z_j)",
    "small gap": "probability of the second of the logits 0.1 and 0.2",
    "large gap": "probability of the second of the logits 1 and 9",
    "gradient": "largest distance of the gradient of cross-entropy from p - y",
    "two classes": "largest distance of two classes' softmax from a sigmoid",
    "second of softmax": "largest probability of a class that is not the first",
    "second of sigmoids": "largest value of a class that is not the first, each with a sigmoid",
    "temperature, winner": "share of outputs whose first class changes with the temperature",
    "temperature, entropy": "share of outputs that are sharper at a higher temperature",
}
CERTAIN = ("first overflow", "small gap", "large gap")
"""Properties in which chance has no part."""


class SoftmaxBenchmark(Benchmark):
    """One number about the function softmax."""

    name = "softmax"
    title = "Properties of softmax"
    code = ("benchmarks/notes/softmax.py", "benchmarks/softmax.py")
    plugs = False
    default_seconds = 0.1
    columns = (
        Column("value", "number", "", "the number that `what` describes; it has no unit"),
        Column("what", "string", "", "what the number is"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        if want.suite not in ("quick", "cpu") or want.modules is not None or want.backbones:
            return
        for name in WHAT:
            for seed in (None,) if name in CERTAIN else range(SEEDS):
                yield Cell(self.name, "", recipe=name, seed=seed)

    def configuration(self, cell: Cell) -> Any:
        """The library that draws and calculates."""
        return versions("torch")

    def measure(self, cell: Cell) -> dict[str, Any]:
        import torch

        from benchmarks.notes import softmax

        measures = {
            "shift": softmax.shift,
            "overflow as written": partial(softmax.not_finite, softmax.as_written),
            "overflow less the maximum": partial(softmax.not_finite, softmax.less_the_maximum),
            "first overflow": softmax.first_overflow,
            "expansion, 1-norm": partial(softmax.expansion, 1),
            "expansion, 2-norm": partial(softmax.expansion, 2),
            "expansion, maximum norm": partial(softmax.expansion, float("inf")),
            "difference": softmax.difference,
            "ratio": softmax.ratio,
            "small gap": partial(softmax.of_two, 0.1, 0.2),
            "large gap": partial(softmax.of_two, 1.0, 9.0),
            "gradient": softmax.gradient,
            "two classes": softmax.two_classes,
            "second of softmax": partial(softmax.second_largest, partial(torch.softmax, dim=1)),
            "second of sigmoids": partial(softmax.second_largest, torch.sigmoid),
            "temperature, winner": softmax.reordered,
            "temperature, entropy": softmax.sharper,
        }
        torch.set_num_threads(1)
        torch.manual_seed(cell.seed or 0)
        return {"value": measures[cell.recipe](), "what": WHAT[cell.recipe]}
