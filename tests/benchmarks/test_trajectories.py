"""Optimisers on two surfaces: closed forms of paths, and the rates at which they stop to settle."""

from itertools import islice

import pytest

from benchmarks.cells import Selection
from benchmarks.notes import surfaces
from benchmarks.notes.rules import RULES
from benchmarks.notes.surfaces import STEEP, swings, walk
from benchmarks.trajectories import LIMIT, STEPS, TrajectoriesBenchmark

BENCH = TrajectoriesBenchmark()
START = (-5.0, 1.0)


def path(surface, rule, lr, start=START, steps=200):
    return list(islice(walk(surface, rule, lr, start), steps + 1))


def test_sgd_in_the_ravine_has_a_closed_form():
    """Each step multiplies y by 1 - lr L and x by 1 - lr."""
    for number, (x, y) in enumerate(path("ravine", "sgd", 0.03, steps=50)):
        assert x == pytest.approx(-5 * (1 - 0.03) ** number)
        assert y == pytest.approx((1 - 0.03 * STEEP) ** number, rel=1e-9, abs=1e-12)


LIMITS = {"sgd": 2, "momentum": 2 * (1 + 0.9), "nesterov": 2 * (1 + 0.9) / (1 + 2 * 0.9)}
"""lr L above which the sides of a ravine throw each rule out."""


@pytest.mark.parametrize("rule", LIMITS)
def test_a_rule_settles_below_its_largest_rate_and_not_above_it(rule):
    largest = LIMITS[rule] / STEEP
    below, above = (path("ravine", rule, share * largest, steps=2000) for share in (0.97, 1.03))
    assert abs(below[-1][1]) < 1e-3 and abs(above[-1][1]) > 1e3


def test_sgd_swings_above_half_of_its_largest_rate_and_only_there():
    assert swings(y for _, y in path("ravine", "sgd", 0.99 / STEEP, steps=100)) == 0
    assert swings(y for _, y in path("ravine", "sgd", 1.01 / STEEP, steps=100)) == 100
    assert swings([1, -1, -2, 0, 3]) == 1


def test_momentum_settles_as_the_root_of_its_friction():
    """Complex roots of z^2 - (1 + b - lr L) z + b have the size sqrt(b), whatever the rate."""
    for lr in (0.005, 0.02, 0.05):
        ys = [y for _, y in path("ravine", "momentum", lr, steps=400)]
        sizes = [max(map(abs, ys[i : i + 40])) for i in (100, 300)]
        assert (sizes[1] / sizes[0]) ** (1 / 200) == pytest.approx(0.9**0.5, rel=2e-3)


@pytest.mark.parametrize("rule", ["adam", "adamw"])
def test_the_first_step_of_adam_is_the_rate_whatever_the_slope(rule):
    (x0, y0), (x1, y1) = path("ravine", rule, 0.01, steps=1)
    decay = 0.01 * 0.01 if rule == "adamw" else 0
    assert x1 - x0 * (1 - decay) == pytest.approx(0.01)
    assert y1 - y0 * (1 - decay) == pytest.approx(-0.01)


def test_the_first_step_of_nesterov_is_almost_twice_as_long():
    for rule, times in (("sgd", 1), ("momentum", 1), ("nesterov", 1.9)):
        (x0, _), (x1, _) = path("ravine", rule, 0.01, steps=1)
        assert x1 - x0 == pytest.approx(times * 0.01 * 5)


def test_sgd_leaves_the_saddle_at_a_known_rate():
    """Near the saddle each step multiplies y by 1 + lr."""
    ys = [y for _, y in path("saddle", "sgd", 0.1, (1.0, 1e-6), steps=100)]
    assert ys[100] == pytest.approx(1e-6 * 1.1**100, rel=1e-3)


@pytest.mark.parametrize("rule", RULES)
def test_nobody_leaves_the_ridge_without_a_push(rule):
    end = path("saddle", rule, 0.1, (1.0, 0.0), steps=300)[-1]
    assert end[1] == 0 and abs(end[0]) < 0.1
    pushed = path("saddle", rule, 0.1, (1.0, 1e-6), steps=500)[-1]
    assert pushed[1] == pytest.approx(1, abs=0.05)


def test_heights_and_their_lowest_places():
    assert surfaces.height("ravine", (2.0, 1.0)) == 27
    assert surfaces.height("saddle", (0.0, 1.0)) == -0.25 == surfaces.height("saddle", (0.0, -1.0))


def test_rows_say_how_soon_and_what_was_never_reached():
    cells = {(c.data, c.variant, c.recipe): c for c in BENCH.cells(Selection("quick"))}
    slow = BENCH.measure(cells["ravine", "sgd", "lr=0.01"])
    # y is gone by then: half of x^2 must fall below a millionth of (25 + 50) / 2
    n = slow["steps"]
    assert 25 * 0.99 ** (2 * n) < 75e-6 <= 25 * 0.99 ** (2 * (n - 1))
    assert slow["swings"] == 0 and len(slow["path"].split(";")) == STEPS + 1
    lost = BENCH.measure(cells["ravine", "sgd", "lr=0.042"])
    assert lost["steps"] is None and lost["swings"] == STEPS and lost["loss"] > 1e6
    assert BENCH.measure(cells["ridge", "adam", "lr=0.1"])["steps"] is None
    assert LIMIT > STEPS and set(cells.values()) == set(BENCH.cells(Selection("cpu")))
