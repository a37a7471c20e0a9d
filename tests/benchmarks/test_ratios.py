"""A ratio stands with both ends of its interval, and what is measured fills its columns."""

import pytest

from benchmarks import evaluation, ratios
from benchmarks.cells import benchmarks
from benchmarks.timing import Record, Timing


@pytest.mark.parametrize("name", ["latency", "networks", "speed", "position"])
def test_every_ratio_is_followed_by_the_ends_of_its_interval(name):
    columns = benchmarks()[name].columns
    names = [column.name for column in columns]
    found = [n for n in names if n == "ratio" or n.endswith("_ratio") and n != "memory_ratio"]
    assert "ratio" in found
    for ratio in found:
        at = names.index(ratio)
        assert names[at + 1 : at + 3] == [f"{ratio}_low", f"{ratio}_high"]
        for column, end in zip(columns[at + 1 : at + 3], ("lower", "upper"), strict=True):
            assert column.description.startswith(f"{end} end of the 95 % ")
            assert ratio in column.description.split()


def test_an_arm_has_a_value_for_every_column_of_a_ratio_over_builds():
    timings = [Timing(seconds=[s] * 4, busy=[s] * 4, calls=1) for s in (0.01, 0.01, 0.02)]
    arms = (evaluation.BASELINE, evaluation.BASELINE, ("se", ""))
    values = evaluation.evaluate(arms, [Record(timings, [])] * 4)["se", ""]
    assert isinstance(values, dict)
    wanted = [column.name for column in (*ratios.over_builds("se over bare"), *ratios.BUILDS)]
    assert all(values[name] is not None for name in wanted)
    assert values["ratio"] == pytest.approx(2)
    assert (values["verdict"], values["builds"]) == ("slower", 4)
