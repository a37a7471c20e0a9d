"""Student's distribution against scipy's t and noncentral t."""

import pytest
from scipy import stats as reference

from benchmarks import student


@pytest.mark.parametrize("df", [1, 2, 4, 9, 13.7, 60, 5000])
@pytest.mark.parametrize("share", [0.05, 0.005])
def test_it_is_scipys(df, share):
    critical = student.critical(df, share)
    assert critical == pytest.approx(reference.t.isf(share / 2, df), rel=1e-8)
    for shift in (0.5, 3.0):
        theirs = reference.nct.sf(critical, df, shift) + reference.nct.cdf(-critical, df, shift)
        assert student.beyond(critical, shift, df) == pytest.approx(theirs, abs=1e-8)
