"""What the pages say of a GPU's rows, from rows whose truth is known."""

from dataclasses import replace

import pytest

from benchmarks.cells import Cell
from benchmarks.site import gpu, memory
from benchmarks.store import Store, row

TRAINED = Cell("accuracy", "resnet10_small_os8", data="fashion-mnist", recipe="full", seed=0)
TRAINED = replace(TRAINED, precision="bf16", layout="nhwc", batch_size=128)
TIMED = Cell("latency", "", image_size=224, batch_size=64, threads=1)
SPREAD = [0.2, -0.1, 0.3, -0.4, 0.1, 0.0, -0.2, 0.25, -0.15, 0.05]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def trained(store, device, differences, spread=SPREAD):
    """Ten seeds of each arm, of the bare backbone plus its difference."""
    for arm, difference in differences.items():
        for seed, noise in enumerate(spread):
            cell = replace(TRAINED, module=arm, seed=seed, device=device)
            small = 0.0 if arm == "none" else 0.02 * (-1) ** seed
            values = {"top1": 92 + difference + noise + small, "params": 9}
            store.append("accuracy", row(cell, values, "f" * 12, seconds=1.0))


def timed(store, backbone, ms, ratios, pixels=224, discarded=0, clocks=(1980, 1980)):
    for arm, ratio in ratios.items():
        cell = replace(TIMED, backbone=backbone, module=arm, device="cuda", image_size=pixels)
        cell = replace(cell, precision="bf16", layout="nhwc")
        ends = {"ratio": ratio, "ratio_low": ratio - 0.1, "ratio_high": ratio + 0.1}
        floor = {"floor_low": 0.98, "floor_high": 1.02, "rounds": 8, "builds": 12}
        seen = {"sm_clock_low_mhz": clocks[0], "sm_clock_high_mhz": clocks[1]}
        values = {"latency_ms": ms * ratio, **ends, **floor, **seen, "discarded": discarded}
        store.append("latency", row(cell, values, "f" * 12, seconds=1.0))


def counted(store, backbone, macs, inserted, pixels=224):
    for arm, places in inserted.items():
        cell = Cell("cost", backbone, arm, device="meta", image_size=pixels)
        values = {"macs": macs, "inserted": places}
        store.append("cost", row(cell, values, "f" * 12, seconds=1.0))


def test_without_rows_the_pages_say_so(store):
    assert "The same trainings on a GPU: not measured" in gpu.accuracy(store)
    assert "A GPU beside a processor: not measured" in gpu.latency(store)
    assert "at each of its places: not measured" in gpu.places(store)
    assert set(gpu.facts(store).values()) == {"not measured"}


def test_one_device_alone_is_no_comparison(store):
    trained(store, "cuda", {"none": 0, "se": -1})
    assert "not measured" in gpu.accuracy(store)
    assert gpu.facts(store)["gpu.agree"] == "not measured"


def test_without_the_bare_backbone_no_difference_is_said(store):
    for device in ("cpu", "cuda"):
        trained(store, device, {"se": -1, "eca": 0})
    text = gpu.accuracy(store)
    assert "too few seeds" in text and "91.00" in text
    assert gpu.facts(store)["gpu.agree"] == "not measured"


def test_verdicts_of_both_devices_stand_side_by_side(store):
    trained(store, "cpu", {"none": 0, "se": -1, "eca": 0, "pam": 1})
    trained(store, "cuda", {"none": 0, "se": -1, "eca": -1})
    text, found = gpu.accuracy(store), gpu.facts(store)
    assert "pam" not in text, "only one device has it"
    assert "0.00<br>" in text or ">0.00" in text, "se differs from none alike on both"
    assert text.index(">none<") < text.index(">se<") < text.index(">eca<")
    assert found["gpu.agree"] == (
        "se is lower on both; eca is not told from none on the processor and lower on the GPU"
    )
    assert found["gpu.shift"].startswith("−0.33 points"), "the mean of 0, 0 and -1"


def test_seeds_that_decide_all_or_nothing_are_told_apart(store):
    trained(store, "cpu", {"none": 0, "se": -1})
    trained(store, "cuda", {"none": 0, "se": -1})
    assert gpu.facts(store)["gpu.seeds"].startswith("+1.00 [")


def test_seeds_that_decide_nothing(store):
    other = [SPREAD[i] for i in (3, 7, 5, 9, 0, 2, 6, 1, 8, 4)]
    trained(store, "cpu", {"none": 0, "se": -1})
    trained(store, "cuda", {"none": 0, "se": -1}, spread=other)
    words = gpu.facts(store)["gpu.seeds"]
    low, high = words[words.index("[") + 1 : words.index("]")].replace("−", "-").split(", ")
    assert float(low) < 0 < float(high), words
    assert words.endswith("over 20 pairs of runs")


def test_times_a_place_are_of_the_places_that_a_module_has(store):
    timed(store, "resnet18", 2.0, {"none": 1.0, "se": 1.8, "pam": 1.2})
    counted(store, "resnet18", 10**9, {"none": 0, "se": 8, "pam": 1})
    text = gpu.places(store)
    assert "200<br>" in text or ">200" in text, "0.8 of 2 ms over 8 places, in microseconds"
    assert "[175, 225]" in text and "[200, 600]" in text
    assert gpu.facts(store)["gpu.work"] == "not measured", "one backbone says nothing of another"


def test_work_and_time_of_the_smallest_and_the_largest_network(store):
    timed(store, "resnet10_small", 1.0, {"none": 1.0, "se": 2.0}, pixels=28)
    timed(store, "resnet18", 2.5, {"none": 1.0, "se": 2.0})
    counted(store, "resnet10_small", 10**6, {"none": 0, "se": 4}, pixels=28)
    counted(store, "resnet18", 10**9, {"none": 0, "se": 8})
    assert gpu.facts(store)["gpu.work"] == (
        "the bare resnet18 at 224 px has 1,000 times the multiply-adds of the bare resnet10_small "
        "at 28 px, and takes 2.5 times as long"
    )


def test_what_the_watch_threw_away_is_counted_once_a_session(store):
    timed(store, "resnet18", 2.0, {"none": 1.0, "se": 1.8}, discarded=4, clocks=(1900, 1980))
    timed(store, "resnet50", 2.0, {"none": 1.0, "se": 1.8})
    assert gpu.facts(store)["gpu.watched"] == (
        "in 2 sessions its clock was 1,900 to 1,980 MHz, and 4 of 196 rounds were thrown away"
    )


def test_a_processor_s_ratio_stands_beside_the_gpu_s(store):
    timed(store, "resnet18", 2.0, {"none": 1.0, "se": 1.8})
    cell = replace(TIMED, backbone="resnet18", module="se", batch_size=1)
    ends = {"ratio": 1.05, "ratio_low": 1.04, "ratio_high": 1.06}
    store.append("latency", row(cell, ends, "f" * 12, seconds=1.0))
    text = gpu.latency(store)
    assert text.index("resnet18, processor") < text.index("resnet18, GPU")
    assert "1.050" in text and "1.800" in text
    assert gpu.facts(store)["gpu.dearer"] == "in 1 of 1"


def test_a_gpu_has_no_resident_set(store):
    cell = Cell("memory", "resnet18", recipe="inference", device="cuda", batch_size=64)
    cell = replace(cell, image_size=224)
    store.append("memory", row(cell, {"mode": "inference", "step_mib": 5.0}, "f" * 12, seconds=1.0))
    text = memory.memory(store)
    assert "on a GPU" in text and "Resident set" not in text
    cpu = replace(cell, device="cpu", threads=1)
    store.append("memory", row(cpu, {"mode": "inference", "step_mib": 5.0}, "f" * 12, seconds=1.0))
    assert memory.memory(store).count("Resident set") == 2
