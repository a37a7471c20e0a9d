"""The statistics against scipy, closed forms and simulations whose truth is known."""

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats as reference

from benchmarks.stats import (
    NOISY,
    SAME,
    T_975,
    TOO_FEW,
    Interval,
    bca,
    build_interval,
    faster_half,
    fastest,
    floor_of,
    geometric_mean,
    holm,
    latency_verdict,
    paired,
    process_interval,
    ratio_interval,
    seeds_needed,
    sign_flip,
    student_interval,
    welch_interval,
)


def _session(rng, truth, between=0.0, processes=3, rounds=30):
    """Times whose true minimum is ``truth``: noise only ever adds, a fifth of it in bursts;
    ``between`` is the deviation of an arm from process to process."""
    shape = (processes, rounds)
    bursts = (rng.random(shape) < 0.2) * rng.exponential(1.0, shape)
    luck = np.exp(rng.normal(0.0, between, (processes, 1)))
    return (truth * luck * (1 + rng.exponential(0.01, shape) + bursts)).tolist()


def test_geometric_mean_is_the_root_of_the_product():
    assert geometric_mean([1, 4, 16]) == pytest.approx(4)
    for bad in ([], [1, 0], [1, -2], [1, math.nan]):
        with pytest.raises(ValueError, match="positive finite"):
            geometric_mean(bad)


def test_fastest_is_the_minimum_of_each_process_then_the_geometric_mean():
    assert fastest([[3, 1, 2], [9, 4, 8]]) == pytest.approx(2)
    assert fastest([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]], 0.1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("times", "mean"), [([7], 7), ([3, 1, 2], 1.5), ([4, 1, 3, 2], 1.5), ([9, 5, 1, 3, 2], 2)]
)
def test_the_faster_half_of_an_odd_number_is_rounded_up(times, mean):
    assert faster_half(times) == mean


def test_an_arm_is_compared_with_the_geometric_mean_of_all_copies():
    """Builds in which the arm takes 3, 6 and 12 times a copy, and the other copy the fourfold."""
    times = [[3.0, 3.0, 90.0], [6.0, 6.0, 90.0], [12.0, 12.0, 90.0]]
    copies = [[[1.0] * 3] * 3, [[4.0] * 3] * 3]
    ratio = build_interval(times, *copies)
    reach = math.exp(reference.t.ppf(0.975, 2) * math.log(2) / math.sqrt(3))
    assert ratio.value == pytest.approx(6 / math.sqrt(1 * 4))
    assert (ratio.low, ratio.high) == pytest.approx((3 / reach, 3 * reach), rel=1e-3)
    alone = build_interval(copies[1], copies[0])
    assert (alone.value, alone.low, alone.high) == pytest.approx((4.0, 4.0, 4.0))
    with pytest.raises(ValueError, match="at least two"):
        build_interval([[1.0]], [[1.0]])
    with pytest.raises(ValueError, match="must be the same"):
        build_interval(times, copies[0], [[1.0] * 2] * 3)


def test_the_quantiles_of_students_distribution_are_those_of_scipy():
    degrees = range(1, len(T_975) + 1)
    assert list(T_975) == pytest.approx(reference.t.ppf(0.975, degrees), abs=5e-4)


@pytest.mark.parametrize("builds", [12, 24])
def test_an_interval_of_many_builds_is_students_or_hardly_wider(builds):
    """Beyond the table its last quantile stands in, which is too wide by less than a hundredth."""
    logs = np.random.default_rng(0).normal(0, 0.01, builds)
    found = build_interval([[math.exp(x)] * 2 for x in logs], [[1.0] * 2] * builds)
    reach = reference.t.ppf(0.975, builds - 1) * logs.std(ddof=1) / math.sqrt(builds)
    assert found.value == pytest.approx(math.exp(logs.mean()))
    assert 1 - 1e-3 < math.log(found.high / found.value) / reach < 1.01


def test_ratio_of_exact_times_has_no_width():
    ratio = ratio_interval([[3.0, 3.0], [6.0, 6.0]], [[2.0, 2.0], [4.0, 4.0]])
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((1.5, 1.5, 1.5))


def test_ratio_shows_the_spread_between_processes():
    ratio = ratio_interval([[1.0] * 9, [2.0] * 9, [4.0] * 9], [[1.0] * 9] * 3)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2.0, 1.0, 4.0))


def test_exchanging_the_arms_inverts_the_ratio():
    rng = np.random.default_rng(1)
    one, two = _session(rng, 1.0), _session(rng, 1.1)
    there, back = ratio_interval(one, two), ratio_interval(two, one)
    assert there.value * back.value == pytest.approx(1)
    assert there.low * back.high == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("arm", [[], [[1.0]], [[1.0], [1.0]], [[], []]])
def test_ratio_needs_the_same_rounds_of_both(arm):
    with pytest.raises(ValueError, match="must be the same"):
        ratio_interval(arm, [[1.0, 2.0], [1.0, 2.0]])


@pytest.mark.parametrize("between", [0.0, 0.01])
def test_a_copy_of_the_baseline_is_rarely_called_different_and_a_slow_arm_is_found(between):
    rng = np.random.default_rng(2)
    verdicts = {1.0: [], 1.1: [], 1 / 1.1: []}
    for _ in range(100):
        baseline = _session(rng, 1.0, between)
        floor = ratio_interval(_session(rng, 1.0, between), baseline, resamples=300)
        for truth, found in verdicts.items():
            ratio = ratio_interval(_session(rng, truth, between), baseline, resamples=300)
            found.append(latency_verdict(ratio, floor))
    assert verdicts[1.0].count("slower") + verdicts[1.0].count("faster") <= 5
    assert verdicts[1.1].count("slower") >= 95
    assert verdicts[1 / 1.1].count("faster") >= 95


def test_an_interval_over_processes_is_student_s_of_their_smallest_samples():
    logs = np.log([1.0, 2.0, 4.0])
    ratio = process_interval([[9.0, 1.0], [2.0, 8.0], [4.0, 4.0]], [[1.0, 7.0]] * 3)
    half = reference.t.ppf(0.975, 2) * logs.std(ddof=1) / math.sqrt(3)
    ends = math.exp(logs.mean() - half), math.exp(logs.mean() + half)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2.0, *ends), rel=1e-3)
    with pytest.raises(ValueError, match="at least two"):
        process_interval([[1.0]], [[1.0]])
    with pytest.raises(ValueError, match="must be the same"):
        process_interval([[1.0], [1.0]], [[1.0]])


def test_processes_that_differ_are_in_the_interval():
    """Six processes hold the true ratio as often as they say; the bootstrap of three does not."""
    rng = np.random.default_rng(7)
    held = {"six": 0, "three": 0}
    for _ in range(400):
        arm, baseline = (
            [list(rng.lognormal(0, 0.02) * rng.uniform(1, 1.01, 8)) for _ in range(6)]
            for _ in range(2)
        )
        six = process_interval(arm, baseline)
        three = ratio_interval(arm[:3], baseline[:3], resamples=200)
        held["six"] += six.low <= 1 <= six.high
        held["three"] += three.low <= 1 <= three.high
    assert held["six"] >= 0.92 * 400 and held["three"] <= 0.85 * 400


def test_latency_verdict_needs_more_than_the_floor():
    floor = Interval(1.0, 0.99, 1.02)
    assert floor_of(floor) == pytest.approx(0.02)
    assert latency_verdict(Interval(1.03, 1.021, 1.04), floor) == "slower"
    assert latency_verdict(Interval(1.03, 1.019, 1.04), floor) == SAME
    assert latency_verdict(Interval(0.97, 0.96, 0.98), floor) == "faster"
    assert latency_verdict(Interval(0.97, 0.96, 0.981), floor) == SAME
    assert latency_verdict(Interval(2.0, 1.9, 2.1), Interval(1.0, 0.94, 1.0)) == NOISY


@pytest.mark.parametrize("values", [[0.3, -0.1, 0.8, 0.2, 0.5, 0.1, 1.9, -0.2], [1, 2, 4, 8, 16]])
def test_bca_agrees_with_scipy(values):
    theirs = reference.bootstrap(
        (values,), np.mean, method="BCa", n_resamples=50_000, rng=np.random.default_rng(0)
    ).confidence_interval
    ours = bca(values, resamples=50_000)
    width = theirs.high - theirs.low
    assert ours.value == pytest.approx(np.mean(values))
    assert ours.low == pytest.approx(theirs.low, abs=0.02 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.02 * width)


def test_bca_of_constant_or_single_values():
    assert bca([0.5, 0.5, 0.5]) == Interval(0.5, 0.5, 0.5)
    assert math.isnan(bca([0.5]).low) and bca([0.5]).value == 0.5
    assert math.isnan(bca([]).value)


@pytest.mark.parametrize("n", [2, 3, 10, 40])
def test_students_interval_is_scipys(n):
    values = np.random.default_rng(n).normal(1.0, 2.0, n).tolist()
    theirs = reference.ttest_1samp(values, 0.0).confidence_interval()
    ours = student_interval(values)
    assert ours.value == pytest.approx(np.mean(values))
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(2, 3), (3, 3), (10, 4)])
def test_welchs_interval_is_scipys(n, m):
    rng = np.random.default_rng(n)
    values, others = rng.normal(1.0, 2.0, n).tolist(), rng.normal(0.0, 0.5, m).tolist()
    theirs = reference.ttest_ind(values, others, equal_var=False).confidence_interval()
    ours = welch_interval(values, others)
    assert ours.value == pytest.approx(np.mean(values) - np.mean(others))
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)


def test_welchs_interval_of_constant_or_single_values():
    assert welch_interval([1.5, 1.5], [1.0, 1.0]) == Interval(0.5, 0.5, 0.5)
    alone = welch_interval([1.5], [1.0, 2.0])
    assert alone.value == 0.0 and math.isnan(alone.low)
    assert math.isnan(welch_interval([], [1.0]).value)


def test_students_interval_of_constant_or_single_values():
    assert student_interval([0.5, 0.5, 0.5]) == Interval(0.5, 0.5, 0.5)
    assert student_interval([0.5]).value == 0.5 and math.isnan(student_interval([0.5]).high)
    assert math.isnan(student_interval([]).value)


def test_bca_is_repeatable_and_covers():
    rng = np.random.default_rng(3)
    samples = rng.normal(1.0, 1.0, (200, 20)).tolist()
    assert bca(samples[0], seed=4) == bca(samples[0], seed=4) != bca(samples[0], seed=5)
    inside = [bca(s, resamples=500) for s in samples]
    covered = sum(i.low <= 1.0 <= i.high for i in inside)
    assert 176 <= covered <= 200  # 95 % less what 20 values cost, four standard errors


@pytest.mark.parametrize("n", [1, 5, 6, 10])
def test_sign_flip_of_equal_signs_is_the_smallest_p(n):
    assert sign_flip([0.1 * (i + 1) for i in range(n)]) == 2.0 ** (1 - n)
    assert sign_flip([-1.0] * n) == 2.0 ** (1 - n)


def test_sign_flip_counts_the_patterns():
    values = [0.3, -0.1, 0.8, 0.2, 0.5, 0.1, -0.4]
    sums = [abs(np.dot(signs, values)) for signs in product((1, -1), repeat=7)]
    assert sign_flip(values) == np.mean(np.array(sums) >= abs(sum(values)) - 1e-12)
    theirs = reference.permutation_test(
        (values,), np.sum, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip(values) == pytest.approx(theirs.pvalue)


def test_sign_flip_of_many_pairs_draws_patterns():
    values = np.random.default_rng(6).normal(0.4, 1.0, 40)
    t_test = reference.ttest_1samp(values, 0.0).pvalue
    assert sign_flip(values) == pytest.approx(t_test, abs=0.01)
    assert sign_flip([1.0] * 40) <= 1e-4


def test_sign_flip_without_a_difference():
    assert sign_flip([]) == 1.0
    assert sign_flip([0.0, 0.0, 0.0]) == 1.0
    assert sign_flip([1.0, -1.0]) == 1.0
    with pytest.raises(ValueError, match="finite"):
        sign_flip([1.0, math.nan])


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_arms_that_are_to_come_count_and_can_take_no_verdict_away():
    """Ten pairs of one sign have p = 2 / 1024: enough in a family of eight, not in one of 30."""
    steady = {"a": [1.0 + i for i in range(10)], "b": [(-1.0) ** i for i in range(10)]}
    alone, planned, many = (paired(steady, planned=n, resamples=2) for n in (0, 8, 30))
    assert alone["a"].p_holm == pytest.approx(2 * 2 / 1024)
    assert planned["a"].p_holm == pytest.approx(8 * 2 / 1024) and planned["a"].verdict == "higher"
    assert planned["b"].p_holm == 1 and planned["b"].verdict == SAME
    assert many["a"].p_holm == pytest.approx(30 * 2 / 1024) and many["a"].verdict == TOO_FEW
    noise = {str(i): [(-1.0) ** (i + k) * (k + 1) for k in range(10)] for i in range(6)}
    come = paired({**steady, **noise}, planned=8, resamples=2)
    assert come["a"].verdict == planned["a"].verdict
    assert come["a"].p_holm <= planned["a"].p_holm


def test_seeds_that_a_family_needs():
    """The counts by hand: 6 for one comparison, 9 for eight, 10 for twenty."""
    assert [seeds_needed(m) for m in (1, 8, 20)] == [6, 9, 10]


@pytest.mark.parametrize(("comparisons", "n"), [(1, 6), (8, 9), (20, 10)])
def test_paired_says_when_seeds_are_too_few(comparisons, n):
    def verdicts(seeds):
        family = {str(i): [1.0 + 0.1 * s for s in range(seeds)] for i in range(comparisons)}
        return {row.verdict for row in paired(family, resamples=200).values()}

    assert verdicts(n - 1) == {TOO_FEW}
    assert verdicts(n) == {"higher"}


def test_paired_verdicts_and_numbers():
    rng = np.random.default_rng(7)
    noise = rng.normal(0, 0.2, 10)
    noise -= noise.mean()
    family = {"up": 0.5 + noise, "down": -0.5 - noise, "same": noise, "short": [0.5] * 4}
    rows = paired({arm: list(d) for arm, d in family.items()})
    assert [rows[a].verdict for a in family] == ["higher", "lower", SAME, TOO_FEW]
    assert rows["up"].mean == pytest.approx(0.5)
    ends = student_interval(family["up"])
    assert (rows["up"].low, rows["up"].high) == (ends.low, ends.high)
    assert 0 < rows["up"].bca_high - rows["up"].bca_low < ends.high - ends.low
    assert rows["up"].p == 2.0**-9
    assert rows["up"].p_holm == pytest.approx(4 * 2.0**-9)
    assert rows["short"].n == 4


@pytest.mark.parametrize("n", [6, 8])
def test_an_arm_short_of_seeds_cannot_tell_whatever_the_others_have(n):
    rng = np.random.default_rng(3)
    family = {str(i): rng.normal(0, 1, 10).tolist() for i in range(7)}
    family["short"] = [0.5 + 0.1 * i for i in range(n)]
    rows = paired(family, resamples=200)
    assert rows["short"].p == 2.0 ** (1 - n) and rows["short"].verdict == TOO_FEW
    assert {rows[str(i)].verdict for i in range(7)} == {SAME}
    # beside seven arms that are higher it is judged alone, and found
    sure = {str(i): [1.0 + 0.1 * s for s in range(10)] for i in range(7)}
    assert paired({**sure, "short": family["short"]}, resamples=200)["short"].verdict == "higher"


def test_paired_tolerates_an_arm_without_seeds():
    row = paired({"none yet": []})["none yet"]
    assert (row.n, row.p_holm, row.verdict) == (0, 1.0, TOO_FEW)
    assert math.isnan(row.mean)
    assert paired({}) == {}


def test_family_error_rate_is_kept():
    rng = np.random.default_rng(8)
    wrong = 0
    for _ in range(300):
        p_values = [sign_flip(d) for d in rng.normal(0, 1, (8, 10)).tolist()]
        wrong += min(holm(p_values)) <= 0.05
    assert wrong <= 0.05 * 300 + 3 * math.sqrt(300 * 0.05 * 0.95)
