"""The comparison with fvcore counts what both count, and finds a difference that is planted."""

from dataclasses import replace

import pytest

from benchmarks import counting
from benchmarks.cells import MODULES, Cell, Selection
from benchmarks.cost import CostBenchmark
from benchmarks.counting import CountingBenchmark, Macs, compared, on_meta, with_fvcore

COUNTING = CountingBenchmark()
SMALL = [
    Cell("cost", "resnet10_small", module, device="meta", image_size=28)
    for module in ("none", "se", "danet")
]


def test_suites_time_the_two_tables():
    assert [cell.data for cell in COUNTING.cells(Selection("cpu"))] == ["cost", "coverage"]
    assert not list(COUNTING.cells(Selection("quick")))
    assert not list(COUNTING.cells(Selection("cpu", backbones=("resnet18",))))


def test_the_rows_are_the_whole_cost_table_and_every_module_of_the_sample():
    assert counting._rows("cost") == list(CostBenchmark().cells(Selection("cpu")))
    sample = counting._rows("coverage")
    assert sample == counting._rows("coverage")
    assert len({row.backbone for row in sample}) == counting.SAMPLED
    assert len(sample) == counting.SAMPLED * len(MODULES[1:])
    assert f"{counting.SAMPLED} architectures" in counting.TABLES["coverage"]


@pytest.mark.parametrize("row", SMALL, ids=lambda row: row.module)
def test_both_count_the_same_convolutions_and_linear_layers(row):
    theirs, seconds = with_fvcore(row)
    assert on_meta(row).conv_linear == theirs.conv_linear > 0
    assert seconds > 0


def test_a_row_has_every_column(monkeypatch):
    monkeypatch.setattr(counting, "_rows", lambda table: SMALL[:2])
    row = COUNTING.measure(next(COUNTING.cells(Selection("cpu"))))
    assert set(row) == {column.name for column in COUNTING.columns}
    assert (row["rows"], row["rows_failed"], row["equal_macs"]) == (2, 0, 2)
    assert row["seconds_fvcore_alone"] < row["seconds_fvcore"]


def test_a_difference_is_named_with_its_reason():
    ours = dict.fromkeys(SMALL, Macs(100, 10))
    theirs = {
        SMALL[0]: Macs(100, 10),
        SMALL[1]: Macs(100, 0, "scaled_dot_product_attention 1"),
        SMALL[2]: Macs(99, 10),
    }
    found = compared(ours, theirs)
    assert (found["equal_conv_linear"], found["equal_macs"]) == (2, 1)
    assert found["differences"] == (
        "resnet10_small se: fvcore does not count scaled_dot_product_attention 1 (10 MACs); "
        "resnet10_small danet: 1 MACs more on the meta device"
    )


def test_a_row_without_a_place_fails_both_ways_or_is_an_error():
    row = replace(SMALL[0], backbone="mambaout_femto", module="se", image_size=None)
    assert on_meta(row) is None
    theirs, _ = counting._count_with_fvcore([row])
    assert compared({row: None}, theirs)["rows_failed"] == 1
    with pytest.raises(RuntimeError, match="not on both"):
        compared({row: None}, {row: Macs(1, 0)})
