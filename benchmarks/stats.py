"""Intervals, tests and verdicts, as plain functions on plain lists.

Latency: ratios with an interval, judged against a noise floor. Accuracy: differences of paired
seeds with Student's interval, a BCa interval, an exact sign-flip test and Holm's correction.
Everything random takes a seed; equal input gives equal output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from benchmarks import student

CONFIDENCE = 0.95
ALPHA = 0.05
MAX_FLOOR = 0.05
"""A latency session whose copies of one network differ by more than this ranks nothing."""

RESOLUTION = 0.01
"""Two times that differ by less are never called different: copies of one network lie at different
places in memory, and their times differ for that alone."""

T_975 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
)
"""Student's t at 97.5 % for 1 to 20 degrees of freedom."""

EXACT_UP_TO = 20
"""Pairs up to which the sign-flip test visits every sign pattern."""

VERDICT_RULE = (CONFIDENCE, T_975, MAX_FLOOR, RESOLUTION)
"""The constants that decide a verdict on times: part of the configuration of all that uses one."""

SAME = "no measurable difference"
TOO_FEW = "not enough seeds"
NOISY = "noise floor too high"


@dataclass(frozen=True)
class Interval:
    """An estimate with the two ends of its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Paired:
    """One arm against the baseline over ``n`` paired seeds, in the unit of the differences.

    ``low`` and ``high`` are the ends of Student's interval.
    """

    n: int
    mean: float
    low: float
    high: float
    bca_low: float
    bca_high: float
    p: float
    p_holm: float
    verdict: str


def geometric_mean(values: Sequence[float]) -> float:
    """exp(mean(log v)) of positive numbers; ValueError for others and for none."""
    numbers = np.asarray(values, dtype=float)
    if numbers.size == 0 or not np.all(np.isfinite(numbers)) or np.any(numbers <= 0):
        raise ValueError(f"a geometric mean needs positive finite numbers, got {list(values)}")
    return float(np.exp(np.log(numbers).mean()))


def fastest(samples: Sequence[Sequence[float]], quantile: float = 0.0) -> float:
    """A low quantile (0 is the minimum) of each process, as geometric mean over processes."""
    return geometric_mean([float(np.quantile(process, quantile)) for process in samples])


def faster_half(times: Sequence[float]) -> float:
    """Mean of the faster half of the times, rounded up: of three the two smallest.

    What runs beside a network only adds to its times, so the faster half says most about it; the
    mean of a half varies less than its smallest value, which is one lucky sample.
    """
    return float(np.sort(np.asarray(times, dtype=float))[: (len(times) + 1) // 2].mean())


def ratio_interval(
    arm: Sequence[Sequence[float]],
    baseline: Sequence[Sequence[float]],
    *,
    confidence: float = CONFIDENCE,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Geometric mean over processes of min(arm) / min(baseline), with a percentile interval.

    ``arm[p][r]`` and ``baseline[p][r]`` are the times of round ``r`` of process ``p``. The
    bootstrap draws processes, and within each the rounds, the same ones for both arms. Where
    processes themselves differ, three of them give too narrow an interval (a nominal 95 % covers
    about 75 %), which is why `latency_verdict` asks for the noise floor on top.
    ValueError if the two do not hold the same rounds.
    """
    _same_rounds(arm, baseline)
    rng = np.random.default_rng(seed)
    logs = np.empty((len(arm), resamples))
    for p, (ours, theirs) in enumerate(zip(arm, baseline, strict=True)):
        rounds = rng.integers(len(ours), size=(resamples, len(ours)))
        fast = np.asarray(ours, dtype=float)[rounds].min(axis=1)
        logs[p] = np.log(fast / np.asarray(theirs, dtype=float)[rounds].min(axis=1))
    drawn = rng.integers(len(arm), size=(len(arm), resamples))
    ratios = np.exp(np.take_along_axis(logs, drawn, axis=0).mean(axis=0))
    low, high = np.quantile(ratios, [(1 - confidence) / 2, (1 + confidence) / 2])
    value = fastest(arm) / fastest(baseline)
    return Interval(value, min(float(low), value), max(float(high), value))


def _same_rounds(arm: Sequence[Sequence[float]], baseline: Sequence[Sequence[float]]) -> None:
    if len(arm) != len(baseline) or not arm:
        raise ValueError(f"{len(arm)} processes against {len(baseline)}: they must be the same")
    for ours, theirs in zip(arm, baseline, strict=True):
        if len(ours) != len(theirs) or not ours:
            raise ValueError(f"{len(ours)} rounds against {len(theirs)}: they must be the same")


def build_interval(arm: Sequence[Sequence[float]], *copies: Sequence[Sequence[float]]) -> Interval:
    """Ratio of an arm to copies of the baseline, with Student's interval over the builds.

    ``arm[b][r]`` is the time of round ``r`` after build ``b``, when every arm was made anew, at
    another place in memory. A build gives log(faster half of the arm) minus the mean of the same
    over the copies; the ratio is exp of their mean over n builds, and the interval reaches
    t(n - 1) times their standard error: what differs from build to build is in it.
    ValueError for fewer than two builds, or if the copies do not hold the same rounds.
    """
    for copy in copies:
        _same_rounds(arm, copy)
    n = len(arm)
    if n < 2:
        raise ValueError(f"{n} build given: an interval needs at least two")
    ours, *theirs = (np.log([faster_half(times) for times in each]) for each in (arm, *copies))
    logs = ours - np.mean(theirs, axis=0)
    reach = T_975[min(n - 1, len(T_975)) - 1] * logs.std(ddof=1) / np.sqrt(n)
    ends = np.exp([logs.mean(), logs.mean() - reach, logs.mean() + reach])
    return Interval(*map(float, ends))


def process_interval(
    arm: Sequence[Sequence[float]], baseline: Sequence[Sequence[float]]
) -> Interval:
    """Geometric mean over processes of min(arm) / min(baseline), with Student's interval.

    ``arm[p][r]`` and ``baseline[p][r]`` are the times of round ``r`` of process ``p``. What differs
    from process to process is in the interval, as in that of `build_interval` over builds.
    ValueError for fewer than two processes, or if the two do not hold the same rounds.
    """
    _same_rounds(arm, baseline)
    if len(arm) < 2:
        raise ValueError(f"{len(arm)} process given: an interval needs at least two")
    return build_interval(*([[min(times)] for times in each] for each in (arm, baseline)))


def floor_of(floor: Interval) -> float:
    """How far the interval of a network against its own copy lies from 1, in either direction."""
    return max(floor.high, 1 / floor.low, 1.0) - 1


def latency_verdict(ratio: Interval, floor: Interval, max_floor: float = MAX_FLOOR) -> str:
    """``slower`` or ``faster`` where the interval excludes 1 by more than the noise floor.

    ``floor`` is the interval of a second copy of the baseline over the baseline; a floor below
    ``RESOLUTION`` counts as that.
    """
    noise = max(floor_of(floor), RESOLUTION)
    if noise > max_floor:
        return NOISY
    if ratio.low > 1 + noise:
        return "slower"
    if ratio.high < 1 / (1 + noise):
        return "faster"
    return SAME


def verdict_text(other: str = "") -> str:
    """What the words of `latency_verdict` mean, for the text of a column."""
    than = f" than {other}" if other else ""
    return (
        f"slower or faster{than} where the interval excludes 1 by more than the noise floor and by "
        f"more than {100 * RESOLUTION:.0f} %, {SAME} otherwise, {NOISY} where it is above "
        f"{100 * MAX_FLOOR:.0f} %"
    )


def student_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Student's interval of the mean of n values: mean +- t(n - 1) times its standard error.

    Exact for normal values. Fewer than two give ends of NaN.
    """
    data = _finite(values)
    n = data.size
    if n < 2:
        return Interval(float(data.mean()) if n else np.nan, np.nan, np.nan)
    reach = student.critical(n - 1, 1 - confidence) * data.std(ddof=1) / np.sqrt(n)
    return Interval(*map(float, (data.mean(), data.mean() - reach, data.mean() + reach)))


def welch_interval(
    values: Sequence[float], others: Sequence[float], confidence: float = CONFIDENCE
) -> Interval:
    """Welch's interval of the mean of ``values`` less that of ``others``, which are not paired.

    The two may vary differently (Welch 1947). Fewer than two of either give ends of NaN.
    """
    both = [_finite(values), _finite(others)]
    gap = float(both[0].mean() - both[1].mean()) if min(b.size for b in both) else np.nan
    if min(b.size for b in both) < 2:
        return Interval(gap, np.nan, np.nan)
    parts = [float(b.var(ddof=1)) / b.size for b in both]
    if not sum(parts):
        return Interval(gap, gap, gap)
    df = sum(parts) ** 2 / sum(p**2 / (b.size - 1) for p, b in zip(parts, both, strict=True))
    reach = student.critical(df, 1 - confidence) * float(np.sqrt(sum(parts)))
    return Interval(gap, gap - reach, gap + reach)


def bca(
    values: Sequence[float],
    statistic: Callable[..., Any] = np.mean,
    *,
    confidence: float = CONFIDENCE,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Bias-corrected and accelerated bootstrap interval (Efron 1987, sections 3 and 6).

    ``statistic`` takes ``axis``. Values that do not vary give an interval of no width, fewer
    than two values one of NaN. Of few values it is too narrow: the benchmark ``simulation`` says
    by how much.
    """
    data = _finite(values)
    if data.size < 2:
        return Interval(float(data.mean()) if data.size else np.nan, np.nan, np.nan)
    value = float(statistic(data, axis=0))
    rng = np.random.default_rng(seed)
    drawn = statistic(data[rng.integers(data.size, size=(resamples, data.size))], axis=1)
    if np.ptp(drawn) == 0 or np.ptp(data) == 0:
        return Interval(value, value, value)
    normal = NormalDist()
    below = (np.mean(drawn < value) + np.mean(drawn <= value)) / 2
    bias = normal.inv_cdf(float(np.clip(below, 0.5 / resamples, 1 - 0.5 / resamples)))
    left_out = np.stack([np.delete(data, i) for i in range(data.size)])
    pull = statistic(left_out, axis=1)
    pull = pull.mean() - pull
    spread = np.sum(pull**2) ** 1.5
    acceleration = float(np.sum(pull**3) / (6 * spread)) if spread > 0 else 0.0
    ends = []
    for level in ((1 - confidence) / 2, (1 + confidence) / 2):
        z = bias + normal.inv_cdf(level)
        ends.append(normal.cdf(bias + z / (1 - acceleration * z)))
    low, high = np.quantile(drawn, ends)
    return Interval(value, float(low), float(high))


def sign_flip(differences: Sequence[float], *, draws: int = 100_000, seed: int = 0) -> float:
    """Two-sided p that the differences are symmetric about 0, by flipping their signs.

    p = share of the 2^n sign patterns whose |sum| is at least the observed one: exact up to
    ``EXACT_UP_TO`` pairs, above that (1 + hits) / (1 + draws) of random patterns. The smallest
    value for n pairs is 2^(1-n).
    """
    data = _finite(differences)
    if data.size == 0:
        return 1.0
    reach = abs(data.sum()) - 1e-9 * np.abs(data).sum()
    if data.size > EXACT_UP_TO:
        signs = np.random.default_rng(seed).integers(0, 2, size=(draws, data.size)) * 2 - 1
        return float((1 + np.sum(np.abs(signs @ data) >= reach)) / (1 + draws))
    sums = np.zeros(1)
    for difference in data:
        sums = np.concatenate([sums + difference, sums - difference])
    return float(np.mean(np.abs(sums) >= reach))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    adjusted = [0.0] * len(order)
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * float(p_values[i])))
        adjusted[i] = largest
    return adjusted


def seeds_needed(comparisons: int, alpha: float = ALPHA) -> int:
    """Fewest paired seeds with which one of so many comparisons can reach ``alpha``."""
    n = 1
    while comparisons * 2.0 ** (1 - n) > alpha:
        n += 1
    return n


def paired(
    differences: Mapping[str, Sequence[float]],
    *,
    planned: int = 0,
    alpha: float = ALPHA,
    resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, Paired]:
    """Every arm of one table against the baseline; the arms are the family that Holm adjusts for.

    ``differences[arm]`` holds arm minus baseline for each seed that both have. ``planned`` is the
    number of arms that the table is to have: of more than have differences, those that have none
    yet count as arms that show nothing, so that no verdict is lost when their seeds come. Verdicts:
    ``higher`` or ``lower`` if the adjusted p is at most ``alpha``; else ``not enough seeds`` if no
    outcome of so few seeds could reach it in this family without help from other arms; else
    ``no measurable difference``.
    """
    p_values = [sign_flip(d, seed=seed) for d in differences.values()]
    to_come = [1.0] * (planned - len(p_values))
    needed = seeds_needed(len(p_values) + len(to_come), alpha)
    family = zip(holm([*p_values, *to_come]), p_values, strict=False)
    rows = {}
    for (arm, values), (p_holm, p) in zip(differences.items(), family, strict=True):
        ends = student_interval(values, 1 - alpha)
        boot = bca(values, confidence=1 - alpha, resamples=resamples, seed=seed)
        verdict = SAME if len(values) >= needed else TOO_FEW
        if p_holm <= alpha:
            verdict = "higher" if ends.value > 0 else "lower"
        both = (ends.low, ends.high, boot.low, boot.high)
        rows[arm] = Paired(len(values), ends.value, *both, p, p_holm, verdict)
    return rows


def _finite(values: Sequence[float]) -> np.ndarray:
    data = np.asarray(values, dtype=float)
    if data.ndim != 1 or not np.all(np.isfinite(data)):
        raise ValueError(f"expected a flat list of finite numbers, got {values!r}")
    return data
