"""The short way of counting leaves the backbone as it was and knows where it doesn't apply."""

import pytest
import torch
from torch import nn

import attn
from attn.trace import trace
from benchmarks import meta
from benchmarks.meta import Bare, Unusual, unchanged


def state(model):
    """Every module with its attributes, children and hooks, by identity."""
    return [
        (id(m), {k: id(v) for k, v in vars(m).items()}, list(m._modules), len(m._forward_hooks))
        for m in model.modules()
    ]


@pytest.mark.parametrize(
    ("backbone", "module"),
    [("resnet18", "se"), ("efficientnet_b0", "eca"), ("vgg11_bn", "sk"), ("dla34", "cam")],
)
def test_plugging_is_undone(backbone, module):
    model = meta.built(backbone)
    before = state(model)
    with unchanged(model):
        attn.plug(model, module)
        assert state(model) != before
    assert state(model) == before
    assert trace(model).count == trace(meta.built(backbone)).count


def test_a_container_that_was_hooked_runs_no_module_afterwards():
    short = Bare("convmixer_768_32")
    calls = len(short.traced.calls)
    short.plugged("se", {})
    assert len(trace(short.model).calls) == calls


def test_modules_of_one_place_share_one_run_of_the_backbone(monkeypatch):
    runs = []
    monkeypatch.setattr(meta, "trace", lambda *args: runs.append(args) or trace(*args))
    short = Bare("resnet18")
    for module in attn.list_modules():
        short.plugged(module, {})
    assert len(runs) == 4  # bare, in the blocks, in place of convolutions, after the last stage


class Wider(nn.Module):
    def __init__(self, channels):
        super().__init__()

    def forward(self, x):
        return torch.cat((x, x), dim=1)


class Half(nn.Module):
    def __init__(self, channels):
        super().__init__()

    def forward(self, x):
        return x.half()


class Broken(nn.Module):
    def __init__(self, channels):
        super().__init__()

    def forward(self, x):
        raise KeyError("no")


@pytest.mark.parametrize("module", [Wider, Half, Broken])
def test_a_module_that_is_no_gate_has_to_be_plugged_in(module):
    with pytest.raises(Unusual):
        Bare("resnet18").plugged(f"{__name__}:{module.__name__}", {})


def test_options_by_stage_reach_each_stage():
    kernels = (3, 5, 5, 7)
    short = Bare("resnet18")
    added = short.plugged("eca", {"per_stage": {"kernel_size": kernels}}).params - short.arm.params
    assert added == 2 * sum(kernels)
