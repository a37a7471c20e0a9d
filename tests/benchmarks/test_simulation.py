"""The simulations draw what they say, and the statistics keep their promises on them."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import simulation, stats
from benchmarks.cells import Cell, Selection
from benchmarks.simulation import ARMS, NOISES, Simulation, runs, simulate


@pytest.mark.parametrize("noise", NOISES)
def test_noise_has_mean_zero_deviation_one_and_the_skew_that_it_names(noise):
    drawn = runs(noise, np.random.default_rng(1), 50_000)
    assert drawn.mean(1) == pytest.approx(0, abs=0.03)
    assert drawn.std(1) == pytest.approx(1, abs=0.05)
    skews = (drawn**3).mean(1)
    assert skews[1:].mean() == pytest.approx(-2 if noise in ("skewed", "lopsided") else 0, abs=0.3)
    assert skews[0] == pytest.approx(-2 if noise == "skewed" else 0, abs=0.6)


@pytest.mark.parametrize("noise", ["normal", "heavy", "skewed"])
def test_tables_without_a_difference_are_rarely_called_different(noise):
    """Arms and baseline draw alike, so the sign-flip test is exact."""
    tables = 60
    found = simulate(noise, 10, tables, resamples=200)
    error = math.sqrt(5 * 95 / tables)
    assert found["false_tables"] <= 5 + 3 * error
    assert found["false_uncorrected"] > found["false_tables"]
    assert found["found"] >= 40 and found["reversed"] == 0
    assert found["false_beside"] <= 5 + 3 * error


def test_a_false_verdict_beside_the_planted_difference_is_counted(monkeypatch):
    """Of three tables one calls another arm lower; the planted arm's own verdict is no part."""
    words = iter(["higher", stats.SAME, stats.SAME, "higher", "lower", stats.SAME, "lower", *"??"])

    def judged(differences, resamples, seed):
        if resamples > 2:
            return []
        return [SimpleNamespace(verdict=next(words)) for _ in range(3)]

    monkeypatch.setattr(simulation, "_judged", judged)
    found = simulate("normal", 6, 3)
    assert found["false_beside"] == pytest.approx(100 / 3)
    assert found["found"] == pytest.approx(200 / 3) and found["reversed"] == pytest.approx(100 / 3)


def test_students_intervals_of_normal_noise_hold_what_they_promise_and_the_bootstraps_do_not():
    """Student's are exact there. Four standard errors of 60 tables, whose arms share a baseline."""
    found = simulate("normal", 10, 60, resamples=200)
    assert found["covered"] == pytest.approx(95, abs=7)
    assert found["covered_bca"] < found["covered"]


def test_six_seeds_of_eight_arms_find_nothing_and_invent_nothing():
    found = simulate("normal", 6, 10, resamples=50)
    assert (found["found"], found["false_tables"]) == (0, 0)


def test_a_family_is_as_large_as_that_of_the_tables():
    cells = list(Simulation().cells(Selection("cpu")))
    assert ARMS == 8 and len(cells) == len(NOISES) * len(simulation.SEEDS)
    assert not list(Simulation().cells(Selection("quick")))
    with pytest.raises(ValueError, match="skewed"):
        Simulation().check([Cell("simulation", "", data="skewd")])


def test_equal_cells_give_equal_numbers(monkeypatch):
    monkeypatch.setattr(simulation, "TABLES", 3)
    cell = next(Simulation().cells(Selection("cpu")))
    values = Simulation().measure(cell)
    assert values == Simulation().measure(cell)
    assert set(values) == {column.name for column in Simulation.columns}
