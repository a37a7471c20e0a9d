"""Models and gates as users have them: not square, wrapped, frozen, wrong."""

import pytest
import timm
import torch
from official import on_meta
from torch import nn
from torch.nn.utils import prune

import attn

pytestmark = pytest.mark.usefixtures("own_names")


class Gate(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.fc = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return x * self.fc(x.mean((2, 3), keepdim=True)).sigmoid()


class Weights(Gate):
    def forward(self, x):
        return self.fc(x.mean((2, 3), keepdim=True)).sigmoid()


class AsksForValues(Gate):
    def forward(self, x):
        return x if x.sum().item() > 0 else 2 * x


class Seven(nn.Module):
    def __init__(self, channels):
        super().__init__()

    def forward(self, x):
        return torch.full_like(x, 7.0)


@pytest.mark.parametrize("size", [(3, 256, 128), (3, 96, 320), (3, 50, 33)])
def test_an_image_need_not_be_square(size):
    report = attn.plug(on_meta("resnet18"), "se", input_size=size)
    assert report.inserted == 8
    assert attn.plug(on_meta("resnet18"), "sk", input_size=size).inserted == 8
    with pytest.raises(ValueError, match=r"channels last \(NHWC\)"):
        attn.plug(
            on_meta("swin_tiny_patch4_window7_224", img_size=(224, 448)),
            "se",
            input_size=(3, 224, 448),
        )


def test_an_image_need_not_be_square_without_padding():
    for size in ((3, 224, 448), (3, 299, 150)):
        square = attn.plug(on_meta("inception_v3", aux_logits=False), "se", at="stages")
        model = on_meta("inception_v3", aux_logits=False)
        assert attn.plug(model, "se", at="stages", input_size=size).inserted == square.inserted


@pytest.mark.parametrize(
    "backbone", ["ghostnet_100", "convnext_atto", "vgg11", "resnetv2_50", "mobilenetv2_100"]
)
def test_a_feature_extractor_has_the_stages_of_its_model(backbone):
    plain = attn.plug(on_meta(backbone), "se", at="stages")
    features = attn.plug(on_meta(backbone, features_only=True), "se", at="stages")
    assert features.inserted == plain.inserted > 1
    last = attn.plug(on_meta(backbone, features_only=True), "cam")
    assert last.where[0].startswith(features.where[-1].rpartition(".")[0])


def test_a_module_behind_a_stage_is_in_the_features_that_hooks_take():
    attn.register("seven", Seven)
    model = timm.create_model("resnetv2_50", features_only=True, feature_cls="hook").eval()
    attn.plug(model, "seven", at="last_stage")
    with torch.no_grad():
        *_, last = model(torch.zeros(1, 3, 64, 64))
    assert (last == 7).all()


@pytest.mark.parametrize("backbone", ["efficientnet_b0", "convnext_atto", "resnet18"])
def test_a_gate_that_gives_its_weights_alone_is_refused_before_anything_changes(backbone):
    attn.register("weights", Weights)
    model = timm.create_model(backbone)
    before = [path for path, _ in model.named_modules()]
    with pytest.raises(
        ValueError, match=r"'weights' makes \(1, \d+, 1, 1\) at .*times its weights"
    ):
        attn.plug(model, "weights")
    assert [path for path, _ in model.named_modules()] == before
    attn.register("gate", Gate)
    assert attn.plug(model, "gate").inserted > 1


def test_a_gate_in_the_place_of_one_of_the_librarys_is_tried_as_any_other():
    attn.register("se", Weights, replace=True)
    with pytest.raises(ValueError, match=r"'se' makes \(1, \d+, 1, 1\) at .*times its weights"):
        attn.plug(timm.create_model("resnet18"), "se")


def test_a_checkpoint_is_of_the_bare_backbone_and_has_all_of_it(tmp_path):
    bare = timm.create_model("resnet18")
    torch.save(bare.state_dict(), tmp_path / "bare.pth")
    model = attn.create_model("resnet18", "se", checkpoint_path=str(tmp_path / "bare.pth"))
    found = model.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in bare.state_dict().items())
    assert len(found) > len(bare.state_dict())
    left = {name: tensor for name, tensor in bare.state_dict().items() if name != "fc.bias"}
    torch.save(left, tmp_path / "left.pth")
    with pytest.raises(RuntimeError, match=r"fc\.bias"):
        attn.create_model("resnet18", "se", checkpoint_path=str(tmp_path / "left.pth"))


def test_a_gate_that_asks_for_values_is_not_asked():
    attn.register("asking", AsksForValues)
    assert attn.plug(timm.create_model("resnet18"), "asking").inserted == 8


def test_what_a_gate_keeps_is_not_of_the_trial():
    class Keeps(Gate):
        kept = None

        def forward(self, x):
            if self.kept is None:
                self.kept = torch.ones(1, device=x.device)
            return x * self.kept

    attn.register("keeps", Keeps)
    model = timm.create_model("resnet18").eval()
    attn.plug(model, "keeps")
    assert model.layer1[0].se.kept is None
    assert model(torch.zeros(1, 3, 32, 32)).isfinite().all()


def test_sk_takes_the_place_of_a_norm_with_a_learned_activation():
    model = timm.create_model("efficientnet_b0", act_layer="prelu", num_classes=2)
    assert attn.plug(model, "sk").inserted == 16


def test_a_gate_keeps_the_forward_that_it_was_given():
    def patched(channels):
        gate = nn.Identity()
        gate.forward = lambda x: 7 * x
        return gate

    attn.register("patched", patched)
    attn.register("compiled", lambda channels: torch.compile(Gate(channels), backend="eager"))
    attn.register("scripted", lambda channels: torch.jit.script(Gate(channels)))
    model = timm.create_model("resnet18").eval()
    attn.plug(model, "patched")
    assert model.layer1[0].se(torch.ones(1)) == 7
    model = timm.create_model("resnet18").eval()
    attn.plug(model, "compiled")
    assert model(torch.zeros(1, 3, 32, 32)).isfinite().all()
    with pytest.raises(ValueError, match="script the model"):
        attn.plug(timm.create_model("resnet18"), "scripted")


def test_sk_takes_over_what_is_frozen_and_the_epsilon():
    model = timm.create_model("tf_efficientnet_b0", num_classes=2).requires_grad_(False)
    report = attn.plug(model, "sk")
    for path in report.where:
        sk = model.get_submodule(path)
        assert not sk.convs[0].weight.requires_grad and sk.convs[1].weight.requires_grad
        assert not sk.norms[0].weight.requires_grad and sk.norms[1].weight.requires_grad
        assert sk.norms[0].eps == 1e-3


@pytest.mark.parametrize("option", [{"stride": 2}, {"out_channels": 32}])
def test_the_shape_of_sk_is_that_of_the_convolution(option):
    with pytest.raises(TypeError, match=f"{next(iter(option))}, which it takes from"):
        attn.plug(on_meta("resnet18"), "sk", **option)


def test_a_model_without_known_blocks_and_stages_warns_of_its_one_place():
    def model():
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))

    for at in ("auto", "stages"):
        with pytest.warns(UserWarning, match="one module goes behind its last map"):
            assert attn.plug(model(), "eca", at=at).inserted == 1
    with pytest.warns(UserWarning, match="goes behind its last map"):
        assert attn.plug(model(), "cam").inserted == 1
    assert attn.plug(model(), "eca", at=["1"]).inserted == 1


class TwoStages(nn.Module):
    """Its first stage gives two tensors, its second one map."""

    def __init__(self):
        super().__init__()
        self.one, self.two = Twice(), nn.Conv2d(8, 8, 3)
        self.feature_info = [{"module": "one"}, {"module": "two"}]

    def forward(self, x):
        return self.two(sum(self.one(x)))


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3))

    def forward(self, x):
        return self.conv(x), self.conv(x)


def test_a_stage_without_one_map_is_left_out_with_a_warning():
    with pytest.warns(UserWarning, match="of its stages one, two only 1 give one NCHW map"):
        assert attn.plug(TwoStages(), "eca", at="stages").where == ("two.attn",)
    assert attn.plug(TwoStages(), "cam").where == ("two.attn",)


def test_a_pruned_weight_stays_where_it_was():
    model = timm.create_model("resnet18")
    prune.l1_unstructured(model.conv1, "weight", 0.5)
    before = model.conv1.weight
    attn.plug(model, "se")
    assert model.conv1.weight is before and not before.is_meta


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda m: attn.plug("resnet18", "se"), "attn.create_model takes a name"),
        (lambda m: attn.plug(nn.DataParallel(m), "se"), "plug the model first, then wrap it"),
        (lambda m: attn.plug(torch.jit.script(m), "se"), "plug the model first, then wrap it"),
        (lambda m: attn.plug(m, Gate), r"attn\.register\(name, factory\)"),
        (lambda m: attn.plug(m, "se", at=[3]), r"at=\[3\]; allowed: auto, blocks"),
        (lambda m: attn.plug(m, "se", at=None), "at=None; allowed: auto, blocks"),
        (lambda m: attn.plug(m, "se", input_size=64), r"give \(channels, height, width\)"),
        (
            lambda m: attn.create_model("resnet18", "se", reduction=8),
            r"options=\{'reduction'",
        ),
        (lambda m: attn.create_model("resnet18", "se", options="reduction=8"), "give a mapping"),
        (lambda m: attn.build(Gate, 8), "named by a string"),
        (lambda m: attn.register(3, Gate), "named by a string"),
        (lambda m: attn.register("gate", Gate(3)), "give the class"),
        (lambda m: attn.register("gate", attn.Spec("g", Gate)), "give the Spec's factory"),
    ],
)
def test_an_argument_of_another_kind_is_answered(call, complaint):
    with pytest.raises(TypeError, match=complaint):
        call(timm.create_model("resnet18"))


def test_per_stage_takes_a_list():
    with pytest.raises(ValueError, match="one value for each of the 4 stages"):
        attn.plug(on_meta("resnet18"), "eca", per_stage={"kernel_size": 3})


def test_a_model_without_weights_is_answered():
    with pytest.warns(UserWarning, match="one module goes behind"):
        assert attn.plug(nn.Sequential(nn.ReLU()), "se", reduction=1).inserted == 1
