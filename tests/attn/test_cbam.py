from functools import partial

import numpy as np
import pytest
import timm
import torch
from official import assert_equals_official, gate_of, num_params
from timm.layers.cbam import CbamModule

from attn.cbam import CBAM
from attn.se import SE

VARIANTS = {
    "code": CBAM,
    "paper": partial(CBAM, form="paper"),
    "no bias": partial(CBAM, bias=False),
    "kernel 3": partial(CBAM, kernel_size=3),
    "avg": partial(CBAM, pool="avg"),
    "max": partial(CBAM, pool="max"),
    "1x1 conv": partial(CBAM, spatial="conv"),
    "channel only": partial(CBAM, spatial=None),
    "spatial first": partial(CBAM, order="spatial_first"),
    "parallel": partial(CBAM, order="parallel"),
}


def trained(**options) -> CBAM:
    """A module in float64 whose spatial BN is away from its initial zeros, in eval mode."""
    module = CBAM(32, **options).double().eval()
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                assert tensor is not None
                torch.nn.init.uniform_(tensor, 0.5, 1.5)
    return module


def random_input() -> torch.Tensor:
    return torch.randn(2, 32, 9, 8, dtype=torch.float64)


def test_equals_official():
    assert_equals_official("cbam_a", CBAM(64))


def test_equals_timm_with_its_maps_swapped():
    ours = CBAM(64).eval()
    theirs = CbamModule(64, mlp_bias=True).eval()
    bn = ours.SpatialGate.spatial.bn
    torch.nn.init.uniform_(bn.weight), torch.nn.init.uniform_(bn.bias)
    state = dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True))
    assert theirs.spatial.conv.conv.weight.shape == state["spatial.conv.conv.weight"].shape
    state["spatial.conv.conv.weight"] = state["spatial.conv.conv.weight"].flip(1)
    for name in ("channel.fc1.weight", "channel.fc2.weight"):
        state[name] = state[name][:, :, None, None]
    theirs.load_state_dict(state)
    x = torch.randn(2, 64, 14, 14)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "published"),
    [
        ({}, 28_089_624),
        ({"bias": False}, 28_073_576),
        ({"form": "paper", "bias": True}, 28_089_624 - 32),
        ({"form": "paper"}, 28_073_576 - 32),
        ({"spatial": None}, 28_089_624 - 16 * (2 * 7 * 7 + 2)),
        ({"form": "paper", "bias": True, "spatial": "conv", "kernel_size": 3}, 28_103_272),
        ({"form": "paper", "bias": True, "spatial": "conv", "kernel_size": 7}, 28_103_912),
    ],
)
def test_sizes_in_resnet50(options, published):
    with torch.device("meta"):
        attn_layer = partial(CBAM, **options)
        model = timm.create_model("resnet50", block_args={"attn_layer": attn_layer})
    assert num_params(model) == published


@pytest.mark.parametrize("pool", ["both", "avg", "max"])
@pytest.mark.parametrize("order", ["channel_first", "spatial_first", "parallel"])
@pytest.mark.parametrize("kernel_size", [3, 7])
def test_params(pool, order, kernel_size):
    c, hidden = 72, 4
    mlp, taps = 2 * c * hidden, kernel_size**2
    make = partial(CBAM, c, pool=pool, order=order, kernel_size=kernel_size)
    assert num_params(make()) == mlp + c + hidden + 2 * taps + 2
    assert num_params(make(bias=False)) == mlp + 2 * taps + 2
    assert num_params(make(form="paper")) == mlp + 2 * taps
    assert num_params(make(spatial="conv")) == mlp + c + hidden + c + taps + 2
    assert num_params(make(min_channels=8, form="paper")) == 2 * c * 8 + 2 * taps


@pytest.mark.parametrize("order", ["channel_first", "spatial_first", "parallel"])
@pytest.mark.parametrize("training", [True, False])
def test_spatial_gate_starts_at_one_half(order, training):
    module = CBAM(32, order=order).double().train(training)
    x = random_input()
    assert (module.spatial_gate(x)[1] == 0.5).all()
    inside = x * 0.5 if order == "spatial_first" else x
    torch.testing.assert_close(module(x), x * 0.5 * module.channel_gate(inside)[1], rtol=0, atol=0)


def test_biases_start_at_zero():
    biases = [p for name, p in CBAM(32).named_parameters() if name.endswith("bias")]
    assert len(biases) == 3
    assert all((b == 0).all() for b in biases)


def test_spatial_statistics_move_by_one_percent():
    module = CBAM(32, spatial="conv").double().train()
    x = random_input()
    module(x)
    gated = x * module.channel_gate(x)[1]
    mean = module.SpatialGate.spatial.conv(module.SpatialGate.compress(gated)).mean()
    torch.testing.assert_close(module.SpatialGate.spatial.bn.running_mean[0], 0.01 * mean)


def test_channel_gate_is_its_equation():
    module = trained()
    gate = module.channel_gate
    x = random_input()
    w1, b1, w2, b2 = (p.detach().numpy() for p in module.ChannelGate.parameters())

    def mlp(pooled):
        return (pooled @ w1.T + b1).clip(min=0) @ w2.T + b2

    logits = torch.from_numpy(mlp(x.numpy().mean((2, 3))) + mlp(x.numpy().max((2, 3))))
    torch.testing.assert_close(gate(x)[1][:, :, 0, 0], logits.sigmoid())


@pytest.mark.parametrize(
    ("form", "maps"), [("code", (np.max, np.mean)), ("paper", (np.mean, np.max))]
)
def test_order_of_the_pooled_maps(form, maps):
    x = random_input()
    pooled = np.stack([f(x.numpy(), axis=1) for f in maps], axis=1)
    module, seen = CBAM(32, form=form).double(), []
    module.SpatialGate.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    module.spatial_gate(x)
    torch.testing.assert_close(seen[0], torch.from_numpy(pooled))


def test_paper_form_is_the_code_without_bn_and_its_maps_swapped():
    code, paper = trained(bias=False), trained(form="paper")
    bn = code.SpatialGate.spatial.bn
    for tensor, value in zip(bn.state_dict().values(), (1, 0, 0, 1 - bn.eps), strict=False):
        tensor.fill_(value)
    paper.ChannelGate.load_state_dict(code.ChannelGate.state_dict())
    with torch.no_grad():
        paper.SpatialGate.spatial.conv.weight.copy_(code.SpatialGate.spatial.conv.weight.flip(1))
    x = random_input()
    torch.testing.assert_close(paper(x), code(x))


def test_orders_compose_the_same_two_gates():
    first = trained()
    x = random_input()

    def channel(x):
        return first.channel_gate(x)[1]

    def spatial(x):
        return first.spatial_gate(x)[1]

    expected = {
        "channel_first": x * channel(x) * spatial(x * channel(x)),
        "spatial_first": x * spatial(x) * channel(x * spatial(x)),
        "parallel": x * channel(x) * spatial(x),
    }
    for order, y in expected.items():
        module = trained(order=order)
        module.load_state_dict(first.state_dict())
        torch.testing.assert_close(module(x), y)
    assert not torch.allclose(expected["channel_first"], expected["spatial_first"])


def test_channel_gate_ignores_where_pixels_are():
    gate = trained().channel_gate
    x = random_input()
    shuffled = x.flatten(2)[:, :, torch.randperm(72)].view_as(x)
    torch.testing.assert_close(gate(shuffled)[1], gate(x)[1])


def test_spatial_gate_ignores_the_order_of_channels():
    gate = trained().spatial_gate
    x = random_input()
    torch.testing.assert_close(gate(x[:, torch.randperm(32)])[1], gate(x)[1])


def test_spatial_gate_sees_its_window():
    gate = trained(kernel_size=3).spatial_gate
    x = random_input()
    changed = x.clone()
    changed[0, :, 4, 4] += 1
    moved = (gate(changed)[1] - gate(x)[1]).abs() > 1e-12
    assert moved[0, 0, 3:6, 3:6].all()
    assert moved.sum() == 9


@pytest.mark.parametrize("pool", ["avg", "max"])
def test_channel_gate_alone_is_se(pool):
    module = CBAM(32, spatial=None, pool=pool).double()
    se = SE(32, squeeze=pool).double()
    se.load_state_dict(dict(zip(se.state_dict(), module.state_dict().values(), strict=True)))
    x = random_input()
    torch.testing.assert_close(module(x), se(x))


def test_both_pools_double_the_logits_on_flat_channels():
    both, average = CBAM(32, spatial=None), CBAM(32, spatial=None, pool="avg")
    average.load_state_dict(both.state_dict())
    x = torch.randn(2, 32, 1, 1).expand(2, 32, 4, 4)
    torch.testing.assert_close(gate_of(both, x).logit(), 2 * gate_of(average, x).logit())


@pytest.mark.parametrize("make", VARIANTS.values(), ids=VARIANTS)
def test_gradients(make):
    module = make(16).double()
    for name, parameter in module.named_parameters():
        if name.endswith("bn.weight"):
            torch.nn.init.ones_(parameter)
    x = torch.randn(2, 16, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module.eval(), x)


@pytest.mark.parametrize(
    ("channels", "options", "error", "message"),
    [
        (0, {}, ValueError, "channels=0"),
        (8, {}, ValueError, "from 1 to 8, or min_channels"),
        (64, {"kernel_size": 6}, ValueError, "odd integer such as 5 or 7"),
        (64, {"kernel_size": 6, "spatial": None}, ValueError, "kernel_size=6"),
        (64, {"pool": "lse"}, ValueError, "'both', 'avg', 'max'"),
        (64, {"spatial": "none"}, ValueError, "'pool', 'conv', None"),
        (64, {"order": "sequential"}, ValueError, "'parallel'"),
        (64, {"order": "parallel", "spatial": None}, ValueError, "needs a spatial gate"),
        (64, {"form": "official"}, ValueError, "'code', 'paper'"),
        (64, {"reduction": "16"}, TypeError, "reduction='16' is a str"),
    ],
)
def test_errors_say_what_is_allowed(channels, options, error, message):
    with pytest.raises(error, match=message):
        CBAM(channels, **options)
