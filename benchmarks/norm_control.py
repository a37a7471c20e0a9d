"""Does the slow norm of CBAM's spatial gate hold it back on the mechanism tasks?

A network is tested with the running mean and variance of its norms. That of CBAM's spatial gate
moves by a hundredth a step, as in the official code, and the tasks are trained for few steps. So a
CBAM whose norm moves by a tenth is trained on the same scenes, with the same seeds. It was planned
when the result of the tasks was known.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from benchmarks import pairing, tables
from benchmarks.accuracy import beside
from benchmarks.cells import Cell, Selection
from benchmarks.mechanism import RECIPE, TASKS, Mechanism
from benchmarks.store import Store

QUICK = ("benchmarks.quick_norm:QuickNormCBAM", "")
ARM = tables.arm(*QUICK)
NAME = "cbam, quick norm"
"""The arm as people read it."""


class NormControl(Mechanism):
    """Train CBAM with a quick norm on every task."""

    name = "norm_control"
    title = "CBAM with a quick norm in its spatial gate, on the mechanism tasks"

    def cells(self, want: Selection) -> Iterator[Cell]:
        """Seed by seed all tasks; none for who asks for modules."""
        found = beside(super().cells, want, ((QUICK,),))
        return (cell for cell in found if cell.recipe == RECIPE)


def rows(store: Store) -> dict[str, pd.DataFrame]:
    """The rows of CBAM as published and with a quick norm, one an arm and seed, by task."""
    found = pairing.beside(store, "mechanism", "norm_control", {"cbam", ARM}, {ARM})
    found = found[found["recipe"] == RECIPE]
    by_task = {task: found[found["data"] == task] for task in TASKS}
    return {
        task: pairing.one_a_seed(store, pairing.current(mine, "cbam"), task)
        for task, mine in by_task.items()
    }
