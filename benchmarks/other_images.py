"""Would other test images say the same? Differences by seed and by image, from the kept bits.

A paired difference of two arms is a mean over seeds and over test images. The verdicts of `stats`
let the seeds vary and keep the images. Here both vary: the rows of bits give the two variances.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks import student, tables
from benchmarks.accuracy import correct_images
from benchmarks.stats import ALPHA


@dataclass(frozen=True)
class Crossed:
    """A mean difference in points, and its standard errors.

    ``by_seeds`` lets only the seeds vary, ``by_both`` the test images too. ``disagree`` is the
    share of test images, in percent, that one arm of a pair classifies rightly and the other not.
    """

    mean: float
    by_seeds: float
    by_both: float
    disagree: float
    seeds: int

    def interval(self, error: float) -> tuple[float, float]:
        """The 95 % interval by one of the errors, with Student's quantile of the seeds."""
        reach = student.critical(self.seeds - 1, ALPHA) * error
        return self.mean - reach, self.mean + reach


def crossed(arm: np.ndarray, other: np.ndarray) -> Crossed:
    """Two arms, bits of (seeds, images) each: what the seeds and what the images contribute.

    The model is a mean, an effect of the seed, one of the image, and a rest for each pair of both,
    all independent. A variance of means over images holds 1/n of that of the rest, and so does one
    of means over seeds; it is taken off once (Searle, Casella and McCulloch, Variance Components,
    1992, chapter 4, balanced data). An estimate of images below zero counts as 0.
    ValueError for fewer than two seeds or images, or for arms of different shapes.
    """
    if arm.shape != other.shape or arm.ndim != 2 or min(arm.shape) < 2:
        raise ValueError(
            f"bits of {arm.shape} and {other.shape} given; needed are two arrays of one shape, "
            "two seeds or more by two images or more"
        )
    points = 100 * (arm.astype(float) - other.astype(float))
    seeds, images = points.shape
    mean, by_seed, by_image = points.mean(), points.mean(axis=1), points.mean(axis=0)
    rest = points - by_seed[:, None] - by_image[None] + mean
    of_rest = (rest**2).sum() / ((seeds - 1) * (images - 1)) / (seeds * images)
    of_seeds = by_seed.var(ddof=1) / seeds
    of_images = max(0.0, by_image.var(ddof=1) / images - of_rest)
    return Crossed(
        float(mean),
        float(np.sqrt(of_seeds)),
        float(np.sqrt(of_seeds + of_images)),
        float(np.abs(points).mean()),
        seeds,
    )


def against_none(rows: pd.DataFrame) -> dict[str, Crossed]:
    """`crossed` of each arm and the bare backbone over the seeds that both finished, by arm.

    ``rows`` are those of one comparison, one an arm and seed; such as kept no bits are left out.
    """
    done = tables.ok(rows)
    done = done[done["correct"].fillna("") != ""]
    bits = {
        (row.arm, row.seed): correct_images(row.correct, int(row.test_images))
        for row in tables.records(done)
    }
    bare = {seed for arm, seed in bits if arm == "none"}
    found = {}
    for arm in tables.in_order(name for name, _ in bits if name != "none"):
        seeds = sorted(bare & {seed for name, seed in bits if name == arm})
        if len(seeds) > 1:
            mine, theirs = (np.stack([bits[a, s] for s in seeds]) for a in (arm, "none"))
            found[arm] = crossed(mine, theirs)
    return found
