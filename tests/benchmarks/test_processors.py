"""What the pages say of more than one processor, from rows whose truth is known."""

import json
from dataclasses import replace

import pytest
import rendered
import trial

from benchmarks import gates, tables
from benchmarks.cells import Cell
from benchmarks.site import processors
from benchmarks.stats import NOISY, SAME
from benchmarks.store import Store

FIRST, SECOND = "aaa", "bbb"
TIMED = Cell("latency", "", precision="fp32", layout="nchw", batch_size=1, threads=1)
ALONE = Cell("speed", "none", precision="fp32", batch_size=8, threads=1)
MAPS = ("8x256x56x56", "8x512x28x28")


@pytest.fixture
def store(tmp_path):
    """A store whose two machines have names of processors."""
    (tmp_path / "machines").mkdir()
    for machine, name in ((FIRST, "AMD EPYC"), (SECOND, "Intel(R) Xeon(R) Processor")):
        path = tmp_path / "machines" / f"{machine}.json"
        path.write_text(json.dumps({"processor": name, "cores": 2, "gpus": []}))
    return Store(tmp_path)


def cells(text, arm):
    """The words of each cell of an arm's line."""
    return [rendered.plain(cell) for cell in rendered.row_of(text, arm).split("</td>")[:-1]]


def timed(store, machine, backbone, ratios, half=0.01, floor=0.01, **values):
    """Rows of one session on one machine."""
    for arm, ratio in ratios.items():
        cell = replace(TIMED, backbone=backbone, module=arm, image_size=224)
        ends = {"ratio": ratio, "ratio_low": ratio - half, "ratio_high": ratio + half}
        ends |= {"floor_low": 1 - floor, "floor_high": 1 + floor, "latency_ms": 10 * ratio}
        trial.append(store, cell, {**ends, **values}, machine=machine)


def alone(store, machine, arm, ratios, verdict="faster", floor_ratio=None):
    """Rows of one gate by itself: a ratio for each map."""
    for data, ratio in zip(MAPS, ratios, strict=True):
        cell = replace(ALONE, module=arm, data=data, recipe="inference", layout="nchw")
        values = {"ratio": ratio, "compiled_ratio": 2 * ratio, "verdict": verdict}
        values |= {"floor_ratio": floor_ratio}
        trial.append(store, cell, values, machine=machine)


def test_one_processor_is_no_comparison(store):
    timed(store, FIRST, "resnet18", {"none": 1.0, "se": 1.2})
    timed(store, SECOND, "resnet50", {"none": 1.0, "se": 1.2})
    alone(store, FIRST, "se", (0.5, 0.5))
    assert "not measured" in processors.latency(store)
    assert "not measured" in processors.speed(store)
    found = processors.facts(store)
    assert found.pop("processors.speed") == "0.500 (of compiled timm's 1.000) on AMD EPYC"
    assert set(found.values()) == {"not measured"}, "the floors too: of maps that have no ratio"


def test_no_rows_at_all_say_so(store):
    assert set(processors.facts(store).values()) == {"not measured"}
    assert tables.timing_machine(store) is None


def test_ratios_stand_side_by_side_and_are_told_apart_beyond_intervals_and_floors(store):
    timed(store, FIRST, "resnet18", {"none": 1.0, "se": 1.2, "eca": 1.3, "cbam": 1.5, "sk": 1.9})
    timed(store, FIRST, "resnet50", {"none": 1.0, "se": 1.2})
    timed(store, SECOND, "resnet18", {"none": 1.0, "se": 1.3, "eca": 1.1, "cbam": 1.53, "pam": 2})
    text = processors.latency(store)
    assert cells(text, "se") == ["se 1.200 [1.190, 1.210]", "1.300 [1.290, 1.310]"]
    assert "resnet50" not in text, "one processor alone timed it"
    found = processors.facts(store)
    assert found["processors.names"] == "AMD EPYC and Intel Xeon"
    assert found["processors.apart"] == (
        "of 3 ratios 1 are larger on Intel Xeon than on AMD EPYC, 1 are smaller, and 1 can't be "
        "told apart"
    )
    assert found["processors.order"] == "0.50 in resnet18"


def test_a_session_too_noisy_tells_nothing_apart(store):
    timed(store, FIRST, "resnet18", {"none": 1.0, "se": 1.2})
    timed(store, SECOND, "resnet18", {"none": 1.0, "se": 1.9}, verdict=NOISY)
    assert processors.facts(store)["processors.apart"] == "not measured"


def test_the_gates_by_themselves_are_means_over_all_settings_with_their_verdicts(store):
    alone(store, FIRST, "se", (0.4, 0.9))
    alone(store, SECOND, "se", (0.5, 2.0), NOISY)
    alone(store, FIRST, "eca", (1.0, 1.0), SAME)
    text = processors.speed(store)
    assert cells(text, "se")[:2] == ["se 0.600 2 faster", "1.000 2 too noisy"]
    assert cells(text, "eca")[:2] == ["eca 1.000 2 same", "not measured"]
    assert processors.facts(store)["processors.speed"] == (
        "0.775 (of compiled timm's 1.549) on AMD EPYC and 1.000 (of compiled timm's 2.000) on "
        "Intel Xeon"
    )


def test_the_floors_are_of_what_is_quiet_on_each_processor(store):
    timed(store, FIRST, "resnet18", {"none": 1.0, "se": 1.2})
    alone(store, FIRST, "se", (0.5, 0.5), floor_ratio=1.2)
    alone(store, FIRST, "coord", (0.5, 0.5), floor_ratio=2.2)
    alone(store, FIRST, "eca", (0.5, 0.5), NOISY, floor_ratio=3.2)
    alone(store, SECOND, "eca", (0.5, 0.5), floor_ratio=1.4)
    assert processors.facts(store)["processors.floor"] == (
        "1.200 to 1.200 (AMD EPYC, 2 of 4 settings) and "
        "1.400 to 1.400 (Intel Xeon, 2 of 2 settings)"
    )


def test_tables_of_gates_are_of_the_machine_that_timed_most_networks(store):
    """Not of the newest: two tables of a page would be of two processors."""
    timed(store, FIRST, "resnet18", {"none": 1.0, "se": 1.2})
    alone(store, FIRST, "se", (0.5, 0.5))
    alone(store, SECOND, "se", (0.6, 0.6))
    alone(store, SECOND, "eca", (0.6, 0.6))
    assert set(gates.of_one_machine(store, "speed")["machine"]) == {FIRST}
