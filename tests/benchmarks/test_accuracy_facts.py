"""What is said of the second backbone, and how many families of verdicts there are."""

from dataclasses import replace

import pandas as pd
import pytest
import trial

from benchmarks import ablated, pairing
from benchmarks.accuracy import PLANS, SUITE, Accuracy
from benchmarks.cells import Selection
from benchmarks.nets import MOBILE
from benchmarks.site import accuracy_facts, facts, readme
from benchmarks.store import Store

PLANNED = [c for c in Accuracy().cells(Selection(SUITE)) if c.backbone == MOBILE]


@pytest.fixture
def store(tmp_path):
    """The main table of `trial`, which has one backbone."""
    made = Store(tmp_path)
    trial.accuracy(made)
    return made


def train(store, seeds, **change):
    """Runs of the second backbone: SE is a point above none, the others are as none."""
    for cell in PLANNED:
        if cell.seed < seeds:
            top1 = 90 + cell.seed / 4 + (cell.module == "se") + 0.01 * (-1) ** cell.seed
            trial.append(store, replace(cell, **change), trial.outcome(top1))


def test_the_second_backbone_is_that_of_the_plan():
    (runs,) = (runs for runs in PLANS[SUITE] if MOBILE in runs.backbones)
    rows = pd.DataFrame([vars(cell) for cell in PLANNED])
    assert pairing.among(rows) == [ablated.planned(runs)]


def test_a_store_without_it_says_nothing_of_it(store):
    assert accuracy_facts.second(store) == ""
    assert facts.facts(store)["accuracy.second"] == "Accuracy is not measured."
    assert MOBILE not in readme.table(store)


def test_whole_it_is_said_with_its_verdicts_and_in_part_as_a_preview(store, tmp_path):
    train(store, 10)
    said = accuracy_facts.second(store)
    assert said == (
        "Of 8 modules, 1 is higher, 7 show no measurable difference. Higher: se. "
        "Intervals reach 0.00 points either way."
    )
    assert f"- **In {MOBILE}.** {said} ([Its table]" in readme.table(store)
    part = Store(tmp_path / "part")
    train(part, 7)
    assert accuracy_facts.second(part).startswith("Preview, not a result: 7 of 10 planned seeds")


def test_another_recipe_of_it_is_not_that_of_the_plan(store):
    train(store, 10, recipe="short")
    assert accuracy_facts.second(store) == ""


def test_every_family_and_each_of_its_lines_is_counted(store):
    """The second backbone's has eight lines."""
    before = facts._families(store)
    train(store, 10)
    after = facts._families(store)
    assert int(after["rule.families"]) == int(before["rule.families"]) + 1
    assert int(after["rule.lines"]) == int(before["rule.lines"]) + 8
