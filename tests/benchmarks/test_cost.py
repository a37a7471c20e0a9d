"""Costs against published integers and an independent counter."""

from dataclasses import replace

import pytest

from benchmarks.cells import MODULES, Cell, Selection
from benchmarks.cost import (
    ABLATIONS,
    BACKBONES,
    SMALL,
    CostBenchmark,
    arm_by_plugging,
    arm_of,
)
from benchmarks.meta import by_plugging

COST = CostBenchmark()


def cost_of(backbone, module="none", variant=""):
    return arm_of(backbone, module, variant, 224)


@pytest.mark.parametrize(
    ("backbone", "module", "params"),
    [
        ("resnet50", "none", 25_557_032),
        ("resnet50", "se", 28_088_024),
        ("resnet50", "cbam", 28_089_624),
        ("resnext50_32x4d", "sk", 27_479_784),
    ],
)
def test_parameters_are_the_published_ones(backbone, module, params):
    assert cost_of(backbone, module).params == params


@pytest.mark.parametrize(
    ("backbone", "module", "millions"),
    [
        ("resnet50", "none", 4089.184),
        ("resnet50", "se", 4091.699),
        ("resnext50_32x4d", "none", 4230.5),
        ("resnext50_32x4d", "sk", 4463),
        ("mobilenetv2_100", "none", 300.8),
        ("mobilenetv2_100", "coord", 306.7),
    ],
)
def test_multiply_adds_are_the_published_ones(backbone, module, millions):
    digits = len(str(millions).partition(".")[2])
    assert round(cost_of(backbone, module).work.macs / 1e6, digits) == millions


def test_mobilenetv2_with_coordinate_attention_has_the_papers_size():
    assert round(cost_of("mobilenetv2_100", "coord").params / 1e6, 3) == 3.951


def test_an_ablation_removes_the_biases():
    with_bias, without = cost_of("resnet50", "se"), cost_of("resnet50", "se", "bias=False")
    assert with_bias.params - without.params == 16_048


def test_kernel_sizes_per_stage_are_the_papers_80_parameters():
    eca = cost_of("resnet50", "eca", "per_stage={'kernel_size':(3,5,5,7)}")
    assert eca.params - cost_of("resnet50").params == 80


@pytest.mark.parametrize(
    ("backbone", "module"), [("resnet18", "none"), ("resnet18", "cbam"), ("convnext_tiny", "se")]
)
def test_fvcore_agrees_on_multiply_adds_and_activations(backbone, module):
    import torch
    from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis

    model, _, _ = by_plugging(backbone, module, "")
    counted = cost_of(backbone, module).work
    model.to_empty(device="cpu").requires_grad_(False)
    image = torch.zeros(1, 3, 224, 224)
    flops = FlopCountAnalysis(model, image).unsupported_ops_warnings(False).by_operator()
    activations = ActivationCountAnalysis(model, image).unsupported_ops_warnings(False).total()
    assert flops["conv"] + flops["linear"] == counted.macs
    assert activations == counted.activations


@pytest.mark.parametrize("backbone", ["resnet18", "regnetx_004"])
def test_the_short_way_counts_what_the_whole_plugged_model_does(backbone):
    for module in MODULES:
        short, whole = (way(backbone, module, "", 224) for way in (arm_of, arm_by_plugging))
        assert replace(short, replaced=0) == whole


def test_another_image_size_is_counted_by_plugging():
    assert arm_of("resnet18", "eca", "", 128) == arm_by_plugging("resnet18", "eca", "", 128)
    stem, at_224 = 64 * 3 * 49 * 64**2, arm_of("resnet18", "none", "", 224)
    assert stem < arm_of("resnet18", "none", "", 128).work.macs < at_224.work.macs / 3


def test_a_row_has_every_column_and_names_what_fvcore_left_out():
    row = COST.measure(Cell("cost", "resnet50", "se", device="meta", image_size=224))
    assert set(row) == {column.name for column in COST.columns}
    blocks = [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3
    assert row["params_added"] == sum(2 * c * c // 16 + c // 16 + c for c in blocks) == 2_530_992
    assert row["inserted"] == 16
    assert row["fvcore_flops"] - row["macs"] == 22_227_968 + 100_352  # batch norm, last pooling
    assert "sigmoid 16" in row["fvcore_uncounted"].split("; ")


def test_the_bare_backbone_adds_nothing():
    row = COST.measure(Cell("cost", "resnet18", device="meta", image_size=224))
    added = {name: value for name, value in row.items() if name.endswith("_added")}
    assert len(added) == 4
    assert set(added.values()) == {0}


def test_a_small_image_net_is_counted_on_its_own_images():
    (cell,) = [c for c in COST.cells(Selection("quick", modules=())) if c.backbone in SMALL][:1]
    row = COST.measure(cell)
    stem = 14**2 * 9 * (1 * 8 + 8 * 8 + 8 * 16)  # one grey channel, stride 2
    stages = 14**2 * 9 * 2 * 16**2
    for width, size in ((32, 7), (64, 4), (128, 2)):  # 3x3, 3x3 and the 1x1 of the shortcut
        stages += size**2 * (9 * width // 2 * width + 9 * width**2 + width // 2 * width)
    assert cell.image_size == 28
    assert row["macs"] == stem + stages + 128 * 10


def test_suites():
    quick, cpu = list(COST.cells(Selection("quick"))), list(COST.cells(Selection("cpu")))
    assert len({cell.key for cell in quick}) == len(quick) == 9 * (len(BACKBONES) + len(SMALL))
    assert set(quick) < set(cpu)
    assert len(cpu) == len(quick) + len(ABLATIONS)
    assert not list(COST.cells(Selection("gpu")))


def test_a_selection_replaces_backbones_and_modules():
    want = Selection("cpu", modules=(("eca", "kernel_size=5"),), backbones=("resnet26",))
    arms = [(cell.backbone, cell.arm) for cell in COST.cells(want)]
    assert arms == [("resnet26", "none"), ("resnet26", "eca kernel_size=5")]


def test_a_name_may_say_which_weights_as_timms_do():
    """They decide nothing here, and none are loaded."""
    found = [
        COST.measure(Cell("cost", backbone, "se", device="meta", image_size=224))
        for backbone in ("resnet18", "resnet18.a1_in1k")
    ]
    assert found[0] == found[1]
