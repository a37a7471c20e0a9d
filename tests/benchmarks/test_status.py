"""A status says of every cell whether its row is current, and of every other row if it is stale."""

from dataclasses import replace

import pytest
from trouble import cell

from benchmarks import runner
from benchmarks.cells import Selection
from benchmarks.status import Standing, standing
from benchmarks.store import row

WANT = Selection()


@pytest.fixture
def append(store, trouble, code):
    """Write a row of the present code; four cells are wanted."""
    trouble.wanted = ("ok", "ok", "ok", "ok")

    def write(one, **outcome):
        made = outcome.pop("fingerprint", None) or runner.fingerprint(trouble, one)
        store.append("trouble", {**row(one, {}, made, seconds=1.0), **outcome})

    return write


def test_cells_are_current_stale_missing_or_without_a_value(append, code, store, trouble):
    append(cell("ok", 0))
    code("lr = 0.2")
    append(cell("ok", 1))
    append(cell("ok", 2), status="diverged", reason="too far")
    found = standing(trouble, WANT, store)
    assert found == Standing(current=1, stale=1, missing=1, valueless=1)
    assert found.words() == "1 current, 1 stale, 1 missing, 1 without a value"
    assert found.other_words() == ""


def test_rows_beside_the_selection_are_counted_too(append, code, store, trouble):
    append(cell("ok", 7))
    code("lr = 0.2")
    append(cell("ok", 8))
    append(replace(cell("ok", 9), module="gone_pkg:Gate"), fingerprint="f" * 12)
    append(replace(cell("ok", 9), module="timm.layers:SEModule"))  # the suite's own, by its file
    found = standing(trouble, WANT, store)
    assert found == Standing(missing=4, others=4, others_stale=1, others_unknown=1)
    assert found.other_words() == "4 other rows, 1 of them stale, 1 of code that is not here"


def test_where_the_machine_counts_a_row_of_another_is_beside(append, code, store, trouble):
    for seed in range(4):
        append(cell("ok", seed), machine="elsewhere")
    assert standing(trouble, WANT, store) == Standing(current=4)
    trouble.same_machine = lambda cell: True
    assert standing(trouble, WANT, store) == Standing(missing=4, others=4)
    code("lr = 0.2")
    assert standing(trouble, WANT, store) == Standing(missing=4, others=4, others_stale=4)


def test_standings_add_up():
    assert Standing(1, 2, 3, 4, 5, 6, 7) + Standing(current=1) == Standing(2, 2, 3, 4, 5, 6, 7)
