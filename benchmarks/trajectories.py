"""Trajectories: the paths of optimisers through a ravine and past a saddle, exactly.

There is no noise in it: the surfaces are functions of two variables, and a path follows from the
rule, the rate and the start. The arithmetic is float64, the optimisers are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.provenance import versions

STEPS, LIMIT = 100, 1000
"""Steps of a path that is kept, and steps after which an aim is given up."""

RATES = {
    "ravine": {
        "sgd": (0.01, 0.025, 0.038, 0.042),
        "momentum": (0.01, 0.025, 0.038, 0.042),
        "nesterov": (0.01, 0.025, 0.038, 0.042),
        "adam": (0.03, 0.1, 0.3),
    },
    "saddle": {"sgd": (0.1,), "momentum": (0.1,), "nesterov": (0.1,), "adam": (0.1,)},
}
"""In the ravine, where L = 50: below 1/L, above it, just below 2/L, and above that."""

STARTS = {"ravine": (-5.0, 1.0), "near": (1.0, 1e-6), "ridge": (1.0, 0.0)}
"""Where paths begin; on the ridge the gradient leads to the saddle and nowhere else."""

AIMS = {
    "ravine": "loss below a millionth of the start's",
    "saddle": "half of the way from the saddle to a minimum",
}


class TrajectoriesBenchmark(Benchmark):
    """Where a rule goes on a surface, and how soon it is there."""

    name = "trajectories"
    title = "Paths of optimisers through a ravine and past a saddle"
    plugs = False
    default_seconds = 0.2
    code = (
        "benchmarks/notes/rules.py",
        "benchmarks/notes/surfaces.py",
        "benchmarks/trajectories.py",
    )
    columns = (
        Column("steps", "integer", "", f"steps to the aim; empty if more than {LIMIT}"),
        Column("swings", "integer", "", f"steps of the first {STEPS} on which y changes its sign"),
        Column("loss", "number", "", f"value of the surface after {STEPS} steps"),
        Column("path", "string", "", f"the first {STEPS} points after the start: x y;..."),
        Column("aim", "string", "", "what counts as being there"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        if want.suite not in ("quick", "cpu") or want.modules is not None or want.backbones:
            return
        for surface, rules in RATES.items():
            for start in ("ravine",) if surface == "ravine" else ("near", "ridge"):
                for rule, rates in rules.items():
                    for lr in rates:
                        yield Cell(
                            self.name, surface, variant=rule, data=start, recipe=f"lr={lr:g}"
                        )

    def configuration(self, cell: Cell) -> Any:
        """The library whose optimisers these are."""
        return versions("torch")

    def measure(self, cell: Cell) -> dict[str, Any]:
        import torch

        from benchmarks.notes import surfaces

        torch.set_num_threads(1)
        surface, lr = cell.backbone, float(cell.recipe.removeprefix("lr="))
        start = STARTS[cell.data]
        enough = 1e-6 * surfaces.height(surface, start)
        first: list[tuple[float, float]] = []
        steps = None
        walk = surfaces.walk(surface, cell.variant, lr, start)
        for number, place in enumerate(islice(walk, LIMIT + 1)):
            if number <= STEPS:
                first.append(place)
            if surface == "ravine":
                there = surfaces.height(surface, place) < enough
            else:
                there = abs(place[1]) > 0.5
            if there and steps is None:
                steps = number
            if number >= STEPS and steps is not None:
                break
        return {
            "steps": steps,
            "swings": surfaces.swings(y for _, y in first),
            "loss": surfaces.height(surface, first[-1]),
            "path": ";".join(f"{x:.4g} {y:.4g}" for x, y in first),
            "aim": AIMS[surface],
        }
