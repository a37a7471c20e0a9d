"""Softmax and calibration: closed forms, planted functions, and outputs whose error is known."""

import math

import pytest
import torch

from benchmarks.calibration import CalibrationBenchmark, judged
from benchmarks.cells import Cell, Selection
from benchmarks.notes import softmax
from benchmarks.softmax import WHAT, SoftmaxBenchmark

BENCH = SoftmaxBenchmark()


def value(recipe, seed=0):
    return BENCH.measure(Cell("softmax", "", recipe=recipe, seed=seed))["value"]


@pytest.mark.parametrize("norm", ["1-norm", "2-norm", "maximum norm"])
def test_softmax_never_expands_by_more_than_a_half_and_reaches_it(norm):
    assert 0.4999 < value(f"expansion, {norm}") <= 0.5 + 1e-12


def test_two_logits_have_a_closed_form():
    assert value("small gap") == pytest.approx(1 / (1 + math.exp(-0.1)))
    assert value("large gap") == pytest.approx(1 / (1 + math.exp(-8)))
    assert 0.4 < value("difference") <= 0.5


def test_what_holds_exactly_holds_to_the_last_digits():
    for name in ("shift", "ratio", "gradient", "two classes"):
        assert value(name) < 1e-12, name
    assert value("temperature, winner") == value("temperature, entropy") == 0


def test_overflow_begins_where_float32_ends_and_the_maximum_prevents_it():
    assert value("first overflow") == math.floor(math.log(torch.finfo(torch.float32).max)) + 1
    assert value("overflow as written") > 0.5 and value("overflow less the maximum") == 0


def test_two_classes_cannot_both_be_likely_under_softmax_but_under_sigmoids():
    assert value("second of softmax") < 0.5 < value("second of sigmoids")


def test_every_property_is_measured():
    listed = list(BENCH.cells(Selection("quick")))
    assert {cell.recipe for cell in listed} == set(WHAT)
    assert set(listed) == set(BENCH.cells(Selection("cpu")))
    assert BENCH.measure(listed[0])["what"] == WHAT[listed[0].recipe]


def test_the_calibration_error_of_known_outputs():
    sure = torch.tensor([0.9] * 10 + [0.6] * 10)
    right = torch.tensor([True] * 9 + [False] + [True] * 6 + [False] * 4)
    error = softmax.expected_calibration_error
    assert error(sure, right) == pytest.approx(0, abs=1e-6)
    assert error(sure, torch.ones(20, dtype=torch.bool)) == pytest.approx((0.1 + 0.4) / 2)
    assert error(torch.ones(4), torch.tensor([True, False, False, False])) == pytest.approx(0.75)


def test_the_temperature_of_known_logits_is_found():
    """Labels are drawn from softmax(z); logits that are three times too large need T = 3."""
    torch.manual_seed(0)
    z = 2 * torch.randn(20_000, 10)
    y = torch.distributions.Categorical(logits=z).sample()
    assert softmax.temperature(z, y, "softmax") == pytest.approx(1, abs=0.05)
    assert softmax.temperature(3 * z, y, "softmax") == pytest.approx(3, abs=0.15)
    values = judged(3 * z, y, 3 * z, y, "softmax")
    assert values["ece"] > 5 > 2 > values["ece_cooled"]


def test_a_training_of_the_quick_suite_is_part_of_the_table_and_grouped():
    bench = CalibrationBenchmark()
    quick, cpu = (list(bench.cells(Selection(s))) for s in ("quick", "cpu"))
    assert len(quick) == 2 and set(quick) < set(cpu) and len(cpu) == 30
    assert len({bench.group(cell) for cell in cpu}) == 10


def test_a_row_comes_from_each_number_of_epochs(few_images, monkeypatch):
    monkeypatch.setattr("benchmarks.calibration.TRAINED_ON", 250)
    bench = CalibrationBenchmark()
    cells = list(bench.cells(Selection("quick")))
    rows = dict(bench.measure_group(cells))
    assert list(rows) == cells
    names = {column.name for column in bench.columns}
    assert all(set(values) == names for values in rows.values())
