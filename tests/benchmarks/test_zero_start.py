"""Gates by the earlier recipe whose blocks start at zero: how far behind none, seed by seed."""

from dataclasses import replace

import pytest
import trial

from benchmarks.cells import MODULES
from benchmarks.controls import FACTORS
from benchmarks.recipes import RECIPES
from benchmarks.site import zero_start
from benchmarks.store import Store


def test_the_mean_of_the_gates_is_said_beside_that_of_the_others(tmp_path):
    """Three gates are a point behind none and one is level; of the others one is level."""
    assert RECIPES["short"].last_gain == 0
    store = Store(tmp_path)
    for seed in range(5):
        for module in MODULES:
            off = 1.0 if module in FACTORS and module != "se" else 0.0
            off = seed / 10 if module == "sk" else off
            cell = replace(trial.ACCURACY, recipe="short", module=module, seed=seed)
            trial.append(store, cell, trial.outcome(90 + seed / 10 - off))
    found = zero_start.facts(store)
    said = found["accuracy.zero_start"]
    assert found["accuracy.gates"] == "Not measured.", "it is of the main table alone"
    assert said == (
        "There the mean of se, eca, cbam and coord less none is −0.75 points (5 seeds: −0.75 to "
        "−0.75), that of sk, pam, cam and danet −0.05 points (5 seeds: −0.10 to 0.00). It is no "
        "verdict: the net was `resnet10_small`, trained for 5 epochs."
    )


@pytest.mark.parametrize(
    "other",
    [
        replace(trial.MAIN, benchmark="accuracy"),
        replace(trial.ACCURACY, recipe="half"),
        replace(trial.ACCURACY, recipe="short", backbone="mobilenetv2_small"),
    ],
    ids=["a recipe of today", "a start above zero", "a net that starts at one"],
)
def test_of_no_other_start_anything_is_said(tmp_path, monkeypatch, other):
    monkeypatch.setitem(RECIPES, "half", replace(RECIPES["short"], name="half", last_gain=0.5))
    store = Store(tmp_path)
    assert set(zero_start.facts(store).values()) == {"Not measured."}
    for seed in range(6):
        for module in MODULES:
            trial.append(store, replace(other, module=module, seed=seed), trial.outcome(90))
    assert zero_start.facts(store)["accuracy.zero_start"] == "Not measured."


def test_gates_are_judged_together_where_all_seeds_of_enough_are_there(tmp_path):
    store = Store(tmp_path)
    for seed in range(6):
        assert zero_start.facts(store)["accuracy.gates"] == "Not measured."
        for module in MODULES:
            lower = {"se": 0.2, "eca": 0.4, "cbam": 0.6, "coord": 0.8, "sk": -0.4}.get(module, 0)
            cell = replace(trial.MAIN, benchmark="accuracy", module=module, seed=seed)
            trial.append(store, cell, trial.outcome(90 + seed / 10 - lower))
    assert zero_start.facts(store)["accuracy.gates"] == (
        "The mean of se, eca, cbam and coord less none: −0.50 [−0.50, −0.50]; that of sk, pam, cam "
        "and danet less none: +0.10 [+0.10, +0.10]; the first less the second: −0.60 [−0.60, "
        "−0.60] points, 95 % intervals of 6 paired seeds."
    )
    for module in MODULES[1:]:
        if module != "pam":
            cell = replace(trial.MAIN, benchmark="accuracy", module=module, seed=6)
            trial.append(store, cell, trial.outcome(90))
    bare = replace(trial.MAIN, benchmark="accuracy", module="none", seed=6)
    trial.append(store, bare, trial.outcome(90))
    assert "intervals of 6 to 7 paired seeds" in zero_start.facts(store)["accuracy.gates"]
