"""Modules against the bare backbone of equal cost, where the truth is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
import simulated
import trial

from benchmarks import compare, display, equal_cost, pairing, stats
from benchmarks.equal_cost import weights
from benchmarks.store import Store
from benchmarks.widths import WIDTHS


def told(store, kind="params", which=simulated.WHICH):
    table = equal_cost.table(store, which)
    return table[table["cost"] == kind].set_index("arm")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    made = Store(tmp_path_factory.mktemp("simulated"))
    simulated.train(made)
    simulated.count(made)
    simulated.time(made)
    made.fold()
    return made


def test_the_curve_is_straight_in_the_logarithm_between_two_widths():
    # 2 lies halfway from 1 to 4 on a logarithmic axis
    assert weights([1, 4], 2).tolist() == pytest.approx([0.5, 0.5])
    assert weights([16, 1, 4], 2).tolist() == pytest.approx([0, 0.5, 0.5])
    assert weights([1, 4, 16], 4).tolist() == [0, 1, 0]
    assert weights([1, 4, 16], 16).tolist() == [0, 0, 1]


@pytest.mark.parametrize("seed", range(5))
def test_the_curve_stays_between_its_neighbours_and_holds_every_line(seed):
    rng = np.random.default_rng(seed)
    costs = np.exp(rng.uniform(0, 5, 6))
    at = float(np.exp(rng.uniform(np.log(costs.min()), np.log(costs.max()))))
    share = weights(costs, at)
    assert share.min() >= 0 and share.sum() == pytest.approx(1) and (share > 0).sum() <= 2
    assert share @ np.log(costs) == pytest.approx(math.log(at))


def test_there_is_no_curve_beyond_the_widths():
    assert weights([1, 4], 0.999) is None
    assert weights([1, 4], 4.001) is None


@pytest.mark.parametrize("costs", [[3.0], [], [0.0, 1.0]])
def test_a_curve_of_less_than_two_costs_is_refused(costs):
    with pytest.raises(ValueError, match="needs two costs or more, all above 0"):
        weights(costs, 1.0)


@pytest.mark.parametrize("kind", equal_cost.COSTS)
def test_planted_distances_from_the_curve_are_found(store, kind):
    table = told(store, kind)
    four_errors = 4 * simulated.NOISE * (2 / 10) ** 0.5  # of a difference of two means of ten
    for arm, off in simulated.OFF.items():
        if arm != "danet":
            assert table["difference"][arm] == pytest.approx(off, abs=four_errors)
            assert table["low"][arm] < table["difference"][arm] < table["high"][arm]
            assert table["times"][arm] == pytest.approx(simulated.PARAMS[arm])
            assert table["curve"][arm] == pytest.approx(
                simulated.line(simulated.PARAMS[arm]), abs=0.1
            )
    verdicts = {"se": "higher", "sk": stats.SAME, "eca": "lower"}
    assert {arm: table["verdict"][arm] for arm in verdicts} == verdicts
    assert (table["pairs"][list(verdicts)] == 10).all()


def test_a_module_on_the_curve_beats_the_bare_backbone_and_not_the_wider_one(store):
    plain = compare.accuracy_table(store, simulated.WHICH).set_index("arm")
    assert plain["verdict"]["sk"] == "higher"
    assert told(store)["verdict"]["sk"] == stats.SAME


def test_a_cost_beyond_the_widths_and_an_arm_without_rows_say_so(store):
    table = told(store)
    assert table["gap"]["danet"] == equal_cost.OUTSIDE
    assert table["gap"]["cbam"] == display.MISSING
    assert not table["difference"][["danet", "cbam"]].notna().any()
    assert list(table.index) == ["se", "cbam", "sk", "pam", "cam", "danet", "eca", "coord"]


def test_the_differences_are_those_of_each_seed(tmp_path):
    """Two widths, one module halfway between them: the difference is to the mean of the two."""
    made = Store(tmp_path)
    first, second = 1.0, 1.5**2
    halfway = round(simulated.BARE * math.sqrt(first * second))
    (wide,) = (name for name, width in WIDTHS.items() if width == 1.5)
    for n, (bare, wider, se) in enumerate([(90, 92, 91.5), (90, 94, 92.0), (91, 91, 93.0)]):
        cell = replace(simulated.RUN, seed=n)
        for run, top1, params in (
            (cell, bare, simulated.BARE),
            (replace(cell, backbone=wide), wider, round(simulated.BARE * second)),
            (replace(cell, module="se"), se, halfway),
        ):
            trial.append(made, run, {**trial.outcome(top1), "params": params})
    table = told(made)
    # 0.5, 0 and 2 points
    assert table["difference"]["se"] == pytest.approx(2.5 / 3, abs=1e-4)
    assert table["pairs"]["se"] == 3 and table["verdict"]["se"] == stats.TOO_FEW
    assert not display.given(table["low"]["se"])


def test_a_seed_that_a_neighbouring_width_lacks_is_left_out(tmp_path):
    made = Store(tmp_path)
    simulated.train(made, seeds=8)
    (near,) = (name for name, width in WIDTHS.items() if width == 1.125)
    (far,) = (name for name, width in WIDTHS.items() if width == 1.5)
    made.fold()
    path = made.table_path("accuracy")
    lines = path.read_text().splitlines(keepends=True)
    kept = [text for text in lines if f",{near},none,,fashion-mnist,full,7," not in text]
    kept = [text for text in kept if f",{far},none,,fashion-mnist,full,6," not in text]
    assert len(kept) == len(lines) - 2
    path.write_text("".join(kept))
    table = told(Store(tmp_path))
    # se costs 1.1 times the bare backbone, between 1 and 1.125 squared; sk 1.4, further up
    assert (table["pairs"]["se"], table["pairs"]["sk"]) == (7, 7)
    assert table["pairs"]["eca"] == 8


def test_a_curve_that_flattens_lies_above_its_pieces_by_little(tmp_path):
    """The piece from cost a to b of a - log^2 curve lies at most log(b / a)^2 / 4 below it."""
    made = Store(tmp_path)
    simulated.train(made, simulated.bent, noise=0.0)
    table = told(made)
    widest = math.log(1.125**2) ** 2 / 4
    assert 0 < table["difference"]["se"] - simulated.OFF["se"] < widest
    assert widest < 0.02


def test_without_widths_nothing_is_compared(tmp_path):
    made = Store(tmp_path)
    trial.accuracy(made)
    table = equal_cost.table(made, replace(simulated.WHICH, backbone="resnet10_small"))
    assert set(table["gap"]) == {display.MISSING} and table["difference"].isna().all()
    assert equal_cost.comparisons(made) == []
    assert len(equal_cost.table(Store(tmp_path / "none"), simulated.WHICH)) == 3 * 8


def test_widths_are_not_the_curve_of_another_backbone(tmp_path):
    made = Store(tmp_path)
    simulated.train(made)
    for module in ("none", "se"):
        cell = replace(simulated.RUN, backbone="resnet10_small", module=module, seed=0)
        trial.append(made, cell, {**trial.outcome(90.0), "params": simulated.BARE})
    table = equal_cost.table(made, replace(simulated.WHICH, backbone="resnet10_small"))
    assert set(table["gap"]) == {display.MISSING} and table["difference"].isna().all()


def test_times_of_a_noisy_session_are_not_used(tmp_path):
    made = Store(tmp_path)
    simulated.train(made)
    simulated.time(made, stats.NOISY)
    table = told(made, "latency_ms")
    assert set(table["gap"]) == {display.MISSING} and table["difference"].isna().all()


def test_a_width_is_no_comparison_of_its_own(store):
    assert pairing.comparisons(store) == [simulated.WHICH] == equal_cost.comparisons(store)


def test_widths_of_older_code_than_the_bare_backbone_are_left_out(tmp_path):
    made = Store(tmp_path)
    simulated.train(made, seeds=2)
    cell = replace(simulated.RUN, seed=0)
    newer = {"fingerprint": "new", "measured_at": "2999-01-01T00:00:00Z"}
    for module in ("none", "se"):
        run = replace(cell, module=module, seed=5)
        values = {**trial.outcome(91.0), "params": simulated.BARE}
        made.append("accuracy", {**trial.row(run, values, "new", seconds=1.0), **newer})
    assert set(equal_cost.rows(made, simulated.WHICH)["arm"]) == {"none", "se"}


def test_intervals_and_verdicts_of_modules_on_the_curve_are_right_as_often_as_they_promise():
    """Of many simulated tables no more than Holm's share calls any arm different."""
    rng = np.random.default_rng(0)
    costs = [0.75**2, 1.0, 1.125**2, 1.25**2, 1.5**2]
    arms = [1.0, 1.01, 1.05, 1.1, 1.2, 1.4, 1.7, 2.0]
    shares = np.array([weights(costs, at) for at in arms])
    wrong, covered, tables = 0, 0, 400
    for _ in range(tables):
        curve = rng.standard_normal((10, len(costs))) @ shares.T
        differences = rng.standard_normal((10, len(arms))) - curve
        p_values = [stats.sign_flip(column) for column in differences.T]
        intervals = [stats.student_interval(column) for column in differences.T]
        covered += sum(made.low < 0 < made.high for made in intervals)
        wrong += min(stats.holm(p_values)) <= stats.ALPHA
    assert wrong / tables <= stats.ALPHA + 2 * (stats.ALPHA / tables) ** 0.5
    # the arms of a table share their widths, so a table counts once
    spread = 3 * (stats.ALPHA / tables) ** 0.5
    assert covered / (tables * len(arms)) == pytest.approx(stats.CONFIDENCE, abs=spread)


def test_a_width_of_another_session_has_no_time(tmp_path):
    """Its ratio is to another net: only widths with the floor of the net's session count."""
    made = Store(tmp_path)
    simulated.train(made, noise=0.0)
    simulated.count(made)
    simulated.time(made)
    assert equal_cost.table(made, simulated.WHICH).query("cost == 'latency_ms'")["times"].any()
    trained = equal_cost.rows(made, simulated.WHICH)
    (near,) = (name for name, width in WIDTHS.items() if width == 1.125)
    spent = equal_cost.costs(made, simulated.WHICH, trained)["latency_ms"]
    assert spent[near] == pytest.approx(7 * 1.125**2)
    alone = {**trial.times(1.0, "slower"), "latency_ms": 9.0, "floor_low": 0.97}
    trial.append(made, replace(simulated.TIME, backbone=near), alone)
    spent = equal_cost.costs(made, simulated.WHICH, trained)["latency_ms"]
    assert not display.given(spent[near]) and spent.notna().sum() == len(spent) - 1
