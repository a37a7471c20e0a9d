"""Printed sizes: the integers that official files give, the rounding, and a planted mistake."""

import dataclasses
import re

import pytest

from benchmarks.cells import Cell, Selection
from benchmarks.paper import PaperBenchmark, Task, computed, tasks
from benchmarks.papers.recipes import Recipe, recipes
from benchmarks.papers.reported import PATH, printed, sizes
from benchmarks.papers.sizes import FLOPS, PARAMS, module_params, tally
from benchmarks.papers.verdicts import WORDS, compare, formula

PAPER = PaperBenchmark()

PROTOTXTS = {
    "resnet50_v1": 28_088_024,
    "resnet101_v1": 49_326_872,
    "resnet152_v1": 66_821_848,
    "resnext50_32x4d": 27_559_896,
    "resnext101_32x4d": 48_955_416,
    "legacy_senet154": 115_088_984,
}
"""Learnable parameters of the networks with SE in the official prototxts."""


def test_every_printed_size_has_a_recipe():
    assert {value.line for value in sizes()} <= set(recipes())


def test_every_printed_size_is_one_cell():
    given = [task.printed for task in tasks().values() if task.printed.value]
    assert sorted(map(str, given)) == sorted(map(str, sizes()))
    assert len({cell.key for cell in tasks()}) == len(tasks())


def test_a_recipe_is_found_by_its_row():
    where = Cell(
        "paper",
        "ResNet-50",
        data="ECA-Net CVPR2020, abstract",
        recipe="ECA / module overhead / ImageNet-1k val 224 crop / extra_params",
        device="meta",
    )
    task = tasks()[where]
    assert task.printed.value == "80"
    assert (task.recipe.build, task.recipe.plug) == ("resnet50", "eca")
    assert task.recipe.options == "per_stage={'kernel_size':(3,5,5,7)}"


def test_every_source_is_in_the_bibliography():
    entries = re.findall(r"@\w+\{([^,]+),", PATH.with_name("references.bib").read_text())
    assert len(entries) == len(set(entries))
    assert {value.cite for value in printed()} == set(entries)


def test_a_recipe_that_can_not_be_built_says_why():
    assert all(recipe.build or recipe.note for recipe in recipes().values())


def test_recipes_name_conventions_that_exist():
    for recipe in recipes().values():
        assert recipe.params.removeprefix("added ") in {*PARAMS, "one module", ""}
        assert recipe.flops.removeprefix("added ") in {*FLOPS, ""}
        assert recipe.basis in ("paper", "code", "inferred", "")


@pytest.mark.parametrize(("network", "params"), PROTOTXTS.items())
def test_parameters_are_those_of_the_official_files(network, params):
    assert tally(network, "se", "", "auto", 224).params == params


def test_se_inception_has_the_parameters_of_its_official_file():
    assert tally("bn_inception", "se", "", r"mixed\.\d\w", 224).params == 11_931_622


@pytest.mark.parametrize(
    ("network", "giga"),
    [("resnet50_v1", 3.8605), ("resnext50_32x4d", 4.2330), ("legacy_senet154", 20.6884)],
)
def test_multiply_adds_are_those_of_the_official_files(network, giga):
    assert round(tally(network, "se", "", "auto", 224).macs / 1e9, 4) == giga


def test_where_the_stride_sits_changes_operations_and_no_parameter():
    first, second = (tally(n, "none", "", "auto", 224) for n in ("resnet50_v1", "resnet50"))
    assert first.params == second.params == 25_557_032
    assert round(first.macs / 1e9, 3) == 3.858
    assert round(second.macs / 1e9, 3) == 4.089


@pytest.mark.parametrize("module", ["none", "se", "cbam", "eca", "sk"])
def test_multiply_adds_agree_with_the_other_counter(module):
    import torch

    import attn
    from benchmarks.elementwise import count

    model = attn.create_model("resnet18", module, device="meta").eval()
    work = count(model, torch.empty((1, 3, 64, 64), device="meta"))
    assert tally("resnet18", module, "", "auto", 64).macs == work.macs


def test_quantities_that_conventions_add_up_are_counted_by_hand():
    found = tally("resnet18", "se", "bias=False", "auto", 224)
    maps = 2 * (64 * 56**2 + 128 * 28**2 + 256 * 14**2 + 512 * 7**2)
    stem = 64 * 112**2
    assert found.shortcut == found.scale == maps
    assert found.pool == maps + 2 * (64 + 128 + 256 + 512)
    assert found.last_pool == 512 * 49 + 512
    assert found.norm == stem + 2 * maps + 128 * 28**2 + 256 * 14**2 + 512 * 7**2
    assert found.max_pool == 3 * 64 * 56**2
    assert found.statistics == 9_600


def test_running_statistics_of_resnet_50_are_two_for_each_of_its_normalised_channels():
    channels = 64 + 3 * (64 + 64 + 256) + 4 * (128 + 128 + 512) + 6 * (256 + 256 + 1024)
    channels += 3 * (512 + 512 + 2048) + 256 + 512 + 1024 + 2048
    assert tally("resnet50", "none", "", "auto", 224).statistics == 2 * channels == 53_120


def test_bn_inception_is_the_ported_one_without_the_biases_of_its_convolutions():
    found = tally("bn_inception", "none", "", "auto", 224)
    biases = found.statistics // 2  # one for each normalised channel
    assert found.params + biases == 11_295_240


@pytest.mark.parametrize(
    ("value", "text", "unit", "rounding", "expected"),
    [
        (28_089_624, "28.09", "M", "", ("28.09", "exact")),
        (28_071_976, "26.77", "M (2^20)", "", ("26.77", "exact")),
        (28_084_999, "28.09", "M", "", ("28.08", "last digit")),
        (28_074_999, "28.09", "M", "", ("28.07", "differs")),
        (306_700_000, "310", "M", "10", ("310", "exact")),
        (306_700_000, "310", "M", "", ("307", "differs")),
        (27_564_264, "27.5", "M", "down", ("27.5", "exact")),
        (27_564_264, "27.5", "M", "", ("27.6", "last digit")),
        (80, "80", "count", "", ("80", "exact")),
        (7_599_500_000, "7.60", "G", "", ("7.60", "exact")),
    ],
)
def test_a_value_is_rounded_as_it_is_printed(value, text, unit, rounding, expected):
    assert compare(value, text, unit, rounding) == expected


def test_an_unknown_unit_is_named():
    with pytest.raises(ValueError, match="unknown unit 'k'.*M"):
        compare(1, "1", "k")


def test_formulas_are_read_as_printed():
    letters = {"C": 512, "r": 16, "k": 3}
    assert formula("2*C^2/r", **letters) == 32_768
    assert formula("k=3", **letters) == 3
    with pytest.raises(ValueError, match="not a formula"):
        formula("C+1", **letters)


def test_the_se_of_the_formula_has_no_bias():
    recipe = task_of("ECA-Net CVPR2020", "Table 2", "ResNet-50", "SE", FORMULA).recipe
    assert recipe.options == "bias=False"
    assert module_params(recipe, 512) == 2 * 512 * 32


def task_of(paper, table, backbone, module, metric):
    for task in tasks().values():
        value = task.printed
        if (value.paper, value.table, value.backbone, value.module, value.metric) == (
            paper,
            table,
            backbone,
            module,
            metric,
        ):
            return task
    raise AssertionError("no such row")


def test_a_better_recipe_takes_the_row_of_a_worse():
    right = task_of(*CBAM_50, "params")
    worse = dataclasses.replace(right, recipe=dataclasses.replace(right.recipe, build="resnet18"))
    assert worse.cell.key == right.cell.key
    assert PAPER.configuration(right.cell)[1] == dataclasses.asdict(right.recipe)


def outcome(monkeypatch, task: Task):
    monkeypatch.setattr("benchmarks.paper.tasks", lambda: {task.cell: task})
    return PAPER.measure(task.cell)


FORMULA = "module_params_formula"
CBAM_50 = ("CBAM ECCV2018", "Table 4", "ResNet-50", "CBAM")


@pytest.mark.parametrize(
    ("metric", "wrong", "shown"),
    [("FLOPs", {"build": "resnet50"}, "4.096"), ("params", {"options": "reduction=8"}, "30.61")],
)
def test_a_planted_wrong_recipe_differs(monkeypatch, metric, wrong, shown):
    right = task_of(*CBAM_50, metric)
    assert outcome(monkeypatch, right)["verdict"] == "exact"
    planted = dataclasses.replace(right, recipe=dataclasses.replace(right.recipe, **wrong))
    row = outcome(monkeypatch, planted)
    assert (row["verdict"], row["shown"]) == ("differs", shown)


def test_a_printed_value_never_feeds_the_computed_one(monkeypatch):
    right = task_of(*CBAM_50, "params")
    forged = dataclasses.replace(
        right, printed=dataclasses.replace(right.printed, value="99.99", unit="G")
    )
    assert not {f.name for f in dataclasses.fields(Recipe)} & {"value", "unit", "printed"}
    row = outcome(monkeypatch, forged)
    assert row["computed"] == computed(right.recipe, True) == 28_089_624
    assert row["verdict"] == "differs"


def test_a_row_has_every_column():
    cell = next(cell for cell in PAPER.cells(Selection("cpu")) if cell.backbone == "ResNet-18")
    row = PAPER.measure(cell)
    assert set(row) == {column.name for column in PAPER.columns}
    assert row["verdict"] in WORDS


def test_a_line_that_can_not_be_built_is_a_row_with_the_reason():
    task = task_of("ECA-Net CVPR2020", "Table 3", "ResNet-50", "GCNet", "params")
    row = PAPER.measure(task.cell)
    assert (row["verdict"], row["computed"], row["shown"]) == ("cannot be built", None, "")
    assert "GCNet" in row["why"]


def test_table_4_of_cbam_is_exact():
    cells = [c for c in tasks() if c.data == "CBAM ECCV2018, Table 4" and "Net-18" in c.backbone]
    assert len(cells) == 18  # ResNet-18 and both wide ones, bare, SE and CBAM, two sizes each
    assert {PAPER.measure(cell)["verdict"] for cell in cells} == {"exact"}


def test_accuracies_are_reported_and_no_task():
    metrics = {value.metric for value in printed()} - {
        task.printed.metric for task in tasks().values()
    }
    assert {"top1_acc", "top1_err", "mIoU", "top1_acc_mean"} <= metrics


def value_of(table, variant, metric="params"):
    for cell, task in tasks().items():
        value = task.printed
        if (value.table, value.variant, value.metric) == (table, variant, metric):
            return PAPER.measure(cell)["computed"]
    raise AssertionError("no such row")


def test_eighty_parameters_are_the_checkpoint_and_the_formula_with_ties_down():
    table = "ECA: which k"
    down = "the formula, ties down (Eq. 12)"
    assert value_of(table, "the released checkpoint") == value_of(table, down) == 80
    assert value_of(table, "the formula, ties up (Fig. 3)") == 86
    assert value_of(table, "the default of the code") == 48


def test_sknet_101_has_two_sizes():
    table = "SKNet-101: d at 256 channels"
    assert value_of(table, "sknet101.prototxt: d = 16") == 48_686_760
    assert value_of(table, "Eq. 4: d = 32") == 48_736_040


@pytest.mark.parametrize("crop", [224, 512, 768, 1024])
def test_the_attention_map_has_as_many_elements_as_pairs_of_positions(crop):
    name = f"crop of {crop} px"
    found = value_of("position attention's map", name, "FLOPs")
    assert found == (crop // 8) ** 4


def test_the_head_of_danet_has_the_parameters_of_its_code():
    assert tally("danet_head", "none", "", "auto", 8).params == 23_954_619
    assert tally("pam_512", "none", "", "auto", 8).params == 328_321


def test_the_suite_cpu_has_all_rows_and_quick_one_table():
    assert set(PAPER.cells(Selection("cpu"))) == set(tasks())
    assert len(list(PAPER.cells(Selection("quick")))) == 48
    assert not list(PAPER.cells(Selection("gpu")))
    assert all(isinstance(cell, Cell) and cell.device == "meta" for cell in tasks())


def test_heads_of_faster_r_cnn_have_the_parameters_of_their_layers():
    found = tally("faster_rcnn_resnet50", "none", "", "auto", 224)
    pyramid = 3840 * 256 + 4 * 256 + 4 * (9 * 256**2 + 256)
    proposals = 9 * 256**2 + 256 + 15 * 257
    boxes = 12_545 * 1024 + 1025 * 1024 + 1025 * 5 * 81
    body = 25_557_032 - 2049 * 1000
    assert found.params == body + pyramid + proposals + boxes
    assert found.frozen == 64 * 147 + 128 + 215_808


def test_ssdlite_has_the_parameters_of_its_layers():
    base = 3_504_872 - 1281 * 1000
    head = sum(2 * 12 * c + (c + 1) * 6 * 85 for c in (96, 1280, 512, 256, 256)) + 65 * 6 * 85
    extras = 0
    for c, o, hidden in ((1280, 512, 256), (512, 256, 128), (256, 256, 128), (256, 64, 64)):
        extras += c * hidden + 9 * hidden + hidden * o + 4 * hidden + 2 * o
    assert tally("ssdlite_mobilenetv2", "none", "", "auto", 320).params == base + extras + head
