"""Student's t distribution, also with its numerator moved (noncentral), for any degrees of freedom.

P(|T| > t) is the mean of Phi(shift - t s) + Phi(-shift - t s) over the deviation s of a sample,
which has the density of sqrt(chi^2 / df). scipy is not needed to read tables.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

NODES = 401


def beyond(t: float, shift: float, df: float) -> float:
    """P(|T| > t) of Student's T with ``df`` degrees of freedom whose numerator has mean shift."""
    s, weight = _deviations(df)
    return float(weight @ (_phi(shift - t * s) + _phi(-shift - t * s)))


@lru_cache(maxsize=4096)
def critical(df: float, reach: float) -> float:
    """The t beyond which a share ``reach`` of Student's distribution lies, both sides together."""
    low, high = 0.0, 1.0
    while beyond(high, 0.0, df) > reach:
        low, high = high, 2 * high
    for _ in range(45):
        middle = (low + high) / 2
        if beyond(middle, 0.0, df) > reach:
            low = middle
        else:
            high = middle
    return high


@lru_cache(maxsize=512)
def _deviations(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Deviations of a sample with ``df`` degrees of freedom, and the weight of each.

    Evenly spaced in their logarithms, where the density falls off on both sides, so that a plain
    sum has all digits.
    """
    width = 9 / math.sqrt(2 * df)
    logs = np.linspace(-width - 40 / df, math.log1p(width), NODES)
    s = np.exp(logs)
    weight = np.exp(df * (logs - (s**2 - 1) / 2))
    return s, weight / weight.sum()


def _phi(x: np.ndarray) -> np.ndarray:
    """The normal distribution function."""
    return np.array([math.erfc(-v / math.sqrt(2)) / 2 for v in x.tolist()])
