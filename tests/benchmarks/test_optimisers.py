"""Five rules with the same rates: what is chosen and counted is known; no test image is seen."""

import pandas as pd
import pytest
import torch

from benchmarks import data
from benchmarks.cells import Diverged, Selection
from benchmarks.notes import grids, small
from benchmarks.notes.parts import HELD_OUT, TRAINED_ON, Parts, divide
from benchmarks.notes.rules import RULES
from benchmarks.optimisers import OptimisersBenchmark

BENCH = OptimisersBenchmark()


def searched():
    """Three rates, two seeds: means 70, 80 and 79; the fourth lost a run and has the best one."""
    held = {"lr=1": (69, 71), "lr=2": (79, 81), "lr=3": (80.5, 77.5), "lr=4": (99,)}
    rows = [
        {"recipe": recipe, "seed": seed, "held": float(value)}
        for recipe, values in held.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_the_best_rate_is_the_one_with_the_highest_mean_of_whole_runs():
    assert grids.best(searched(), "held") == "lr=2"
    assert grids.means(searched(), "held").to_dict() == {
        "lr=1": 70,
        "lr=2": 80,
        "lr=3": 79,
    }


def test_rates_near_the_best_are_counted_in_the_mean_and_for_each_seed():
    assert [grids.near(searched(), "held", within) for within in (0, 2, 10)] == [1, 2, 3]
    whole = searched()[lambda rows: rows["recipe"] != "lr=4"]
    assert grids.near_by_seed(whole, "held", 2.0) == [2, 1]


def test_without_rows_there_is_no_best():
    with pytest.raises(ValueError, match="no row has held"):
        grids.best(searched().iloc[:0], "held")


def numbered(size):
    """A data set in which the first pixel is the number of the image."""
    x = torch.zeros(size, 1, 2, 2, dtype=torch.uint8)
    number = torch.arange(size)
    x[:, 0, 0, 0], x[:, 0, 0, 1] = number % 256, number // 256
    return data.Images("numbered", x, number, x[:10], -1 - number[:10], 10, False)


def test_the_three_parts_share_no_image():
    found = divide(numbered(TRAINED_ON + HELD_OUT + 5))
    assert (len(found.train_y), len(found.held_y), len(found.test_y)) == (TRAINED_ON, HELD_OUT, 10)
    labels = torch.cat((found.train_y, found.held_y, found.test_y))
    assert len(labels.unique()) == len(labels) and (found.test_y < 0).all()
    with pytest.raises(ValueError, match="9000 training images, and 10000 are needed"):
        divide(numbered(9_000))


def quarters(n=256):
    """Images of two classes: the left or the right half is bright."""
    torch.manual_seed(0)
    y = torch.randint(2, (n,))
    x = 0.3 * torch.randn(n, 1, 28, 28)
    x[y == 0, :, :, :14] += 1
    x[y == 1, :, :, 14:] += 1
    return x, y


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_learns_what_can_be_learned(rule):
    x, y = quarters()
    torch.manual_seed(0)
    model = small.network()
    losses = small.train(model, x, y, rule, 0.003 if "adam" in rule else 0.05, epochs=5)
    assert len(losses) == 5 and losses[0] > losses[-1]
    assert small.accuracy(model, x, y) > 95


def test_the_loss_of_an_epoch_is_the_mean_over_its_images():
    """At a rate of zero nothing changes: every epoch has the loss of the network as it is."""
    x, y = quarters(100)  # the second batch is smaller than the first
    model = small.network()
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(model(x), y).item()
    assert small.train(model, x, y, "sgd", 0.0, epochs=2) == pytest.approx([loss, loss])


def test_a_training_that_leaves_the_numbers_says_so():
    with pytest.raises(Diverged, match="in epoch"):
        small.train(small.network(), *quarters(), "sgd", 1e12, epochs=3)


def test_a_row_has_every_column_and_the_preview_is_part_of_the_table(monkeypatch):
    x, y = quarters()
    few = Parts(x, y, x, y, x, 1 - y)
    monkeypatch.setattr("benchmarks.notes.parts.parts", lambda name: few)
    quick, cpu = (list(BENCH.cells(Selection(suite))) for suite in ("quick", "cpu"))
    assert set(quick) < set(cpu) and len(cpu) == 5 * 9 * 5
    assert [cell.seed for cell in cpu[:45]] == [0] * 45
    values = BENCH.measure(quick[2])
    assert set(values) == {column.name for column in BENCH.columns}
    assert values["held"] == values["train"] == pytest.approx(100 - values["test"])
