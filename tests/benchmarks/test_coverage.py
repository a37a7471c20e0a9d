"""Coverage against counts that follow from the architectures' definitions."""

import copy

import pytest
import timm
import torch
from torch import nn

import attn
from benchmarks.cells import MODULES, Cell, Selection
from benchmarks.coverage import (
    EXCLUDED,
    HYBRIDS,
    SAMPLE,
    CoverageBenchmark,
    architectures,
    by_plugging,
    family_file,
)
from benchmarks.meta import Bare, Unusual, bare

COVERAGE = CoverageBenchmark()


def measure(backbone, module):
    return COVERAGE.measure(Cell("coverage", backbone, module, device="meta"))


@pytest.mark.parametrize(
    ("backbone", "module", "inserted"),
    [
        ("resnet18", "se", 8),  # 2 + 2 + 2 + 2 blocks
        ("resnet18", "sk", 8),
        ("resnet18", "pam", 1),
        ("resnet50", "eca", 16),  # 3 + 4 + 6 + 3 blocks
        ("mobilenetv2_100", "coord", 16),  # the blocks with an expansion
        ("convnext_atto", "cbam", 12),  # 2 + 2 + 6 + 2 blocks
    ],
)
def test_every_block_gets_a_module_and_runs_it(backbone, module, inserted):
    row = measure(backbone, module)
    assert (row["inserted"], row["executed"]) == (inserted, inserted)
    assert row["kind"] == "convolutional"
    assert row["input_size"] == 224


def test_a_row_has_every_column():
    row = measure("resnet18", "cam")
    assert list(row) and set(row) == {column.name for column in COVERAGE.columns}
    assert (row["family"], row["slot"], row["params"]) == ("resnet", "last_stage", 11_689_512)
    assert row["params_added"] == 1  # beta


def test_one_group_measures_all_modules_of_a_backbone():
    cells = [Cell("coverage", "resnet18", module, device="meta") for module in MODULES[1:]]
    assert len({COVERAGE.group(cell) for cell in cells}) == 1
    results = dict(COVERAGE.measure_group(cells))
    assert list(results) == cells
    assert all(isinstance(result, dict) for result in results.values())


def test_a_failure_is_an_exception_of_its_own_cell_alone():
    cells = [
        Cell("coverage", "resnet18", "se", "reduction=4096", device="meta"),
        Cell("coverage", "resnet18", "se", device="meta"),
    ]
    (_, bad), (_, good) = COVERAGE.measure_group(cells)
    assert isinstance(bad, ValueError)
    assert isinstance(good, dict)


def test_a_module_that_does_not_run_fails(monkeypatch):
    report = attn.Report("resnet18", "se", "se", ("nowhere",), 1, 0, 0)

    def refuse(*_):
        raise Unusual

    monkeypatch.setattr(Bare, "plugged", refuse)
    monkeypatch.setattr(attn, "plug", lambda model, name, **options: report)
    with pytest.raises(RuntimeError, match="1 modules inserted, but 0 executed"):
        measure("resnet18", "se")


class Enlarge(nn.Module):
    def __init__(self, channels):
        super().__init__()

    def forward(self, x):
        return torch.cat((x, x), dim=3)


@pytest.mark.parametrize(
    "backbone",
    [
        *("efficientnet_b0", "vgg11_bn", "dla34", "repghostnet_080", "selecsls42b", "vovnet39a"),
        *("edgenext_xx_small", "mambaout_femto"),
    ],
)
def test_the_short_way_finds_what_plugging_in_and_running_everything_finds(backbone):
    cells = [Cell("coverage", backbone, module, device="meta") for module in MODULES[1:]]
    short = bare(backbone)
    for cell, result in COVERAGE.measure_group(cells):
        try:
            whole = by_plugging(copy.deepcopy(short.model), cell, short.traced)
        except ValueError as error:
            assert str(result) == str(error)
        else:
            assert isinstance(result, dict)
            assert whole == {name: result[name] for name in whole}


def test_a_module_that_changes_a_shape_fails():
    with pytest.raises(ValueError, match="is due; a gate returns its input times its weights"):
        measure("vgg11_bn", f"{__name__}:Enlarge")


def test_suites():
    quick, cpu = list(COVERAGE.cells(Selection("quick"))), list(COVERAGE.cells(Selection("cpu")))
    assert len(quick) == len(SAMPLE) * len(MODULES[1:])
    assert len(set(cpu)) == len(cpu) == len(architectures()) * len(MODULES[1:])
    assert set(quick) < set(cpu)
    assert not list(COVERAGE.cells(Selection("gpu")))


def test_a_selection_replaces_backbones_and_modules():
    want = Selection("quick", modules=(("se", "bias=False"),), backbones=("resnet26",))
    assert [str(cell) for cell in COVERAGE.cells(want)] == ["coverage · resnet26 · se bias=False"]


def test_a_name_may_say_which_weights_as_timms_do():
    """They decide nothing here, and none are loaded."""
    assert measure("resnet18.a1_in1k", "se") == measure("resnet18", "se")


def test_lists_of_files_name_files_of_timm_once():
    files = {family_file(name) for name in timm.list_models()}
    assert set(EXCLUDED) <= files
    assert files >= HYBRIDS
    assert not HYBRIDS & set(EXCLUDED)


def test_convolutional_nets_come_before_hybrids():
    names = architectures()
    assert {"resnet50", "convmixer_768_32", "mambaout_tiny", "coatnet_0_224"} <= set(names)
    assert not {"vit_base_patch16_224", "swin_tiny_patch4_window7_224", "mixer_b16_224"} & {*names}
    hybrid = [family_file(name) in HYBRIDS for name in names]
    assert hybrid == sorted(hybrid)


@pytest.mark.parametrize(
    "backbone",
    ["vit_tiny_patch16_224", "levit_128s", "pvt_v2_b0", "mixer_s32_224", "efficientvim_m1"],
)
def test_what_is_excluded_is_not_measured_as_convolutional(backbone):
    with torch.device("meta"):
        model = timm.create_model(backbone)
    assert family_file(backbone) in EXCLUDED
    assert attn.family(model).kind != "convolutional"
