"""Models as a training has them: fine-tuned, plugged twice, with norms of another kind."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
from official import on_meta
from timm.layers import convert_sync_batchnorm, freeze_batch_norm_2d
from torch import nn

import attn

pytestmark = pytest.mark.usefixtures("own_names")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "add.md"


def paths_of(model, kind):
    return [path for path, module in model.named_modules() if isinstance(module, kind)]


def test_the_page_on_fine_tuning_says_what_works():
    text = PAGE.read_text(encoding="utf-8").partition("{: #fine-tune }")[2]
    tune, entry = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    offline = tune.replace("pretrained=True", "pretrained=False")
    assert offline != tune
    ask = """
trained = {name for name, p in model.named_parameters() if p.requires_grad}
assert trained == {n for n, _ in model.named_parameters() if "se.fc" in n or n.startswith("fc.")}
assert len(trained) == 16 * 4 + 2 and report.inserted == 16
model = timm.create_model("resnet50_se", num_classes=3)
assert sum(isinstance(m, type(attn.build("se", 64))) for m in model.modules()) == 16
"""
    made = subprocess.run(  # in a process of its own, as timm keeps the name
        [sys.executable, "-c", f"{offline}\n{entry}\n{ask}"],
        cwd=PAGE.parents[1],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert made.returncode == 0, made.stderr


@pytest.mark.parametrize("module", ["pam", "cam", "danet", "se", "eca", "cbam", "coord"])
def test_what_a_new_module_does_to_trained_weights(module):
    torch.manual_seed(0)
    x, gate = torch.randn(4, 64, 8, 8), attn.build(module, 64).eval()
    about = {"se": 0.5, "eca": 0.5, "cbam": 0.25, "coord": 0.25}
    if module in about:
        assert (gate(x) / x).median().item() == pytest.approx(about[module], rel=0.2)
    else:
        assert torch.equal(gate(x), x)


def test_a_second_gate_replaces_the_first():
    model = timm.create_model("resnet18")
    assert attn.plug(model, "se").replaced == 0
    assert attn.plug(model, "eca").replaced == 8
    assert not paths_of(model, type(attn.build("se", 64)))


@pytest.mark.parametrize("backbone", ["resnet18", "mobilenetv2_100"])
def test_sk_does_not_nest_in_itself(backbone):
    model = on_meta(backbone)
    inserted = attn.plug(model, "sk").inserted
    with pytest.raises(ValueError, match="no place for module 'sk'"):
        attn.plug(model, "sk")
    assert len(paths_of(model, type(attn.build("sk", 64)))) == inserted


def test_sk_leaves_the_convolutions_of_other_modules_alone():
    model = on_meta("mobilenetv2_100")
    bare = attn.plug(on_meta("mobilenetv2_100"), "sk")
    gates = attn.plug(model, "cbam")
    report = attn.plug(model, "sk")
    assert report.where == bare.where
    assert attn.executed(model, gates) == gates.inserted


def test_sk_continues_a_synchronised_norm_and_asks_for_one_that_can_be_trained():
    plain, synchronised = timm.create_model("resnet18"), timm.create_model("resnet18")
    nn.init.uniform_(synchronised.layer1[0].bn1.weight)
    learned = synchronised.layer1[0].bn1.weight.detach().clone()
    synchronised = convert_sync_batchnorm(synchronised)
    assert attn.plug(synchronised, "sk").where == attn.plug(plain, "sk").where
    assert isinstance(synchronised.layer1[0].bn1, nn.Identity)
    assert isinstance(synchronised.layer1[0].act1, nn.Identity)
    norms = [m for m in synchronised.layer1[0].conv1.modules() if isinstance(m, nn.BatchNorm2d)]
    assert torch.equal(norms[0].weight, learned)

    frozen = freeze_batch_norm_2d(timm.create_model("resnet18"))
    with pytest.raises(ValueError, match=r"'layer1.0.bn1' is frozen.*plug first"):
        attn.plug(frozen, "sk")
    early = timm.create_model("resnet18")
    early.layer1 = freeze_batch_norm_2d(early.layer1)
    assert attn.plug(early, "sk", at="last_stage").where == ("layer4.0.conv1", "layer4.1.conv1")
    assert attn.plug(frozen, "se").inserted == 8


def test_norms_are_converted_before_a_module_hangs_on_them():
    first = convert_sync_batchnorm(timm.create_model("dla34"))
    report = attn.plug(first, "se")
    assert attn.executed(first, report) == report.inserted
    late = timm.create_model("dla34")
    report = attn.plug(late, "se")
    # What the docstring of `plug` warns of: a conversion makes new norms without the hooks.
    assert attn.executed(convert_sync_batchnorm(late), report) == 0


def test_a_wrapper_round_a_backbone_is_told_of_the_last_map():
    class Segmenter(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = timm.create_model("resnet18", num_classes=0, global_pool="")
            self.head = nn.Conv2d(512, 3, 1)

        def forward(self, x):
            return self.head(self.backbone(x))

    model = Segmenter()
    with pytest.warns(UserWarning, match="plug the backbone"):
        assert attn.plug(model, "cam").where == ("head.attn",)
    assert attn.plug(model.backbone, "cam").where == ("layer4.attn",)


def test_a_strangers_convolution_is_told_what_it_is_built_with():
    class Strided(nn.Module):
        def __init__(self, channels, *, stride=1):
            super().__init__()

    attn.register("strided", Strided, replaces_conv=True)
    with pytest.raises(TypeError, match="takes no out_channels, groups: what repl"):
        attn.plug(on_meta("resnet18"), "strided")
    with pytest.raises(TypeError, match="built with out_channels, stride, groups, branches; take"):
        attn.plug(on_meta("convnext_atto"), "strided")
    with pytest.raises(TypeError, match="give an integer >= 1$"):
        attn.plug(on_meta("resnet18"), "sk", reduction=16.0)
