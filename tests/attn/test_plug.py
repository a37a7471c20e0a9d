"""Modules in timm backbones: published sizes, places, and what must not change."""

import copy
import pickle
import warnings

import pytest
import timm
import torch
from official import num_params, on_meta
from torch import nn

import attn

RESNET50 = 25_557_032
IMAGE = (2, 3, 64, 64)

# SENet's prototxts and the ECA paper's bias-free SE, CBAM's official code, the ECA
# checkpoint k3557 (+80), its formula (+86) and its default k=3 (+48), SKNet-50 of the prototxt.
PUBLISHED = [
    ("resnet50", "none", "", RESNET50),
    ("resnet50", "se", "", 28_088_024),
    ("resnet50", "se", "bias=False", 28_071_976),
    ("resnet50", "cbam", "", 28_089_624),
    ("resnet50", "eca", "per_stage={'kernel_size':(3,5,5,7)}", RESNET50 + 80),
    ("resnet50", "eca", "kernel_size='adaptive'", RESNET50 + 86),
    ("resnet50", "eca", "kernel_size=3", RESNET50 + 48),
    ("resnext50_32x4d", "sk", "", 27_479_784),
    ("resnet101", "se", "", 49_326_872),
    ("resnext50_32x4d", "se", "", 27_559_896),
    ("resnext101_32x4d", "se", "", 48_955_416),
]


def create_seeded(backbone, module, **kwargs):
    torch.manual_seed(7)
    return attn.create_model(backbone, module, **kwargs)


def forward(model, shape=IMAGE):
    torch.manual_seed(3)
    with torch.no_grad():
        return model.eval()(torch.randn(shape))


@pytest.mark.parametrize(("backbone", "module", "variant", "params"), PUBLISHED)
def test_sizes_are_the_published_ones(backbone, module, variant, params):
    options = attn.parse_options(variant)
    model = attn.create_model(backbone, module, options=options, device="meta")
    assert num_params(model) == params


def test_coordinate_attention_in_mobile_nets_has_the_published_size():
    mobilenet = on_meta("mobilenetv2_100")
    report = attn.plug(mobilenet, "coord")
    assert report.inserted == 16
    assert "blocks.0.0.se" not in report.where  # the block that expands nothing
    assert round(num_params(mobilenet) / 1e6, 3) == 3.951
    efficientnet = attn.create_model("efficientnet_b0", "coord", device="meta")
    assert round(num_params(efficientnet) / 1e6, 3) == 5.382


# Blocks of each net as its paper counts them; built-in SEs as its table marks them.
PLACES = [
    ("resnet18", "se", "se", 8, 0),
    ("resnet50", "cbam", "se", 16, 0),
    ("seresnet50", "eca", "se", 16, 16),
    ("res2net50_26w_4s", "se", "se", 16, 0),
    ("resnest26d", "se", "bn3", 8, 0),
    ("resnetv2_50", "se", "drop_path", 16, 0),
    ("mobilenetv1_100", "se", "se", 13, 0),
    ("mobilenetv3_large_100", "se", "se", 14, 8),
    ("mobilenetv3_small_100", "eca", "se", 11, 9),
    ("efficientnet_b0", "coord", "se", 16, 16),
    ("regnetx_004", "se", "se", 22, 0),
    ("regnety_004", "cbam", "se", 16, 16),
    ("convnext_tiny", "se", "drop_path", 18, 0),
    ("hrnet_w18_small", "se", "se", 23, 0),
    ("nf_resnet50", "eca", "attn_last", 16, 0),
    ("repvgg_a0", "se", "attn", 22, 0),
    ("ese_vovnet19b_dw", "eca", "attn", 4, 4),
    ("densenet121", "eca", "conv2", 58, 0),
    ("inception_v3", "se", "block", 11, 0),
    ("vgg11", "se", "stages", 5, 0),
    ("resnet50", "pam", "last_stage", 1, 0),
    ("mobilenetv2_100", "danet", "last_stage", 1, 0),
    ("hrnet_w18_small", "cam", "last_stage", 1, 0),
    ("resnet18", "sk", "conv1", 8, 8),
    ("resnet50", "sk", "conv2", 16, 16),
    ("mobilenetv2_100", "sk", "conv_dw", 17, 17),
    ("convnext_atto", "sk", "conv_dw", 12, 12),
]


@pytest.mark.parametrize(("backbone", "module", "slot", "inserted", "replaced"), PLACES)
def test_what_is_inserted_is_run(backbone, module, slot, inserted, replaced):
    model = on_meta(backbone)
    before = num_params(model)
    report = attn.plug(model, module)
    assert (report.slot, report.inserted, report.replaced) == (slot, inserted, replaced)
    assert attn.executed(model, report) == inserted == len(set(report.where))
    assert report.params_added == num_params(model) - before
    kind = type(attn.build(module, 64))
    assert all(type(model.get_submodule(path)) is kind for path in report.where)


def test_a_module_that_no_forward_calls_is_an_error_not_a_silence():
    class Forgetful(timm.models.resnet.BasicBlock):
        def forward(self, x):
            return self.act2(self.bn2(self.conv2(self.act1(self.bn1(self.conv1(x))))))

    model = timm.models.ResNet(Forgetful, [1, 1, 1, 1], num_classes=2)
    with pytest.raises(RuntimeError, match="not run exactly once.*layer1.0.se"):
        attn.plug(model, "se")


@pytest.mark.parametrize("module", ["se", "eca", "cbam", "coord", "pam", "sk"])
def test_one_seed_means_one_backbone_whatever_the_module(module):
    bare = create_seeded("resnet18", "none").state_dict()
    plugged = create_seeded("resnet18", module).state_dict()
    shared = [key for key in bare if key in plugged]
    assert module == "sk" or len(shared) == len(bare)
    assert all(torch.equal(bare[key], plugged[key]) for key in shared)


def test_sk_starts_from_the_weights_and_the_norm_that_it_replaces():
    bare = create_seeded("resnet18", "none")
    nn.init.uniform_(bare.layer2[0].bn1.running_mean)
    block = copy.deepcopy(bare)
    attn.plug(block, "sk")
    sk = block.layer2[0].conv1
    assert torch.equal(sk.convs[0].weight, bare.layer2[0].conv1.weight)
    assert torch.equal(sk.norms[0].running_mean, bare.layer2[0].bn1.running_mean)
    assert sk.convs[0].stride == (2, 2)
    assert isinstance(block.layer2[0].bn1, nn.Identity)
    assert isinstance(block.layer2[0].act1, nn.Identity)


def test_sk_keeps_kernel_groups_and_stride():
    model = on_meta("mobilenetv3_large_100")
    convs = dict(model.named_modules())
    report = attn.plug(model, "sk")
    for path in report.where:
        old, sk = convs[path], model.get_submodule(path)
        assert [conv.kernel_size for conv in sk.convs] == [old.kernel_size] * 2
        assert [conv.stride for conv in sk.convs] == [old.stride] * 2
        assert [conv.dilation for conv in sk.convs] == [(1, 1), (2, 2)]
        assert {conv.groups for conv in sk.convs} == {old.out_channels}


def test_se_is_timms_own_hook_to_the_bit():
    plugged = create_seeded("resnet18", "se")
    hooked = timm.create_model(
        "resnet18", block_args={"attn_layer": lambda channels, **_: attn.build("se", channels)}
    )
    hooked.load_state_dict(plugged.state_dict(), strict=True)
    assert torch.equal(forward(plugged), forward(hooked))


@pytest.mark.parametrize("backbone", ["resnet18", "convnext_atto", "regnetx_002"])
def test_pam_is_the_bare_backbone_at_initialisation(backbone):
    bare, plugged = create_seeded(backbone, "none"), create_seeded(backbone, "pam")
    assert torch.equal(forward(bare), forward(plugged))
    assert set(bare.state_dict()) < set(plugged.state_dict())


@pytest.mark.parametrize("backbone", ["resnet18", "convnext_atto", "regnetx_002"])
def test_a_copy_is_a_copy_and_pickles(backbone):
    model = create_seeded(backbone, "cbam", at="stages")
    copied = copy.deepcopy(model)
    assert torch.equal(forward(copied), forward(model))
    assert torch.equal(forward(pickle.loads(pickle.dumps(model))), forward(model))
    for parameter in copied.parameters():
        nn.init.zeros_(parameter)
    assert not torch.equal(forward(copied), forward(model))


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize(
    ("backbone", "module"),
    [("resnet18", "se"), ("resnet18", "sk"), ("convnext_atto", "eca"), ("convnext_atto", "pam")],
)
def test_plugged_models_script(backbone, module):
    model = create_seeded(backbone, module).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # no gate is idle, as PAM's is when it begins
            parameter.add_(0.1 * torch.randn_like(parameter))
    logits = forward(model)
    assert logits.isfinite().all()
    torch.testing.assert_close(forward(torch.jit.script(model)), logits)


def test_channels_last_gives_the_same_logits():
    model = create_seeded("resnet18", "coord")
    logits = forward(model)
    torch.testing.assert_close(forward(model.to(memory_format=torch.channels_last)), logits)


def test_the_model_is_left_as_it_was_but_for_the_module():
    model = timm.create_model("resnet18").bfloat16().eval()
    model.layer1.train()
    state = torch.get_rng_state()
    attn.family(model)
    assert torch.equal(torch.get_rng_state(), state)
    report = attn.plug(model, "se")
    assert not model.training and model.layer1[0].bn1.training
    assert model.bn1.num_batches_tracked == 0
    assert not model.get_submodule(report.where[0]).training
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert not any(module._forward_hooks for module in model.modules())


def test_a_failed_plug_leaves_the_model_untouched():
    model = timm.create_model("resnet18")
    keys = list(model.state_dict())
    with pytest.raises(ValueError, match=r"resnet18, layer1.0.se \(64 channels\).*reduction=128"):
        attn.plug(model, "se", reduction=128)
    assert list(model.state_dict()) == keys


def test_a_feature_extractor_takes_modules_at_its_stages():
    model = timm.create_model("resnet18", features_only=True)
    report = attn.plug(model, "se", at="stages")
    assert report.where == tuple(f"layer{i}.attn" for i in (1, 2, 3, 4))
    assert [tuple(f.shape[1:3]) for f in forward(model)][-1] == (512, 2)


def test_at_takes_paths_of_blocks_and_of_anything_with_a_map():
    model = on_meta("resnet18")
    report = attn.plug(model, "eca", at=["layer1.0", "layer3", "maxpool"])
    assert report.where == ("maxpool.attn", "layer1.0.se", "layer3.attn")
    assert attn.executed(model, report) == 3
    report = attn.plug(on_meta("resnet18"), "sk", at=["layer2", "layer4.1.conv2"])
    assert report.where == ("layer2.0.conv1", "layer2.1.conv1", "layer4.1.conv2")


def test_last_stage_of_sk_is_the_blocks_of_the_last_stage():
    report = attn.plug(on_meta("resnet50"), "sk", at="last_stage")
    assert report.where == tuple(f"layer4.{i}.conv2" for i in range(3))


def test_per_stage_follows_the_four_stages():
    model = on_meta("resnet50")
    report = attn.plug(model, "eca", per_stage={"kernel_size": (3, 5, 7, 9)})
    kernels = [model.get_submodule(path).conv.kernel_size[0] for path in report.where]
    assert kernels == [3] * 3 + [5] * 4 + [7] * 6 + [9] * 3


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"per_stage": {"kernel_size": (3, 5)}}, "one value for each of the 4 stages of resnet18"),
        ({"per_stage": {"kernel_size": "3557"}}, "one value for each of the 4 stages"),
        (
            {"per_stage": {"kernel_size": (3, 3, 3, 3)}, "kernel_size": 3},
            "both for all stages and per stage",
        ),
        ({"at": "everywhere"}, "allowed: auto, blocks, stages, last_stage"),
        ({"at": ["layer9"]}, "no module 'layer9'; did you mean layer"),
        ({"at": ["fc"]}, r"'fc' does not give one NCHW map \(\(1, 1000\)\)"),
        ({"at": []}, "no place"),
    ],
)
def test_bad_arguments_are_answered(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        attn.plug(on_meta("resnet18"), "eca", **arguments)


def test_sk_has_no_place_after_stages():
    with pytest.raises(ValueError, match="replaces convolutions"):
        attn.plug(on_meta("resnet18"), "sk", at="stages")


def test_a_stage_takes_one_module():
    model = on_meta("resnet18")
    attn.plug(model, "se", at="stages")
    with pytest.raises(ValueError, match="already has a module at 'layer1.attn'"):
        attn.plug(model, "eca", at="stages")


def test_a_second_module_replaces_the_first_and_keeps_stochastic_depth():
    model = on_meta("convnext_atto", drop_path_rate=0.1)
    attn.plug(model, "se")
    report = attn.plug(model, "eca")
    assert report.replaced == report.inserted == 12
    last = model.stages[3].blocks[1].drop_path
    assert [type(module).__name__ for module in last] == ["ECA", "DropPath"]


def test_an_input_that_the_backbone_cannot_take_is_answered():
    model = on_meta("resnet18")
    report = attn.plug(model, "se")
    with pytest.raises(ValueError, match=r"resnet18 does not run .* input of \(5, 64, 64\)"):
        attn.executed(model, report, (5, 64, 64))


def test_pam_in_every_block_warns_with_the_size():
    # 56 x 56 pixels: 3136^2 float32 = 37.5 MiB; 7 x 7 at the last stage is nothing.
    with pytest.warns(UserWarning, match="56 x 56.*38 MiB in float32 per image"):
        attn.plug(on_meta("resnet50"), "pam", at="blocks")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attn.plug(on_meta("resnet50"), "pam")


@pytest.mark.parametrize(
    "backbone", ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "levit_128s"]
)
def test_a_transformer_has_no_nchw_maps(backbone):
    with pytest.raises(ValueError, match=f"{backbone} has no NCHW feature maps.*resnet50"):
        attn.create_model(backbone, "se", device="meta")


@pytest.mark.parametrize(
    ("backbone", "kind"),
    [
        ("resnet18", "convolutional"),
        ("hrnet_w18_small", "convolutional"),
        ("coatnet_0_224", "hybrid"),
        ("mambaout_femto", "channels_last"),
        ("vit_tiny_patch16_224", "tokens"),
        ("crossvit_9_240", "tokens"),
    ],
)
def test_the_family_of_a_backbone_needs_no_table_of_names(backbone, kind):
    assert attn.family(on_meta(backbone)).kind == kind


def test_a_model_for_another_size_than_timm_says_is_plugged_at_its_own():
    built = {"img_size": 384, "device": "meta"}
    words = r"an input of \(3, 224, 224\).*; attn.plug takes another input_size="
    with pytest.raises(ValueError, match=words):
        attn.create_model("maxvit_tiny_tf_224", "se", **built)
    model = attn.create_model("maxvit_tiny_tf_224", "se", input_size=(3, 384, 384), **built)
    assert sum(isinstance(module, attn.get("se").factory) for module in model.modules()) == 11


def test_unknown_names_are_answered_before_a_model_is_built():
    with pytest.raises(ValueError, match="no backbone 'resnet5O'; did you mean resnet50"):
        attn.create_model("resnet5O", "se")
    with pytest.raises(ValueError, match="unknown module 'sse'; did you mean se"):
        attn.create_model("resnet50", "sse")
    with pytest.raises(TypeError, match="no option 'ratio'"):
        attn.create_model("resnet50", "se", options={"ratio": 4})
    with pytest.raises(ValueError, match="takes no options"):
        attn.create_model("resnet50", options={"reduction": 4})


def test_a_strangers_module_and_a_strangers_backbone(own_names):
    class Scale(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(channels, 1, 1))

        def forward(self, x):
            return x * self.scale

    class Tiny(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1))

        def forward(self, x):
            return self.body(x).mean((2, 3))

    attn.register("scale", Scale)
    model = Tiny()
    with pytest.warns(UserWarning, match="one module goes behind its last map"):
        report = attn.plug(model, "scale")
    assert (report.backbone, report.where, report.params_added) == ("Tiny", ("body.attn",), 6)
    assert report.slot == "stages"
    assert attn.plug(Tiny(), "sk").where == ("body.1",)


def test_a_backbone_registered_with_timm_works_as_any_other():
    def tiny_of_a_stranger(pretrained=False, num_classes=1000, **_):
        block = timm.models.resnet.BasicBlock
        return timm.models.ResNet(block, [1, 1, 1, 1], num_classes=num_classes)

    tiny_of_a_stranger.__module__ = __name__
    timm.models.register_model(tiny_of_a_stranger)
    model = attn.create_model("tiny_of_a_stranger", "se", num_classes=5)
    assert forward(model).shape == (2, 5)
