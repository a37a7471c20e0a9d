"""Pages on gradients and optimisers show what rows say: cases told apart, the best of a grid."""

from dataclasses import replace

import pytest
import trial
from rendered import row_of

from benchmarks.cells import Cell
from benchmarks.site import notes_gradients, notes_optimisers, notes_trajectories
from benchmarks.store import Store

CHAIN = Cell("gradients", "mlp", "none", "tanh xavier plain", "fashion-mnist", "10 layers")
GRID = Cell("optimisers", "cnn", "none", "adam", "fashion-mnist", "lr=0.001")
PATH = Cell("trajectories", "ravine", variant="sgd", data="ravine", recipe="lr=0.01")

SHOWN = {
    "logistic default plain": (-40.0, 80.0, 10.0, "vanishing"),
    "relu he batchnorm": (3.0, 80.0, 50.0, "exploding"),
    "tanh xavier plain": (-0.5, 90.0, 80.0, "degradation"),
    "relu he residual": (0.5, 88.0, 88.0, "none of them"),
}
"""Powers of ten, training accuracies at ten and forty layers, and what they show."""


@pytest.fixture
def chains(tmp_path):
    made = Store(tmp_path)
    for variant, (ratio, few, many, _) in SHOWN.items():
        for depth, train in ((10, few), (40, many)):
            errors = " ".join(f"{ratio * (1 - i / depth) - 2:.2f}" for i in range(depth + 1))
            for seed in range(3):
                values = {"error_ratio": ratio, "weight_ratio": ratio, "errors": errors, "lr": 0.01}
                values |= {"train": train + seed, "held": 70.0, "test": 60.0 + seed}
                values |= {"moved_first": 1e-9, "moved_last": 0.25}
                cell = replace(CHAIN, variant=variant, recipe=f"{depth} layers", seed=seed)
                trial.append(made, cell, values)
    return made


@pytest.mark.parametrize("variant", SHOWN)
def test_vanishing_exploding_and_degradation_are_told_apart(chains, variant):
    row = row_of(notes_gradients.told_apart(chains), notes_gradients.network(variant))
    assert f">{SHOWN[variant][-1]}<" in row


def test_a_change_that_could_be_chance_is_no_degradation():
    assert notes_gradients.reading(0.0, [-1.0, 1.0, -2.0]) == "none of them"
    assert notes_gradients.reading(0.0, [-1.0]) == "not measured"
    assert notes_gradients.reading(-2.1, []) == "vanishing"


def test_everything_is_in_a_table_for_each_link(chains):
    text = notes_gradients.everything(chains)
    assert text.count("<table") == 3
    row = row_of(text, "tanh, Xavier, 10 layers")
    assert ">91.00<" in row and ">61.00<" in row and ">1.0e−09<" in row and ">0.25<" in row


def test_the_map_has_a_mark_a_network_and_the_gradient_a_line(chains):
    cases, layers = notes_gradients.figures(chains)
    assert len(cases.values) == 8
    assert {(v["ratio"], v["train"]) for v in cases.values if v["panel"] == "40 hidden layers"} == {
        (ratio, many + 1) for ratio, _, many, _ in SHOWN.values()
    }
    (last,) = {v["ratio"] for v in layers.values if v["layer"] == 40}
    assert last == 0 and {v["ratio"] for v in layers.values if v["layer"] == 0} == {
        ratio for ratio, *_ in SHOWN.values()
    }


@pytest.fixture
def grid(tmp_path):
    """Adam best at the second rate on held-out images, at the first one on test images."""
    made = Store(tmp_path)
    for rule, shift in (("adam", 0.0), ("sgd", -1.0)):
        for recipe, held, test in (("lr=0.001", 80.0, 85.0), ("lr=0.003", 81.0, 82.0)):
            for seed in range(3):
                values = {"held": held + seed, "test": test + seed + shift, "train": 90.0}
                values |= {"first_loss": 1.5, "last_loss": 0.5, "losses": "1.5 0.9 0.5"}
                cell = replace(GRID, variant=rule, recipe=recipe, seed=seed)
                trial.append(made, cell, values)
        lost = replace(GRID, variant=rule, recipe="lr=1", seed=0)
        trial.append(made, lost, None, status="diverged", reason="too far")
    return made


def test_the_best_rate_is_that_of_the_held_out_images(grid):
    text = notes_optimisers.optimisers(grid)
    adam, sgd = (row_of(text, name) for name in ("Adam", "SGD"))
    assert ">0.003<" in adam and ">83.00<" in adam and "reference" in adam
    assert ">−1.00<" in sgd and "[−1.00, −1.00]" in sgd
    assert ">2.0<" in adam and ">1 of 7<" in adam


def test_all_rates_are_shown_also_those_that_were_lost(grid):
    text = notes_optimisers.rates(grid)
    assert ">81.00<" in row_of(text, "0.001") and "diverged" in row_of(text, "1")
    widths, speeds = notes_optimisers.figures(grid)
    assert len(widths.values) == 4
    assert [v["loss"] for v in speeds.values if v["rule"] == "Adam"] == [1.5, 0.9, 0.5]


def test_paths_are_shown_with_what_was_never_reached(tmp_path):
    made = Store(tmp_path)
    values = {"swings": 3, "loss": 0.25, "path": "-5 1;-4 0.5;-3 -0.1", "aim": "there"}
    trial.append(made, PATH, {"steps": 12, **values})
    saddle = replace(PATH, backbone="saddle", recipe="lr=0.1", data="near")
    trial.append(made, saddle, {"steps": 1000, **values})
    trial.append(made, replace(saddle, data="ridge"), {"steps": None, **values})
    assert ">12<" in notes_trajectories.ravine(made) and ">0.25<" in notes_trajectories.ravine(made)
    row = row_of(notes_trajectories.saddle(made), "SGD, 0.1")
    assert ">1,000<" in row and "never in 1,000" in row
    paths, escape = notes_trajectories.figures(made)
    drawn = [(v["x"], v["y"]) for v in paths.values if v["what"] == "path"]
    assert drawn == [(-5, 1), (-4, 0.5), (-3, -0.1)]
    heights = [v for v in paths.values if v["what"] == "height 5"]
    assert all(v["x"] ** 2 + 50 * v["y"] ** 2 == pytest.approx(25, abs=0.2) for v in heights)
    assert [v["distance"] for v in escape.values] == [1, 0.1]
