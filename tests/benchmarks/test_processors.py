"""What the pages say of more than one processor, from rows whose truth is known."""

import json
from dataclasses import replace

import pytest
import rendered
import trial

from benchmarks import tables
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
    store = Store(tmp_path)
    names(store)
    return store


def names(store, third=None):
    """Records of the machines, with the names of their processors."""
    (store.root / "machines").mkdir(exist_ok=True)
    found = {FIRST: "AMD EPYC", SECOND: "Intel(R) Xeon(R) Processor", "ccc": third}
    for machine, name in found.items():
        path = store.root / "machines" / f"{machine}.json"
        path.write_text(json.dumps({"processor": name, "cores": 2, "gpus": []}))


def cells(text, arm):
    """The words of each cell of an arm's line."""
    return [rendered.plain(cell) for cell in rendered.row_of(text, arm).split("</td>")[:-1]]


def timed(
    store, machine, backbone, ratios, half=0.01, floor=0.01, pixels=224, device="cpu", **values
):
    """Rows of one session on one machine."""
    for arm, ratio in ratios.items():
        cell = replace(TIMED, backbone=backbone, module=arm, image_size=pixels, device=device)
        ends = {"ratio": ratio, "ratio_low": ratio - half, "ratio_high": ratio + half}
        ends |= {"floor_low": 1 - floor, "floor_high": 1 + floor, "latency_ms": 10 * ratio}
        trial.append(store, cell, {**ends, **values}, machine=machine)


def alone(store, machine, arm, ratios, verdict="faster", floor_ratio=None):
    """Rows of one gate by itself: a ratio for each map."""
    for data, ratio in zip(MAPS, ratios, strict=True):
        cell = replace(ALONE, module=arm, data=data, recipe="inference", layout="nchw")
        values = {"ratio": ratio, "compiled_ratio": 2 * ratio, "verdict": verdict}
        values |= {"floor_ratio": floor_ratio, "compiled_verdict": "slower"}
        trial.append(store, cell, values, machine=machine)


def test_one_processor_is_no_comparison(store):
    timed(store, FIRST, "resnet18", {"none": 1.0, "se": 1.2})
    timed(store, SECOND, "resnet50", {"none": 1.0, "se": 1.2})
    alone(store, FIRST, "se", (0.5, 0.5))
    assert "not measured" in processors.latency(store)
    assert "not measured" in processors.speed(store)
    found = processors.facts(store)
    assert found.pop("processors.speed") == "0.500 on AMD EPYC"
    assert found.pop("processors.compiled") == "1.000 on AMD EPYC"
    assert set(found.values()) == {"not measured"}


def test_no_rows_at_all_say_so(store):
    assert set(processors.facts(store).values()) == {"not measured"}
    assert tables.timing_machine(store) is None


def test_ratios_stand_side_by_side_and_are_told_apart_beyond_intervals_and_floors(store):
    timed(store, FIRST, "resnet18", {"none": 1.0, "se": 1.2, "eca": 1.3, "cbam": 1.5, "sk": 1.9})
    timed(store, FIRST, "resnet50", {"none": 1.0, "se": 1.2})
    timed(store, SECOND, "resnet18", {"none": 1.0, "se": 1.3, "eca": 1.1, "cbam": 1.53, "pam": 2})
    names(store, third="Intel(R) Xeon(R) Processor")
    timed(store, "ccc", "resnet18", {"none": 1.0, "se": 2.0}, device="cuda")
    text = processors.latency(store)
    assert cells(text, "se") == ["se 1.200 [1.190, 1.210]", "1.300 [1.290, 1.310]"]
    assert "resnet50" not in text, "one processor alone timed it"
    found = processors.facts(store)
    assert found["processors.names"] == "AMD EPYC and Intel Xeon"
    assert found["processors.apart"] == (
        "1 of 3 ratios are larger on Intel Xeon than on AMD EPYC and 1 smaller; 1 cannot be told "
        "apart"
    )
    assert found["processors.order"] == "0.50 in resnet18 (AMD EPYC and Intel Xeon)"


def test_a_session_too_noisy_tells_nothing_apart_and_has_no_order(store):
    timed(store, FIRST, "resnet18", {"none": 1.0, "se": 1.2, "eca": 1.3, "cbam": 1.5})
    noisy = {"none": 1.0, "se": 1.9, "eca": 1.8, "cbam": 1.7}
    timed(store, SECOND, "resnet18", noisy, verdict=NOISY)
    found = processors.facts(store)
    assert found["processors.apart"] == found["processors.order"] == "not measured"


def test_networks_fed_otherwise_are_not_compared(store):
    timed(store, FIRST, "resnet18", {"none": 1.0, "se": 1.2})
    timed(store, SECOND, "resnet18", {"none": 1.0, "se": 1.9}, pixels=160)
    assert "not measured" in processors.latency(store)


def test_of_three_machines_each_pair_has_its_sentence_and_its_name(store):
    """Two have a processor of one name."""
    names(store, third="AMD EPYC")
    timed(store, FIRST, "resnet18", {"none": 1.0, "se": 1.2, "eca": 1.3, "cbam": 1.4})
    timed(store, "ccc", "resnet18", {"none": 1.0, "se": 1.2, "eca": 1.3, "cbam": 1.4})
    timed(store, "ccc", "resnet50", {"none": 1.0, "se": 1.2})
    timed(store, SECOND, "resnet50", {"none": 1.0, "se": 1.2})
    found = processors.facts(store)
    assert found["processors.names"].count("AMD EPYC (") == 2
    assert found["processors.apart"].count("cannot be told apart") == 2
    assert found["processors.order"] == "1.00 in resnet18 (AMD EPYC (ccc) and AMD EPYC (aaa))"


def test_the_gates_by_themselves_are_means_over_the_settings_that_each_processor_has(store):
    alone(store, FIRST, "se", (0.4, 0.9))
    alone(store, SECOND, "se", (0.5, 2.0), NOISY)
    alone(store, FIRST, "eca", (1.0, 1.0), SAME)
    text = processors.speed(store)
    assert cells(text, "se")[:2] == ["se 0.600 2 faster", "1.000 2 too noisy"]
    assert cells(text, "se")[-2:] == ["1.200 2 slower", "2.000 2 slower"]
    assert ">eca<" not in text, "the second processor has it not"
    found = processors.facts(store)
    assert found["processors.speed"] == "0.600 on AMD EPYC and 1.000 on Intel Xeon"
    assert found["processors.compiled"] == "1.200 on AMD EPYC and 2.000 on Intel Xeon"


def test_the_floors_are_of_the_same_settings_of_se_and_eca(store):
    alone(store, FIRST, "se", (0.5, 0.5), floor_ratio=1.2)
    alone(store, FIRST, "eca", (0.5, 0.5), NOISY, floor_ratio=1.3)
    alone(store, FIRST, "coord", (0.5, 0.5), floor_ratio=2.2)
    alone(store, SECOND, "se", (0.5, 0.5), floor_ratio=1.4)
    alone(store, SECOND, "coord", (0.5, 0.5), floor_ratio=2.4)
    assert processors.facts(store)["processors.floor"] == (
        "1.200 to 1.200 on AMD EPYC and 1.400 to 1.400 on Intel Xeon"
    )


@pytest.mark.parametrize("name", ["speed", "networks", "allocation", "clock", "position"])
def test_every_table_of_times_is_of_the_machine_that_timed_most_modules(store, name):
    """Not of the newest, nor of the one with most rows: a page would be of two processors."""
    timed(store, FIRST, "resnet18", {"none": 1.0, "se": 1.2})
    timed(store, SECOND, "resnet18", {"none": 1.0})
    timed(store, SECOND, "resnet50", {"none": 1.0})
    timed(store, SECOND, "resnet34", {"none": 1.0})
    for seed, machine in enumerate((FIRST, SECOND, SECOND)):
        trial.append(store, Cell(name, "a_net", "se", seed=seed), {}, machine=machine)
    assert set(tables.timed(store, name)["machine"]) == {FIRST}
    assert {s["machine"] for s in tables.latency_settings(store, device="cpu")} == {FIRST}
