"""What the suite has planned and what is there, of runs that are trained on a processor."""

from dataclasses import replace

import trial
from rendered import row_of

from benchmarks.accuracy import Accuracy
from benchmarks.cells import MODULES, Selection
from benchmarks.site import complete
from benchmarks.store import Store
from benchmarks.widths import BACKBONE, WIDTHS


def test_everything_that_is_planned_is_counted_once():
    planned = complete.planned("accuracy")
    assert list(planned)[:2] == [BACKBONE, f"the first at {len(WIDTHS)} other widths"]
    assert len(planned[BACKBONE]) == 10 * len(MODULES)
    assert sum(map(len, planned.values())) == len(list(Accuracy().cells(Selection("cpu"))))


def test_runs_that_are_there_are_counted_whatever_became_of_them(tmp_path):
    store = Store(tmp_path)
    none, se, *_ = Accuracy().cells(Selection("cpu"))
    trial.append(store, none, trial.outcome(90.0))
    trial.append(store, se, None, status="diverged", reason="the loss is nan")
    trial.append(store, se, trial.outcome(90.0), machine="elsewhere")  # the same run
    trial.append(store, replace(none, recipe="retired"), trial.outcome(90.0))
    line = row_of(complete.complete(store), "Accuracy")
    assert f"<td>{BACKBONE}</td>" in line
    assert ">2<" in line and f">{10 * len(MODULES)}<" in line
