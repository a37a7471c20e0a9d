"""What the result of a module on a task made for it is said to mean."""

import pytest

from benchmarks import stats
from benchmarks.site import own_tasks_facts
from benchmarks.store import Store


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ({"mark": "higher", "position": "higher"}, ""),
        ({"mark": "higher", "position": stats.TOO_FEW}, ""),
        (
            {"mark": "higher", "pair": "higher"},
            "But coord × 4 is higher than none on *pair* too, which it is not made for: so it",
        ),
        (
            {"mark": "higher", "position": stats.SAME},
            "But coord × 4 is not shown to be higher on *position*, which it is made for.",
        ),
        (
            {"mark": "higher", "position": "lower"},
            "But coord × 4 is lower on *position*, which it is made for.",
        ),
    ],
)
def test_what_speaks_against_the_paper_s_reason_is_said(monkeypatch, verdicts, said):
    monkeypatch.setattr(own_tasks_facts.site_controls, "rescaled_verdicts", lambda *_: verdicts)
    found = own_tasks_facts._but(Store("nowhere"), "coord, mark")
    assert found.startswith(said) and bool(found) == bool(said)
