"""MobileNetV2 and ResNet for small images are the nets of their papers, and take every module."""

import pytest
import timm
import torch
from torch import nn

import attn
from benchmarks import models, small_nets
from benchmarks.cells import MODULES, Cell
from benchmarks.fresh import in_fresh_process

NETS = {
    "mobilenetv2_small": (1, 28),
    "mobilenetv2_cifar": (3, 32),
    "resnet20_cifar": (3, 32),
    "resnet56_cifar": (3, 32),
}
"""Channels and pixels of an image."""


TRAINED = {**NETS, "resnet10_small": (1, 28), "resnet10_small_os8": (1, 28)}


@pytest.mark.parametrize("name", TRAINED)
def test_no_trained_net_strides_over_a_map_of_one_pixel(name):
    """In bfloat16 its gradient would be wrong on some processors, now and then not a number.

    With PyTorch 2.14 on a Xeon with AVX-512 for bfloat16 that of the weight of a 3 by 3 convolution
    with a stride of 2 on a map of one pixel differs from run to run.
    """
    channels, pixels = TRAINED[name]
    net = models.create(name, in_chans=channels, num_classes=10).eval()
    maps = []
    for conv in net.modules():
        if isinstance(conv, nn.Conv2d) and max(conv.stride) > 1 and max(conv.kernel_size) > 1:
            conv.register_forward_hook(lambda _, inputs, __: maps.append(inputs[0].shape[-2:]))
    with torch.no_grad():
        net(torch.zeros(1, channels, pixels, pixels))
    assert all(min(size) > 1 for size in maps), maps
    if name == "resnet10_small":
        with torch.no_grad():
            net(torch.zeros(1, channels, 8, 8))
        assert min(maps[-1]) == 1, "as the digits of scikit-learn would have it"


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(("name", "blocks", "printed"), [("20", 3, "0.27"), ("56", 9, "0.85")])
def test_a_resnet_has_the_parameters_that_its_paper_prints(name, blocks, printed):
    net = timm.create_model(f"resnet{name}_cifar", num_classes=10)
    convs, before = 3 * 16 * 9, 16
    norms = 16
    for channels in (16, 32, 64):
        convs += 9 * channels * (before + (2 * blocks - 1) * channels)
        norms += 2 * blocks * channels
        before = channels
    assert parameters(net) == convs + 2 * norms + 64 * 10 + 10
    assert f"{parameters(net) / 1e6:.2f}" == printed
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == 6 * blocks + 2 == int(name)  # the paper's 6n + 2


def test_the_shortcut_without_parameters_is_every_second_pixel_and_zeros():
    x = torch.arange(2 * 3 * 5 * 5.0).view(2, 3, 5, 5)
    out = small_nets.Padded(4)(x)
    assert out.shape == (2, 7, 3, 3)
    assert torch.equal(out[:, :3], x[:, :, ::2, ::2]) and not out[:, 3:].any()


def test_an_untrained_residual_block_is_its_shortcut():
    net = timm.create_model("resnet20_cifar").eval()  # the last norm of a block starts at zero
    x = torch.rand(1, 16, 32, 32)
    assert torch.equal(net.layer2(x), small_nets.Padded(16)(x))


def test_mobilenet_for_cifar_differs_from_timms_in_strides_alone():
    names = ("mobilenetv2_cifar", "mobilenetv2_100")
    ours, theirs = (timm.create_model(name, num_classes=100) for name in names)
    shapes = [[(k, v.shape) for k, v in net.state_dict().items()] for net in (ours, theirs)]
    assert shapes[0] == shapes[1]
    layers = [[repr(m) for m in net.modules() if not list(m.children())] for net in (ours, theirs)]
    changed = [(a, b) for a, b in zip(*layers, strict=True) if a != b]
    assert len(changed) == 2
    assert all(a == b.replace("stride=(2, 2)", "stride=(1, 1)") for a, b in changed)


def test_the_small_mobilenet_has_the_channels_of_timms_narrowest():
    ours, theirs = (timm.create_model(n) for n in ("mobilenetv2_small", "mobilenetv2_035"))
    stages = [[b[-1].bn3.num_features for b in net.blocks[1:]] for net in (ours, theirs)]
    assert stages[0] == stages[1]
    expanded = [[b[0].conv_dw.in_channels for b in net.blocks[1:]] for net in (ours, theirs)]
    assert expanded[0] == expanded[1]
    assert ours.conv_stem.out_channels == theirs.conv_stem.out_channels
    assert ours.num_features == 0.35 * theirs.num_features == 448
    assert any(block.has_skip for stage in ours.blocks for block in stage)


MAPS = {
    "mobilenetv2_small": (14, 14, 7, 4, 4, 4, 4, 4),
    "mobilenetv2_cifar": (32, 32, 32, 16, 8, 8, 4, 4),
    "resnet20_cifar": (32, 32, 16, 8),
    "resnet56_cifar": (32, 32, 16, 8),
}


@pytest.mark.parametrize("name", NETS)
def test_maps_of_the_stem_and_of_every_stage(name):
    channels, pixels = NETS[name]
    net = timm.create_model(name).eval()
    mobile = hasattr(net, "blocks")
    stem = net.conv_stem if mobile else net.conv1
    stages = net.blocks if mobile else (net.layer1, net.layer2, net.layer3)
    maps = [stem(torch.zeros(1, channels, pixels, pixels))]
    for stage in stages:
        maps.append(stage(maps[-1]))
    assert tuple(x.shape[-1] for x in maps) == MAPS[name]


@pytest.mark.parametrize("name", NETS)
def test_timm_knows_the_maps(name):
    channels, pixels = NETS[name]
    net = timm.create_model(name, features_only=True)
    maps = net(torch.zeros(2, channels, pixels, pixels))
    reached = [-(-pixels // reduction) for reduction in net.feature_info.reduction()]
    assert [m.shape[-1] for m in maps] == reached
    assert [m.shape[1] for m in maps] == net.feature_info.channels()


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("name", NETS)
def test_every_module_learns_in_every_net(name, module):
    channels, pixels = NETS[name]
    torch.manual_seed(0)
    net = attn.create_model(name, module, num_classes=10).train()
    scores = net(torch.randn(2, channels, pixels, pixels))
    assert scores.shape == (2, 10)
    nn.functional.cross_entropy(scores, torch.tensor([0, 1])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("module", [name for name in MODULES if name != "none"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("mobilenetv2_small", "mobilenetv2_035"),
        ("mobilenetv2_cifar", "mobilenetv2_100"),
        ("resnet20_cifar", "resnet18"),
        ("resnet56_cifar", "resnet18"),
    ],
)
def test_a_module_goes_where_it_goes_in_timms_own_net(ours, theirs, module):
    mine, other = (attn.plug(timm.create_model(name), module) for name in (ours, theirs))
    assert mine.slot == other.slot
    last = module in ("pam", "cam", "danet")
    assert other.inserted > 1 or last
    net = timm.create_model(ours)
    if last:
        stage = "blocks.6.attn" if hasattr(net, "blocks") else "layer3.attn"
        assert mine.where == (stage,)
    elif hasattr(net, "blocks"):
        first = 0 if module == "sk" else 1  # SK replaces the depthwise convolution of any block
        assert mine.inserted == sum(len(stage) for stage in net.blocks[first:])
    else:
        assert mine.inserted == 3 * len(net.layer1)


def outputs(names):
    """Shapes of what the nets of some cells give in a process that has imported nothing."""
    from benchmarks.accuracy import build

    models.register()
    found = []
    for name, (channels, pixels) in names.items():
        net = build(
            Cell("accuracy", name, "se", data="digits", recipe="smoke", seed=0), 7, channels
        )
        found.append(tuple(net.eval()(torch.zeros(1, channels, pixels, pixels)).shape))
    return found


def test_a_fresh_process_builds_them():
    assert in_fresh_process(outputs, NETS) == [(1, 7)] * len(NETS)
