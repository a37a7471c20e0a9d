"""Recipes are chosen on held-out training images, one change a step, for the bare backbone."""

from dataclasses import asdict

import numpy as np
import pytest
from test_data import idx

from benchmarks import data, ladder
from benchmarks.accuracy import PLANS, run_seed
from benchmarks.cells import Selection
from benchmarks.ladder import Ladder
from benchmarks.recipes import LADDER, RECIPES
from benchmarks.site import ladder as site
from benchmarks.store import Store, row

CELLS = list(Ladder().cells(Selection("cpu")))


def test_no_step_sees_the_test_set_or_a_module():
    assert {cell.data for cell in CELLS} == {"fashion-mnist-validation"}
    assert {cell.module for cell in CELLS} == {"none"}
    assert not list(Ladder().cells(Selection("quick")))
    assert not list(Ladder().cells(Selection("cpu", modules=(("se", ""),))))


def test_the_validation_images_are_training_images(monkeypatch):
    """Of 12,000 small images to train on, 10,000 are held out; the test set is left alone."""
    rng = np.random.default_rng(0)
    files = {
        "train-images-idx3-ubyte": rng.integers(255, size=(12_000, 2, 2)),
        "train-labels-idx1-ubyte": rng.integers(10, size=12_000),
        "t10k-images-idx3-ubyte": np.full((3, 2, 2), 255),
        "t10k-labels-idx1-ubyte": np.zeros(3),
    }
    monkeypatch.setattr(data, "fashion_mnist_file", lambda name: idx(files[name]))
    whole, split = data.load("fashion-mnist"), data.load("fashion-mnist-validation")
    assert (len(split.train_y), len(split.test_y)) == (2_000, 10_000)
    both = [*split.train_x.flatten(1).tolist(), *split.test_x.flatten(1).tolist()]
    assert sorted(both) == sorted(whole.train_x.flatten(1).tolist())


def test_a_step_changes_one_thing():
    changes = []
    for before, after in zip(LADDER[:-1], LADDER[1:], strict=True):
        old, new = asdict(before.recipe), asdict(after.recipe)
        changed = {name for name in new if new[name] != old[name]} - {"name"}
        changed |= {w for w in ("layout", "precision") if getattr(before, w) != getattr(after, w)}
        changes.append(changed)
    assert all(changes)
    assert sorted(map(len, changes)) == [1] * (len(changes) - 2) + [2, 2]  # noqa: RUF005
    assert {frozenset(c) for c in changes if len(c) == 2} == {
        frozenset({"decay", "lr"}),
        frozenset({"crop", "flip"}),
    }
    assert all(RECIPES[step.recipe.name] == step.recipe for step in LADDER)


def test_the_last_step_is_how_the_main_table_is_trained():
    main, last = PLANS["cpu"][0], LADDER[-1]
    trained = (last.recipe.name, last.precision, last.layout)
    assert trained == (main.recipe, main.precision, main.layout)
    assert {cell.backbone for cell in CELLS} == set(main.backbones)


@pytest.mark.parametrize("number", [0, 7])
def test_a_step_is_trained_as_its_cell_says(number, told, one_thread):
    step, name = LADDER[number], f"ladder-{number}"
    (cell,) = [c for c in CELLS if c.recipe == name and c.seed == 1]
    values = Ladder().measure(cell)
    assert told == {
        "recipe": step.recipe,
        "images": ladder.DATA,
        "seed": run_seed(cell),
        "device": "cpu",
        "precision": step.precision,
        "layout": step.layout,
    }
    assert set(values) == {column.name for column in Ladder.columns}
    assert (values["step"], values["epochs"]) == (step.what, step.recipe.epochs)


def test_a_gain_is_the_difference_of_two_means(tmp_path):
    store = Store(tmp_path / "results")
    assert "not measured" in site.ladder(store)
    planted = {"ladder-0": (80.0, 82.0), "ladder-1": (83.0, 84.0)}
    for cell in CELLS:
        if cell.recipe in planted and cell.seed < 2:
            values = {"top1": planted[cell.recipe][cell.seed], "epochs": 14}
            store.append("ladder", row(cell, values, "f" * 12, seconds=100.0))
            older = {"fingerprint": "e" * 12, "measured_at": "2020-01-01T00:00:00Z"}
            old = row(cell, {**values, "top1": 10.0}, "", seconds=100.0)
            store.append("ladder", {**old, **older, "key": f"{old['key']}-old"})
    assert site.facts(store)["ladder.shown"] == "not measured"
    text = site.ladder(store)
    assert "81.00" in text and "83.50" in text and "+2.50" in text
    assert "[−4.42, +9.42]" in text  # Welch's, of 1.47 degrees of freedom
    assert text.count("<tr>") == 1 + len(ladder.LADDER)


def test_the_sentence_names_the_steps_that_can_be_told_apart(tmp_path):
    """The second step is 2 points above the first, the others equal to it, over seeds 0.1 apart."""
    store = Store(tmp_path / "results")
    for cell in CELLS:
        top1 = 80 + cell.seed / 10 + (2 if cell.recipe != "ladder-0" else 0)
        store.append("ladder", row(cell, {"top1": top1, "epochs": 12}, "f" * 12, seconds=100.0))
    said = site.facts(store)["ladder.shown"]
    assert said == f"1 of 9 steps ({LADDER[1].what})"
