"""The `controls` on the tasks of `mechanism`: does the size of a gate alone hold it back?"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pandas as pd

from benchmarks import pairing
from benchmarks.accuracy import beside
from benchmarks.cells import Cell, Selection
from benchmarks.controls import ARMS, NAMES, TRAINED
from benchmarks.mechanism import RECIPE, Mechanism
from benchmarks.store import Store


class TaskControls(Mechanism):
    """Train the controls as the arms of the mechanism tasks, on scenes of the same seeds."""

    name = "task_controls"
    title = "Controls on the mechanism tasks: constants in place of gates, and rescaled gates"

    def cells(self, want: Selection) -> Iterator[Cell]:
        """A family first, in it seed by seed all tasks; none for who asks for modules."""
        found = beside(super().cells, want, TRAINED)
        return (cell for cell in found if cell.recipe == RECIPE)


def rows(store: Store, task: str, arms: Collection[str] = ARMS) -> pd.DataFrame:
    """Rows of the controls on a task and of what they are compared with, one an arm and seed.

    Or those of other ``arms`` of the task, controls among them.
    """
    found = pairing.beside(store, "mechanism", "task_controls", arms, NAMES)
    found = found[(found["data"] == task) & (found["recipe"] == RECIPE)]
    return pairing.one_a_seed(store, pairing.current(found), task)
