"""The pages on AlexNet and on depth show what rows say: paired differences, verdicts, gaps."""

import pandas as pd
import pytest
import trial
from rendered import row_of

from benchmarks import alexnet, depth
from benchmarks.alexnet import FEW, LONG, Arm
from benchmarks.cells import Cell
from benchmarks.site import notes_alexnet, notes_depth, paired
from benchmarks.store import Store

ALEX = {"held_accuracy": 80.0, "params": 7, "gradient": -3.04, "lr": 0.03, "tried": "0.03: 80"}


def train(store, arm, accuracy, train_accuracy=90.0, reached=100):
    """Two seeds, a point apart."""
    for seed in range(2):
        values = {"accuracy": accuracy + seed, "train_accuracy": train_accuracy + seed}
        trial.append(store, arm.cell(seed), {**ALEX, **values, "reached": reached})


@pytest.fixture
def store(tmp_path):
    """Depth adds exactly 2 points to LeNet-5; dropout takes 3 from training and adds 1.5."""
    made = Store(tmp_path)
    train(made, alexnet.PATH[0], 80.0)
    train(made, alexnet.PATH[1], 82.0)
    train(made, Arm(5, "logistic"), 10.0, reached=None)
    train(made, Arm(5, "relu", "he", "max", images=FEW, steps=LONG), 70.0, 100.0)
    train(made, Arm(5, "relu", "he", "max", images=FEW, steps=LONG, dropout=True), 71.5, 97.0)
    trial.append(made, Arm(2, "logistic").cell(0), None, status="diverged", reason="too far")
    return made


def test_each_change_is_compared_with_the_line_above(store):
    text = notes_alexnet.path(store)
    assert ">80.50<" in row_of(text, "LeNet-5") and ">start<" in row_of(text, "LeNet-5")
    deeper = row_of(text, "and three more convolutions")
    assert ">82.50<" in deeper and ">+2.00<" in deeper and "[+2.00, +2.00]" in deeper
    assert row_of(text, "and ReLU").count("not measured") >= 2


def test_the_rates_of_the_search_are_those_that_rows_tried(store, tmp_path):
    other = alexnet.PATH[2].cell(0)
    trial.append(store, other, {**ALEX, "accuracy": 1.0, "tried": "0.001: 9; 0.03: 8; 1: 0.00"})
    found = notes_alexnet.facts(store)
    assert found == {"alexnet.rates": "0.001, 0.03, 1", "alexnet.tried": "1 to 3"}
    assert set(notes_alexnet.facts(Store(tmp_path / "none")).values()) == {"not measured"}


def test_a_network_that_never_learns_says_so(store):
    text = notes_alexnet.grid(store)
    dead = row_of(text, "logistic, Xavier, 5")
    assert ">never<" in dead and ">10.50<" in dead and ">\N{MINUS SIGN}3.0<" in dead
    assert ">100<" in row_of(text, "scaled tanh, Xavier, 2")
    assert ">diverged<" in row_of(text, "logistic, Xavier, 2")


def test_a_seed_that_never_gets_there_counts_as_the_slowest():
    shown = notes_alexnet._reached
    assert shown(pd.Series([90, 100, None], dtype="Int64")).text == "100"
    assert shown(pd.Series([90, None, None], dtype="Int64")).text == "never"
    assert "never: 2 of 3" in str(shown(pd.Series([90, None, None], dtype="Int64")))


def test_dropout_is_paired_on_test_and_training_images(store):
    row = row_of(notes_alexnet.data(store), "512, each seen 80 times")
    assert 'data-sort="512.0"' in row, "by the number of images, not by its digits"
    assert ">+1.50<" in row and ">\N{MINUS SIGN}3.00<" in row and ">100.50<" in row
    figure = notes_alexnet.dropout_figure(store)
    assert [(v["what"], v["mean"]) for v in figure.values] == [
        ("test images", 1.5),
        ("training images", -3.0),
    ]
    assert [v["mean"] for v in notes_alexnet.path_figure(store).values] == [80.5, 82.5]


def test_an_interval_is_students():
    """Of 0 and 2: the mean 1 and 12.706 standard errors of 1 on both sides."""
    ends = paired.ends([0.0, 2.0])
    assert ends["mean"] == 1 and ends["high"] == pytest.approx(13.706, abs=1e-3)
    assert paired.ends([5.0]) == {"mean": 5.0}


@pytest.fixture
def budgets(tmp_path):
    """Over ten seeds two layers are exactly 1 point above the reference, sixteen 4 below."""
    made = Store(tmp_path)
    more = {"held_accuracy": 80.0, "train_accuracy": 90.0, "gradient": 0.04, "params": 1000}
    more |= {"width": 128, "macs": 900, "lr": 0.1, "tried": ""}
    for seed in range(depth.SEEDS):
        for layers, recipe, off in (
            (1, "reference", 0),
            (2, "equal units", 1),
            (16, "equal units", -4),
        ):
            cell = Cell(
                "depth", "plain", "none", depth.layers(layers), "fashion-mnist", recipe, seed
            )
            values = {"accuracy": 80 + seed / 10 + off, "steps": 509 if seed == 0 else 500}
            trial.append(made, cell, {**more, **values})
    fold = Cell("depth", depth.FOLDS, "none", depth.layers(4), recipe="equal units")
    trial.append(made, fold, {"width": 4, "pieces": 256})
    return made


def test_a_budget_is_judged_against_one_layer(budgets):
    text = notes_depth.budgets(budgets)
    assert text.count("<table") == 1 and "Equal units" in text
    assert ">reference<" in row_of(text, "1")
    assert ">+1.00<" in row_of(text, "2, plain") and ">higher<" in row_of(text, "2, plain")
    assert ">lower<" in row_of(text, "16, plain") and ">501<" in row_of(text, "16, plain")
    assert 'data-sort="16.0">16, plain<' in text, "by its layers, not by its letters"
    values = notes_depth.figure(budgets).values
    assert {(v["depth"], v["mean"]) for v in values} == {(1, 80.45), (2, 81.45), (16, 76.45)}


def test_a_budget_is_a_family_of_the_networks_that_have_rows(budgets, tmp_path):
    assert notes_depth.families(budgets) == [2]
    assert notes_depth.families(Store(tmp_path / "none")) == []


def test_pieces_are_counted_apart_from_what_is_trained(budgets):
    text = notes_depth.pieces(budgets)
    assert ">256<" in row_of(text, "4") and "not measured" in row_of(text, "8")
