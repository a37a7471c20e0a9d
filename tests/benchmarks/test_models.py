"""The model of a cell is the one that its words name, small nets included."""

from dataclasses import replace

import pytest
import timm
import torch

import attn
from benchmarks import __main__, models, preflight, runner
from benchmarks.cells import Cell, Selection
from benchmarks.fresh import in_fresh_process
from benchmarks.nets import CIFAR, SIZES
from benchmarks.store import Store
from benchmarks.widths import WIDTHS

SMALL = ("resnet10_small", "resnet10_small_os8", "resnet10_narrow_os8", *WIDTHS, *SIZES)
"""All nets of the suite; the files that register them are four."""


def in_channels(names):
    return [models.create(name, device="meta").pretrained_cfg["input_size"][0] for name in names]


def test_a_fresh_process_knows_every_small_net():
    colours = [3 if name in CIFAR else 1 for name in SMALL]
    assert in_fresh_process(in_channels, SMALL) == colours


@pytest.mark.parametrize("name", SMALL)
def test_no_small_net_has_pretrained_weights(name):
    models.register()
    with pytest.raises(ValueError, match=f"{name} has no pretrained weights"):
        timm.create_model(name, pretrained=True)


class Older(torch.nn.BatchNorm2d):
    """As torch 2.11 prints it."""

    def extra_repr(self):
        return "8, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True"


def test_layers_are_printed_alike_whatever_torch_prints_of_a_norm():
    now = models.printed(torch.nn.BatchNorm2d(8))
    assert models.printed(Older(8)).replace("Older", "BatchNorm2d") == now
    assert "affine=True, bias=True, track" in now
    assert "bias=False" in models.printed(torch.nn.BatchNorm2d(8, affine=False))


@pytest.mark.parametrize("variant", ["", "reduction=8 bias=False"])
def test_the_module_has_the_options_of_the_variant(variant):
    torch.manual_seed(0)
    ours = models.create("resnet18", "se", variant, num_classes=7)
    torch.manual_seed(0)
    options = {"reduction": 8, "bias": False} if variant else {}
    theirs = attn.create_model("resnet18", "se", options=options, num_classes=7)
    pairs = zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True)
    assert all(mine[0] == other[0] and torch.equal(mine[1], other[1]) for mine, other in pairs)
    assert ours.fc.out_features == 7


def check(names):
    __main__._check_names(Selection(modules=(("se", ""),)))
    preflight._build([Cell("any", name, "se", "reduction=8") for name in names])


def test_a_chosen_module_is_checked_in_every_small_net():
    in_fresh_process(check, SMALL)


@pytest.mark.parametrize("words", [("resnet5O",), ("resnet18", "sse"), ("resnet18", "se", "wide")])
def test_what_nobody_knows_is_refused(words):
    with pytest.raises(ValueError, match=words[-1]):
        models.create(*words, device="meta")


def test_a_user_s_module_is_tried_in_nets_of_timm_alone(tmp_path):
    """The papers' nets have printed names; with no row of them yet they must not stop a run."""
    want = Selection("cpu", modules=(("se", ""),))
    empty = Store(tmp_path)
    work = runner.plan(want, empty, only=["paper", "cost"])
    assert {cell.backbone for cell in work.todo["paper"]} - set(models.names())
    work.todo["cost"] = [cell for cell in work.todo["cost"] if cell.backbone == "resnet18"]
    preflight.check(work, want)
    broken = replace(work.todo["cost"][0], module="se", variant="reduction=0")
    work.todo["cost"].append(broken)
    with pytest.raises(ValueError, match="reduction"):
        preflight.check(work, want)
