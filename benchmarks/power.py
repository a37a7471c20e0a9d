"""How small a difference so many paired seeds can show, and how many seeds a difference takes.

For planning; verdicts come from ``stats``. Effects are in deviations of the paired differences,
which are taken to be normal. Up to `FEW` pairs the power of the sign-flip test is counted over
drawn differences; of more it is that of Student's t at the level that the 2^(n-1) patterns can
reach, which comes near it from above.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache

import numpy as np

from benchmarks import student
from benchmarks.stats import ALPHA, seeds_needed

POWER = 0.8
"""The chance to be found that a difference must have before a table counts as able to show it."""

OFTEN = f"about {100 * POWER:.0f} times in 100"
"""That chance in words."""

MOST_SEEDS = 100_000

FEW = 12
"""Most pairs whose power is counted."""

DRAWS = 4000
"""Sets of differences that it is counted over, the same for every effect."""


def ahead(differences: Sequence[float]) -> float:
    """P(A > B): the share of seeds in which the arm is ahead, a tie half; NaN without pairs.

    How likely a reader with one run of each would see the arm win (Bouthillier et al. 2021,
    https://arxiv.org/abs/2103.03098, section 4).
    """
    if not len(differences):
        return math.nan
    return float(np.mean([(d > 0) + (d == 0) / 2 for d in differences]))


def level(n: int, comparisons: int) -> float:
    """The largest p of n pairs that Holm's first step still accepts; 0 if none is small enough."""
    patterns = 2.0 ** min(n - 1, 50)
    return math.floor(ALPHA / comparisons * patterns + 1e-9) / patterns


def power(effect: float, n: int, comparisons: int) -> float:
    """The chance that n pairs show an effect in a family of so many comparisons.

    By Holm's first step, so it holds whatever the other arms do.
    """
    reach = level(n, comparisons)
    if n < 2 or not reach:
        return 0.0
    if n <= FEW:
        return 1.0 if math.isinf(effect) else _counted(effect, n, reach)
    return student.beyond(student.critical(n - 1, reach), effect * math.sqrt(n), n - 1)


def _counted(effect: float, n: int, reach: float) -> float:
    """The share of drawn sets of n differences with a p of at most ``reach`` by sign-flip."""
    drawn, signs = _draws(n)
    sums = np.abs((drawn + effect) @ signs)  # (draws, patterns), the first as it was drawn
    as_large = sums >= sums[:, :1] * (1 - 1e-12)
    return float(np.mean(as_large.mean(axis=1) <= reach))


@cache
def _draws(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal differences (`DRAWS`, n), and the signs of all patterns (n, 2^(n-1)) but mirrors."""
    numbers = np.arange(2 ** (n - 1))
    signs = 1.0 - 2.0 * ((numbers >> np.arange(n)[:, None]) & 1)
    return np.random.default_rng(0).standard_normal((DRAWS, n)), signs


@cache
def smallest_effect(n: int, comparisons: int) -> float:
    """The effect that n pairs show with the chance `POWER`; infinite where they can show none."""
    if power(math.inf, n, comparisons) < POWER:
        return math.inf
    low, high = 0.0, 1.0
    while power(high, n, comparisons) < POWER:
        low, high = high, 2 * high
    for _ in range(16):
        middle = (low + high) / 2
        if power(middle, n, comparisons) < POWER:
            low = middle
        else:
            high = middle
    return high


def seeds_for(effect: float, comparisons: int) -> int:
    """Fewest pairs that show an effect with the chance `POWER`, at most `MOST_SEEDS`."""
    fewest = max(2, seeds_needed(comparisons))
    return fewest + bisect_left(
        range(fewest, MOST_SEEDS), POWER, key=lambda n: power(abs(effect), n, comparisons)
    )


def deviation(differences: Sequence[float]) -> float:
    """Deviation of the differences between seeds; NaN of fewer than two, or if they are equal."""
    found = float(np.std(differences, ddof=1)) if len(differences) > 1 else math.nan
    return found if found > 0 else math.nan


def could_show(differences: Sequence[float], comparisons: int) -> float:
    """The smallest difference that so many pairs show with the chance `POWER`, in their unit.

    Infinite where they can show none, NaN where they do not vary.
    """
    effect = smallest_effect(len(differences), comparisons)
    return effect if math.isinf(effect) else effect * deviation(differences)
