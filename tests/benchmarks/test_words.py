"""A comparison as a clause: what its verdict is adjusted for and its interval is not, it says."""

from types import SimpleNamespace

import pytest

from benchmarks import stats
from benchmarks.site.words import comparison

ROW = {"arm": "se", "pairs": 10, "failed": 0, "gap": "", "difference": -0.2}


@pytest.mark.parametrize(
    ("low", "high", "verdict", "words"),
    [
        (
            -0.3,
            -0.1,
            "lower",
            "lower by 0.20 points (95 % interval −0.30 to −0.10, 10 paired seeds)",
        ),
        (
            -0.3,
            0.1,
            stats.SAME,
            "no measurable difference (−0.20 points, "
            "95 % interval −0.30 to +0.10, 10 paired seeds)",
        ),
        (
            -0.3,
            -0.1,
            stats.SAME,
            "no measurable difference once adjusted for all lines of its table (−0.20 points; "
            "this line alone has the 95 % interval −0.30 to −0.10, 10 paired seeds)",
        ),
    ],
)
def test_an_interval_that_leaves_zero_out_beside_no_difference_is_explained(
    low, high, verdict, words
):
    assert comparison(SimpleNamespace(**ROW, low=low, high=high, verdict=verdict)) == words
