"""The text that replaces a figure says the numbers of the table beside it, digit by digit."""

import re
from dataclasses import replace

import pytest
import trial

from benchmarks import display
from benchmarks.cells import Cell
from benchmarks.site import (
    notes_alexnet,
    notes_depth,
    notes_figures,
    notes_gradients,
    notes_optimisers,
    notes_trained,
)
from benchmarks.store import Store

PAIRS = {
    "alexnet-path": (notes_alexnet.path_figure, notes_alexnet.path),
    "alexnet-dropout": (notes_alexnet.dropout_figure, notes_alexnet.data),
    "depth": (notes_depth.figure, notes_depth.budgets),
    "gradients": (notes_gradients.cases, notes_gradients.everything),
    "optimisers-rates": (notes_optimisers.by_rate, notes_optimisers.rates),
    "calibration": (notes_figures.calibration, notes_trained.calibration),
    "spiral-accuracy": (notes_figures.spiral, notes_trained.spiral),
    "activations": (notes_figures.activations, notes_trained.activations),
}


@pytest.mark.parametrize("name", PAIRS)
def test_every_number_of_a_published_figure_stands_in_its_table(committed_tables, published, name):
    drawn, table = PAIRS[name]
    figure = drawn(published)
    assert figure.values
    said = set(re.findall(rf"[+{display.MINUS}]?\d+\.\d+(?= %| points|;|$)", figure.alt))
    text = table(published)
    assert len(said) > 4
    assert [number for number in sorted(said) if f">{number}<" not in text] == []


def test_a_mean_is_rounded_once(tmp_path):
    """0.33349 is 0.333; rounded to 0.3335 first it would be 0.334."""
    store = Store(tmp_path)
    cell = Cell("spiral", "mlp", variant="relu", data="spiral 4", recipe="sgd lr=1", seed=0)
    for seed in range(2):
        trial.append(store, replace(cell, seed=seed), {"accuracy": 0.33349})
    assert notes_figures.spiral(store).alt.endswith(": 0.333")
