"""Printed accuracies stand as printed, ours beside them as measured, or they are not there."""

import re
from dataclasses import replace

import pytest
import trial

from benchmarks.accuracy import PLANS
from benchmarks.cells import MODULES, Cell
from benchmarks.papers.reported import printed
from benchmarks.recipes import RECIPES
from benchmarks.site import published
from benchmarks.store import Store

GPU, *_ = PLANS["gpu"]
RUN = Cell(
    "accuracy",
    "resnet20_cifar",
    data=GPU.data,
    recipe=GPU.recipe,
    device="cuda",
    precision=GPU.precision,
    layout=GPU.layout,
    batch_size=RECIPES[GPU.recipe].batch_size,
)


def lines(text: str) -> dict[str, str]:
    return dict(re.findall(r'<tr><th scope="row"[^>]*>(.*?)</th>(.*?)</tr>', text))


def test_every_backbone_of_the_gpu_has_a_printed_name_and_its_four_lines(tmp_path):
    assert tuple(published.NETWORKS) == GPU.backbones
    found = lines(published.published(Store(tmp_path)))
    assert len(found) == 4 * len(GPU.backbones)
    for network in published.NETWORKS.values():
        for arm, module in published.MODULES.items():
            line = found[f"{network}, {arm}"]
            values = {
                v.metric: v.value
                for v in printed()
                if (v.paper, v.backbone, v.dataset, v.module)
                == ("SimAM ICML2021", network, published.DATA, module)
            }
            assert f'>{values["top1_acc_mean"]}<span class="interval">' in line
            assert f"± {values['top1_acc_std']}<" in line


def test_without_rows_ours_is_not_measured_and_what_is_printed_is_a_difference(tmp_path):
    text = published.published(Store(tmp_path))
    found = lines(text)
    assert all(line.count("not measured") == 2 for line in found.values())
    # printed: 68.88 for the bare ResNet-20 and 69.45 with SE
    assert "+0.57" in found["ResNet-20, se"] and "reference" in found["ResNet-20, none"]
    assert "No row yet" in text and "Preview" not in text


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_rows_of_the_plan_stand_beside_what_is_printed(tmp_path, device):
    store = Store(tmp_path)
    for seed in range(10):
        for module, more in (("none", 0), ("se", 1)):
            cell = replace(RUN, module=module, seed=seed, device=device)
            trial.append(store, cell, trial.outcome(60 + seed + more))
        other = replace(RUN, recipe="short", module="se", seed=seed, device=device)
        trial.append(store, other, trial.outcome(10.0))
    text = published.published(store)
    found = lines(text)
    assert ">64.50<" in found["ResNet-20, none"] and ">65.50<" in found["ResNet-20, se"]
    assert "+1.00" in found["ResNet-20, se"] and ">higher<" in found["ResNet-20, se"]
    assert found["ResNet-20, cbam"].count("not measured") == 2
    assert found["ResNet-56, se"].count("not measured") == 2
    assert "Preview, not a result: 7 of 9 planned arms without a run (ResNet-20)" in text
    for seed in range(10):
        for module in MODULES[2:]:
            cell = replace(RUN, module=module, seed=seed, device=device)
            trial.append(store, cell, trial.outcome(60 + seed))
    assert "Preview" not in published.published(store)


def test_too_few_seeds_are_a_preview(tmp_path):
    store = Store(tmp_path)
    for module in ("none", "se"):
        trial.append(store, replace(RUN, module=module, seed=0), trial.outcome(60.0))
    text = published.published(store)
    assert "<span>Preview, not a result: 7 of 9 planned arms without a run, 1 of 10 " in text
    assert "not enough seeds" in lines(text)["ResNet-20, se"]
