"""The page about the suite shows what the rows say, and what is missing or failed."""

import trial

from benchmarks.cells import Cell
from benchmarks.site import suite
from benchmarks.store import Store

RUN = Cell("overhead", "none", data="1000 cells", recipe="run")
COUNTING = Cell("counting", "none", data="cost", recipe="the whole table")


def counted(seconds_meta, seconds_fvcore, differences=""):
    equal = {"equal_conv_linear": 7, "equal_macs": 6, "rows_failed": 1, "differences": differences}
    times = {"seconds_meta": seconds_meta, "seconds_fvcore": seconds_fvcore}
    ratio = seconds_fvcore / seconds_meta
    return {"rows": 8, **times, "seconds_fvcore_alone": 1.0, "ratio": ratio, **equal}


def test_a_run_is_shown_and_a_store_that_nobody_timed_is_not_hidden(tmp_path):
    store = Store(tmp_path)
    parts = {"plan_s": 1.0, "run_s": 2.0, "fold_s": 0.5}
    trial.append(store, RUN, {"count": 1000, **parts, "total_s": 3.5, "ms_each": 3.5})
    text = suite.overhead(store)
    assert ">1,000<" in text and ">3.50<" in text
    assert "A store of rows: not measured" in text


def test_both_tables_are_added_up_before_the_ratio_is_taken(tmp_path):
    store = Store(tmp_path)
    trial.append(store, COUNTING, counted(1.0, 10.0))
    assert ">both<" not in suite.counting(store)
    coverage = Cell("counting", "none", data="coverage", recipe="a sample")
    trial.append(store, coverage, counted(3.0, 110.0, "net se: fvcore does not count x 1 (5 MACs)"))
    text = suite.counting(store)
    assert ">both<" in text and ">30.00<" in text
    assert "net se" in suite.differences(store)
    assert "fvcore does not count x 1 (5 MACs)" in suite.differences(store)


def test_a_failed_row_shows_its_status(tmp_path):
    store = Store(tmp_path)
    trial.append(store, COUNTING, None)
    assert ">failed<" in suite.counting(store)
