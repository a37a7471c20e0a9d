"""Tables of costs and modules: of one net, by one protocol, with what a reader needs to judge."""

import re
from dataclasses import replace

import trial
from rendered import row_of

from benchmarks.cells import ROOT
from benchmarks.site import cost, modules
from benchmarks.store import Store


def test_resnets_are_the_first_columns_of_costs_and_have_links(tmp_path):
    results = Store(tmp_path)
    names = ("convnext_tiny", "resnet18", "mobilenetv2_100", "resnet50")
    for backbone in names:
        cell = replace(trial.COST, backbone=backbone, module="se")
        trial.append(results, cell, {"params": 10, "params_added": 1, "macs": 9, "macs_added": 1})
    text = cost.cost(results)
    heads = re.findall(r'<th scope="col"[^>]*>([^<]*)', text)
    expected = ["resnet18", "resnet50", "convnext_tiny", "mobilenetv2_100"]
    assert heads[:5] == ["Module", *expected]
    assert re.findall(r"\[([^\]]*)\]\(#([^)]*)\)", text) == [(name, name) for name in expected]
    assert re.findall(r"^### (.*)$", text, re.M) == expected


def test_the_page_of_costs_has_the_word_that_papers_use():
    page = (ROOT / "docs" / "results" / "cost.md").read_text(encoding="utf-8")
    assert "MACs" in page and "FLOPs" in page


def test_what_modules_add_is_of_one_net(tmp_path):
    results = Store(tmp_path)
    small, large = ({"backbone": name} for name in ("resnet18", modules.OVERVIEW))
    for net, ratio, params in ((small, 7.0, 70), (large, 1.25, 30)):
        trial.append(
            results,
            replace(trial.COST, module="se", **net),
            {"params": 100, "params_added": params, "macs": 100, "macs_added": 20},
        )
        for threads in (1, 2):
            timed = trial.times(ratio if threads == 1 else 9.0, "slower")
            cell = replace(trial.LATENCY, module="se", threads=threads, **net)
            trial.append(results, cell, timed)
    text = modules.overview(results)
    row = row_of(text, "se")
    assert ">1.250<" in row and ">[1.240, 1.260]<" in row and ">+30<" in row and ">+20<" in row
    assert "7.000" not in text and "9.000" not in text and "+70" not in text
    assert row_of(text, "eca").count("not measured") == 3
    assert f"adds to {modules.OVERVIEW}<" in text
    assert "latency: CPU, 1 thread, batch 1 at 224 px; noise floor 1.0 %" in text


def test_a_modules_latencies_have_their_batch_and_noise_floor_in_the_caption(tmp_path):
    results = Store(tmp_path)
    tiny = {"backbone": "resnet10_small", "image_size": 28}
    for kind in ({}, tiny):
        cell = replace(trial.COST, module="se", **kind)
        trial.append(results, cell, {"params": 9, "params_added": 1, "macs": 9, "macs_added": 1})
    assert "latency" not in modules.module(results, "se")
    for kind, high in (({}, 1.01), ({**tiny, "batch_size": 32}, 1.03)):
        times = {**trial.times(1.25, "slower"), "floor_high": high}
        trial.append(results, replace(trial.LATENCY, module="se", **kind), times)
        trial.append(results, replace(trial.LATENCY, module="eca", **kind), trial.times(1.0, ""))
    text = modules.module(results, "se")
    assert "<span>latency: CPU, 1 thread, " in text
    assert "batch 1 at 224 px" in text and "batch 32 at 28 px" in text
    assert "; noise floor at most 3.0 %</span>" in text


def test_each_comparison_of_a_module_begins_with_its_own_standing(tmp_path):
    """Ten seeds are a result, two are none; a preview's recipe and an earlier one are left out."""
    results = Store(tmp_path)
    for recipe, seeds in (("full", 10), ("short", 10), ("preview", 2)):
        trial.accuracy(results, recipe, seeds)
    first, rest = modules.module_accuracy(results, "se").split("</table>")
    assert "<table" not in rest
    alone = Store(tmp_path / "alone")
    trial.accuracy(alone, "preview", 2)
    second = modules.module_accuracy(alone, "se")
    assert "not measured" in modules.module_accuracy(alone, "danet")
    older = Store(tmp_path / "older")
    trial.accuracy(older, "short", 10)
    assert "an earlier recipe" in modules.module_accuracy(older, "se")
    assert "Preview" not in first and ">+1.00<" in row_of(first, "se")
    assert "<span>Preview, not a result: " in second and "Compared on" not in first
