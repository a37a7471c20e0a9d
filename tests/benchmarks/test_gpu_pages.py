"""What the pages say of a GPU's rows, from rows whose truth is known."""

import re
from dataclasses import replace

import numpy as np
import pytest
import trial

from benchmarks import compare, display, pairing
from benchmarks.cells import Cell
from benchmarks.site import gpu_accuracy, gpu_latency, memory
from benchmarks.stats import NOISY
from benchmarks.store import Store

TRAINED = Cell("accuracy", "resnet10_small_os8", data="fashion-mnist", recipe="full", seed=0)
TRAINED = replace(TRAINED, precision="bf16", layout="nhwc", batch_size=128)
TIMED = Cell("latency", "", image_size=224, batch_size=64, threads=1)
SPREAD = [0.2, -0.1, 0.3, -0.4, 0.1, 0.0, -0.2, 0.25, -0.15, 0.05]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def trained(store, device, differences, spread=SPREAD, **outcome):
    """A run of each arm and seed: the bare backbone, the arm's difference, the seed's, a little."""
    for arm, difference in differences.items():
        for seed, noise in enumerate(spread):
            cell = replace(TRAINED, module=arm, seed=seed, device=device)
            small = 0.0 if arm == "none" else 0.02 * (-1) ** seed
            values = {"top1": 92 + difference + noise + small, "params": 9}
            values = {} if outcome else values
            trial.append(store, cell, values, **outcome)


def timed(store, backbone, ms, ratios, pixels=224, clocks=(1980, 1980), **how):
    """Rows of one session; ``clocks`` None are of a GPU that was not watched."""
    discarded, verdict = how.pop("discarded", 0), how.pop("verdict", None)
    for arm, ratio in ratios.items():
        setting = {"device": "cuda", "precision": "bf16", "layout": "nhwc", **how}
        cell = replace(TIMED, backbone=backbone, module=arm, image_size=pixels, **setting)
        ends = {"ratio": ratio, "ratio_low": ratio - 0.1, "ratio_high": ratio + 0.1}
        floor = {"floor_low": 0.98, "floor_high": 1.02, "rounds": 8, "builds": 12}
        seen = {}
        if clocks:
            seen = {"sm_clock_low_mhz": clocks[0], "sm_clock_high_mhz": clocks[1]}
            seen |= {"discarded": discarded}
        values = {"latency_ms": ms * ratio, **ends, **floor, **seen, "verdict": verdict}
        trial.append(store, cell, values)


def counted(store, backbone, macs, inserted, pixels=224, moved=800):
    """Counts of arms by the number of their places; a module moves so many bytes in all."""
    for arm, places in inserted.items():
        cell = Cell("cost", backbone, arm, device="meta", image_size=pixels)
        bytes_ = {"elementwise_bytes": 500, "matmul_bytes": 500 + moved * bool(places)}
        values = {"macs": macs, "inserted": places, **bytes_}
        trial.append(store, cell, values)


def line(text, arm):
    """The cells of an arm's line, without tags."""
    (found,) = re.findall(rf"<tr><th[^>]*>{arm}</th>(.*?)</tr>", text, re.DOTALL)
    return [re.sub(r"<[^>]*>", " ", cell).split() for cell in re.split(r"</td>", found)[:-1]]


def first(cells):
    return [cell[0] for cell in cells]


def test_without_rows_the_facts_say_so(store):
    found = gpu_accuracy.facts(store) | gpu_latency.facts(store)
    assert set(found.values()) == {"not measured", "Not measured."}


def test_one_device_alone_is_no_comparison(store):
    trained(store, "cuda", {"none": 0, "se": -1})
    assert "not measured" in gpu_accuracy.accuracy(store)
    assert gpu_accuracy.facts(store)["gpu.agree"] == "not measured"


def test_without_the_bare_backbone_no_difference_is_said(store):
    for device in ("cpu", "cuda"):
        trained(store, device, {"se": -1, "eca": 0})
    text = gpu_accuracy.accuracy(store)
    assert "too few seeds" in text and "91.00" in text
    assert gpu_accuracy.facts(store)["gpu.agree"] == "not measured"


def test_verdicts_of_both_devices_stand_side_by_side(store):
    trained(store, "cpu", {"none": 0, "se": -1, "eca": 0, "pam": 1})
    trained(store, "cuda", {"none": 0, "se": -1, "eca": -1})
    text, found = gpu_accuracy.accuracy(store), gpu_accuracy.facts(store)
    assert "pam" not in text, "only one device has it"
    assert text.index(">none<") < text.index(">se<") < text.index(">eca<")
    assert first(line(text, "se")) == [
        "−1.00",
        "−1.00",
        "0.00",
        *2 * ["91.00"],
        "10",
    ]
    assert first(line(text, "eca"))[:3] == ["0.00", "−1.00", "−1.00"]
    few = "of 9 planned arms without a run on the"
    unfinished = f"Preview, not a result: 5 {few} processor; Preview, not a result: 6 {few} GPU"
    assert found["gpu.agree"] == (
        f"{unfinished}: se is lower on both; "
        "eca shows no measurable difference on the processor and is lower on the GPU"
    )
    assert found["gpu.same"] == "For 1 of 2 modules."
    assert found["gpu.same_so_far"] == (
        f"For 1 of 2 modules, by intervals of ±0.00 to ±0.00 points ({unfinished}). "
        "What is higher or lower on the processor, judged on the GPU as a family of its own "
        "(chosen when both were known): se lower by 1.00 points (95 % interval −1.02 to −0.98, "
        "10 paired seeds)."
    )
    assert found["gpu.shift"].startswith("−0.33 ["), "the mean of 0, 0 and -1"


def test_what_has_no_pair_on_the_gpu_is_said_to_have_none(store):
    trained(store, "cpu", {"none": 0, "se": -1, "eca": -1})
    trained(store, "cuda", {"none": 0, "se": -1})
    for device in ("cpu", "cuda"):
        cell = replace(TRAINED, module="eca", seed=99, device=device)
        trial.append(store, cell, {"top1": 91.0, "params": 9})
    said = gpu_accuracy.facts(store)["gpu.same_so_far"]
    assert "se lower by 1.00 points" in said and said.endswith("; eca no seed in common.")


def test_complete_comparisons_are_said_in_words(store):
    others = dict.fromkeys(["cbam", "sk", "pam", "cam", "danet", "coord"], 0)
    trained(store, "cpu", {"none": 0, "se": -1, "eca": 0, **others})
    trained(store, "cuda", {"none": 0, "se": -1, "eca": -1, **others})
    assert gpu_accuracy.facts(store)["gpu.agree"].startswith("se is lower on both; cbam shows no ")
    assert (
        gpu_accuracy.facts(store)["gpu.agree"].count("on the processor and is lower on the GPU")
        == 1
    )


def test_a_verdict_is_that_of_all_modules_of_its_device(store):
    """Of fewer lines Holm's correction would be smaller, and one row have two verdicts."""
    steady = {"none": 0, "se": -0.05, "eca": 0.0}
    more = dict.fromkeys(["cbam", "sk", "pam", "cam", "danet", "coord"], 0.0)
    trained(store, "cpu", steady | more)
    trained(store, "cuda", steady)
    which = next(c for c in pairing.comparisons(store) if c.device == "cpu")
    table = compare.accuracy_table(store, which).set_index("arm")
    shown = " ".join(line(gpu_accuracy.accuracy(store), "se")[0])
    assert table.loc["se", "p_holm"] > 5 / 2**9, "five pairs of signs are not enough here"
    assert table.loc["se", "verdict"] in shown


def test_seeds_that_decide_all_or_nothing_are_told_apart(store):
    trained(store, "cpu", {"none": 0, "se": -1})
    trained(store, "cuda", {"none": 0, "se": -1})
    assert gpu_accuracy.facts(store)["gpu.seeds"] == "+1.00 [+1.00, +1.00] over 10 seeds of 2 arms"


def test_seeds_that_decide_nothing(store):
    other = [SPREAD[i] for i in (3, 7, 5, 9, 0, 2, 6, 1, 8, 4)]
    trained(store, "cpu", {"none": 0, "se": -1})
    trained(store, "cuda", {"none": 0, "se": -1}, spread=other)
    words = gpu_accuracy.facts(store)["gpu.seeds"]
    low, high = re.findall(r"[-+−]?\d\.\d\d", words)[1:]
    assert float(low.replace("−", "-")) < 0 < float(high), words


def test_the_interval_leaves_one_seed_out_as_if_it_had_not_been_trained(store):
    """Written out: of both arms is left the seed's noise less its mean over the kept seeds."""
    cpu = {
        "none": [-0.2, -0.2, 0.2, 0.1, -0.1, 0.0, 0.0, -0.3, -0.1, 0.4],
        "cam": [0.3, -0.1, -0.2, -0.6, -0.4, -0.3, -0.7, 0.4, -0.1, -0.3],
    }
    gpu = {
        "none": [-0.4, -0.2, -0.2, -0.3, 0.0, 0.5, -0.6, -0.1, 0.2, 0.2],
        "cam": [0.3, -0.1, -0.8, -0.3, -0.4, 0.1, -0.5, -1.0, 0.2, 0.4],
    }
    for device, arms in (("cpu", cpu), ("cuda", gpu)):
        for arm, spread in arms.items():
            trained(store, device, {arm: 0}, spread=spread)
    alternating = [[0.0] * 10, [0.02 * (-1) ** seed for seed in range(10)]]
    one, two = (np.add(list(arms.values()), alternating) for arms in (cpu, gpu))

    def r(kept):
        both = one[:, kept], two[:, kept]
        return np.corrcoef([(of - of.mean(axis=1, keepdims=True)).ravel() for of in both])[0, 1]

    seeds = np.arange(10)
    pseudo = [10 * r(seeds) - 9 * r(np.delete(seeds, seed)) for seed in seeds]
    reach = 2.262157 * np.std(pseudo, ddof=1) / 10**0.5
    ends = display.interval(display.points, r(seeds), r(seeds) - reach, r(seeds) + reach)
    assert r(seeds) - reach > -1 and r(seeds) + reach < 1
    assert gpu_accuracy.facts(store)["gpu.seeds"] == f"{ends} over 10 seeds of 2 arms"


def test_only_runs_of_a_seed_on_both_devices_are_compared(store):
    trained(store, "cpu", {"none": 0, "se": -1})
    trained(store, "cuda", {"none": 0, "se": -1}, spread=[*SPREAD, 9.0, 9.0])
    assert line(gpu_accuracy.accuracy(store), "se")[-1] == ["10"]
    assert gpu_accuracy.facts(store)["gpu.shift"] == "0.00 [0.00, 0.00] points"


def test_an_arm_without_a_value_on_one_device_is_left_out(store):
    trained(store, "cpu", {"none": 0, "se": -1, "sk": 0})
    trained(store, "cuda", {"none": 0, "se": -1})
    trained(store, "cuda", {"sk": 0}, status="diverged", reason="the loss is nan")
    text = gpu_accuracy.accuracy(store)
    assert ">se<" in text and ">sk<" not in text


def test_times_a_place_are_of_the_places_that_a_module_has(store):
    timed(store, "resnet18", 2.0, {"none": 1.0, "se": 1.8, "pam": 1.2})
    counted(store, "resnet18", 10**9, {"none": 0, "se": 8, "pam": 1})
    text = gpu_latency.places(store)
    assert line(text, "se") == [["200"], ["8"]], "0.8 of 2 ms over 8 places, in microseconds"
    assert line(text, "pam") == [["400"], ["1"]]
    found = gpu_latency.facts(store)
    assert found["gpu.work"] == found["gpu.places"] == "not measured", "of one network alone"


def test_places_without_counts_or_without_the_bare_backbone_are_not_measured(store):
    timed(store, "resnet18", 2.0, {"none": 1.0, "se": 1.8})
    timed(store, "resnet50", 2.0, {"se": 1.8})
    counted(store, "resnet50", 10**9, {"none": 0, "se": 16})
    assert ">se<" not in gpu_latency.places(store)
    assert gpu_latency.facts(store)["gpu.places"] == "not measured"


def test_work_and_time_of_the_smallest_and_the_largest_network(store):
    timed(store, "resnet10_small", 1.0, {"none": 1.0, "se": 2.0}, pixels=28)
    timed(store, "resnet18", 2.5, {"none": 1.0, "se": 2.0})
    counted(store, "resnet10_small", 10**6, {"none": 0, "se": 4}, pixels=28)
    counted(store, "resnet18", 10**9, {"none": 0, "se": 8}, moved=16_000)
    found = gpu_latency.facts(store)
    assert found["gpu.work"] == (
        "the bare resnet18 at 224 px has 1,000 times the multiply-adds of the bare resnet10_small "
        "at 28 px, and takes 2.5 times as long"
    )
    assert found["gpu.places"] == (
        "over the 2 networks the time that a module adds at a place varies by a factor of 1.25 "
        "(se) to 1.25 (se), and the bytes that it moves there by one of 10"
    )


def test_what_the_watch_threw_away_is_counted_once_a_session(store):
    timed(store, "resnet18", 2.0, {"none": 1.0, "se": 1.8}, discarded=4, clocks=(1900, 1980))
    timed(store, "resnet50", 2.0, {"none": 1.0, "se": 1.8})
    timed(store, "resnet50", 2.0, {"none": 1.0, "se": 1.8}, clocks=None, layout="nchw")
    assert gpu_latency.facts(store)["gpu.watched"] == (
        "in 2 sessions the clock was 1,900 to 1,980 MHz, and 4 of 196 rounds were thrown away"
    )


def test_a_gpu_that_was_not_watched_is_not_said_to_be(store):
    timed(store, "resnet18", 2.0, {"none": 1.0, "se": 1.8}, clocks=None)
    assert gpu_latency.facts(store)["gpu.watched"] == "not measured"


def test_a_processor_s_ratio_stands_beside_that_of_the_gpu_s_first_setting(store):
    timed(store, "resnet18", 2.0, {"none": 1.0, "se": 1.9}, precision="fp32", layout="nchw")
    timed(store, "resnet18", 2.0, {"none": 1.0, "se": 1.8, "pam": 1.1})
    on_cpu = {"device": "cpu", "precision": "fp32", "layout": "nchw", "clocks": None}
    timed(store, "resnet18", 50.0, {"none": 1.0, "se": 1.1, "pam": 1.5, "eca": 1.1}, **on_cpu)
    text = gpu_latency.latency(store)
    assert text.index("cpu, 1 thread, fp32") < text.index("cuda, bf16, nhwc")
    assert first(line(text, "se")) == ["1.100", "1.800"]
    assert gpu_latency.facts(store)["gpu.dearer"] == (
        "1 of 2 are larger on the GPU and 1 smaller (pam)"
    )


def test_ratios_that_only_the_noise_floors_join_are_not_told_apart(store):
    """The intervals end at 1.20 and begin at 1.22; with floors of two in a hundred they meet."""
    timed(store, "resnet18", 2.0, {"none": 1.0, "se": 1.32, "eca": 1.4})
    on_cpu = {"device": "cpu", "precision": "fp32", "layout": "nchw", "clocks": None}
    timed(store, "resnet18", 50.0, {"none": 1.0, "se": 1.1, "eca": 1.1}, **on_cpu)
    assert gpu_latency.facts(store)["gpu.dearer"] == (
        "1 of 2 are larger on the GPU and 0 smaller; 1 cannot be told apart"
    )


def test_a_session_too_noisy_ranks_no_device(store):
    timed(store, "resnet18", 2.0, {"none": 1.0, "se": 1.8}, verdict=NOISY)
    on_cpu = {"device": "cpu", "precision": "fp32", "layout": "nchw", "clocks": None}
    timed(store, "resnet18", 50.0, {"none": 1.0, "se": 1.1}, **on_cpu)
    assert gpu_latency.facts(store)["gpu.dearer"] == "not measured"


def test_a_gpu_has_no_resident_set(store):
    cell = Cell("memory", "resnet18", recipe="inference", device="cuda", batch_size=64)
    cell = replace(cell, image_size=224)
    trial.append(store, cell, {"mode": "inference", "step_mib": 5.0})
    text = memory.memory(store)
    assert "on a GPU" in text and "Resident set" not in text
    cpu = replace(cell, device="cpu", threads=1)
    trial.append(store, cpu, {"mode": "inference", "step_mib": 5.0})
    assert memory.memory(store).count("Resident set") == 2
