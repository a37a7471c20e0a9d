"""Costs of the trained nets are counted as those of the others, and stand where they are read."""

from dataclasses import replace

import pandas as pd
import pytest
import trial
from rendered import row_of

from benchmarks import compare, tables
from benchmarks.cells import MODULES, Cell, Selection
from benchmarks.fresh import in_fresh_process
from benchmarks.latency import Latency
from benchmarks.nets import CIFAR, MOBILE, SIZES, Nets
from benchmarks.pairing import Comparison
from benchmarks.site import cost
from benchmarks.site.accuracy import board, main_leaderboard
from benchmarks.store import Store

COUNT = Nets()


def cells(suite: str, **chosen) -> list[Cell]:
    return list(COUNT.cells(Selection(suite, **chosen)))


def test_a_suite_counts_the_nets_that_it_trains_and_the_processor_those_of_a_gpu_too():
    arms = {suite: [(c.backbone, c.module) for c in cells(suite)] for suite in ("quick", "cpu")}
    assert arms["quick"] == [(MOBILE, module) for module in MODULES]
    assert arms["cpu"] == [(name, module) for name in SIZES for module in MODULES]
    assert {(c.image_size, c.device) for c in cells("quick")} == {(28, "meta")}
    assert not cells("gpu", device="cuda")
    assert set(SIZES) == {MOBILE, *CIFAR}


def test_a_selection_is_obeyed():
    chosen = cells("quick", backbones=("resnet18", "resnet20_cifar"), modules=(("se", ""),))
    assert [(c.backbone, c.module, c.image_size) for c in chosen] == [
        ("resnet20_cifar", "none", 32),
        ("resnet20_cifar", "se", 32),
    ]
    assert cells("quick", backbones=("resnet18",)) == []


def measured(found):
    return [COUNT.measure(cell) for cell in found]


@pytest.fixture(scope="module")
def counted():
    """Every arm of two nets, counted in a process that has imported nothing."""
    wanted = [c for c in cells("cpu") if c.backbone in (MOBILE, "resnet20_cifar")]
    values = in_fresh_process(measured, wanted)
    return {(c.backbone, c.module): v for c, v in zip(wanted, values, strict=True)}


def resnet20() -> int:
    """Multiply-adds of ResNet-20: 3x3 convolutions at 32, 16 and 8 pixels, ten classes."""
    macs, before = 9 * 3 * 16 * 32**2, 16
    for channels, pixels in ((16, 32), (32, 16), (64, 8)):
        macs += 9 * pixels**2 * channels * (before + 5 * channels)
        before = channels
    return macs + 640


def test_a_shortcut_without_parameters_multiplies_nothing(counted):
    assert counted["resnet20_cifar", "none"]["macs"] == resnet20()
    assert counted["resnet20_cifar", "none"]["params"] == 269_722


@pytest.mark.parametrize("backbone", [MOBILE, "resnet20_cifar"])
def test_every_arm_is_counted_and_adds_what_it_places(counted, backbone):
    bare = counted[backbone, "none"]
    assert bare["params_added"] == bare["macs_added"] == 0
    for module in MODULES[1:]:
        row = counted[backbone, module]
        assert row["inserted"] == 1 or module not in ("pam", "cam", "danet")
        assert row["params_added"] > 0 and row["macs_added"] > 0
    # an SE gate with biases has 2 C^2 / r + C / r + C weights; three blocks a stage
    gates = sum(3 * (2 * c * (c // 16) + c // 16 + c) for c in (16, 32, 64))
    assert counted["resnet20_cifar", "se"]["params_added"] == gates


@pytest.mark.parametrize(
    ("backbone", "first"),
    [
        (MOBILE, "mobilenetv2_100"),
        ("mobilenetv2_cifar", "mobilenetv2_100"),
        ("resnet56_cifar", "resnet18"),
        ("efficientnet_b0", "resnet18"),
    ],
)
def test_a_net_without_rows_is_read_on_one_of_its_family(backbone, first):
    rows = pd.DataFrame({"backbone": ["resnet18", "resnet50", "mobilenetv2_100"]})
    assert tables.reference(rows, backbone) == first
    own = pd.DataFrame({"backbone": ["resnet18", backbone]})
    assert tables.reference(own, backbone) == backbone
    assert tables.reference(rows[:1], backbone) == "resnet18"


def test_times_of_a_net_are_those_of_its_family_until_it_has_its_own(tmp_path):
    made = Store(tmp_path)
    which = Comparison("fashion-mnist", MOBILE, "short")
    for backbone in ("resnet18", "mobilenetv2_100", MOBILE):
        for module in ("none", "se"):
            trial.append(
                made,
                replace(trial.LATENCY, backbone=backbone, module=module),
                trial.times(1.0, "slower"),
            )
        expected = "resnet18" if backbone == "resnet18" else backbone
        assert compare.latency_setting(made, which)["backbone"] == expected


def test_a_net_is_timed_on_its_own_images():
    want = Selection("quick", modules=(("se", ""),), backbones=(MOBILE, "resnet20_cifar"))
    found = {(c.backbone, c.image_size, c.batch_size) for c in Latency().cells(want)}
    assert found == {(MOBILE, 28, 32), ("resnet20_cifar", 32, 32)}


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path)
    trial.cost(made)
    for module, macs in (("none", 1_000_000), ("se", 1_000_500)):
        cell = Cell("nets", MOBILE, module, device="meta", image_size=28)
        values = {"params": 7, "params_added": 0, "macs": macs, "macs_added": macs - 1_000_000}
        trial.append(made, cell, values)
    return made


def test_a_leaderboard_reads_the_costs_of_its_own_net(store):
    trial.append(store, replace(trial.ACCURACY, backbone=MOBILE, seed=0), trial.outcome(90.0))
    which = Comparison("fashion-mnist", MOBILE, "short")
    lines, counted, _ = board(store, which, compare.accuracy_table(store, which))
    assert counted == [MOBILE, "28 px"]
    assert next(line["macs"].sort for line in lines if line["arm"].text == "se") == 500


def test_what_two_benchmarks_counted_is_read_once(store):
    old = Cell("cost", MOBILE, "se", device="meta", image_size=224)
    trial.append(store, old, {"params": 7, "params_added": 0, "macs": 9, "macs_added": 0})
    rows = tables.cost_rows(store)
    (row,) = tables.records(rows[(rows["backbone"] == MOBILE) & (rows["module"] == "se")])
    assert row.macs == 1_000_500
    assert set(rows["backbone"]) == {"resnet18", MOBILE}


def test_the_page_of_costs_has_the_nets(store):
    text = cost.nets(store)
    assert f"### {MOBILE}" in text and "28 px" in text and "nets.csv" in text
    assert "resnet20_cifar" not in text


def test_parameters_of_an_untrained_module_are_counted_in_its_own_net_or_not_at_all(tmp_path):
    results = Store(tmp_path)
    trial.accuracy(results, seeds=2)
    values = {"params": 10, "params_added": 77, "macs": 10, "macs_added": 0}
    for backbone, shown in (("resnet18", False), ("resnet10_small", True)):
        for module in ("none", "danet"):
            cell = replace(trial.COST, backbone=backbone, module=module, image_size=28)
            trial.append(results, cell, values)
        danet = row_of(main_leaderboard(results), "danet")
        assert (">+77<" in danet) == shown
