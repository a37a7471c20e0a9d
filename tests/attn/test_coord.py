from functools import partial

import pytest
import timm
import torch
from official import assert_equals_official, gate_of, num_params
from timm.layers.coord_attn import CoordAttn
from torch import nn

from attn.coord import SHORT, CoordAttention, _as_one_product

VARIANTS = {
    "both": CoordAttention,
    "height": partial(CoordAttention, axes="height"),
    "width": partial(CoordAttention, axes="width"),
}


def trained(**options) -> CoordAttention:
    """A module in float64 and eval mode, with BN statistics away from 0 and 1."""
    module = CoordAttention(16, **options).double().eval()
    for tensor in module.bn1.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
    return module


def random_input() -> torch.Tensor:
    return torch.randn(2, 16, 7, 5, dtype=torch.float64)


def mobilenetv2_millions(attention) -> float:
    """Millions of parameters of MobileNetV2 with the module on all 16 expanded features."""
    with torch.device("meta"):
        model = timm.create_model("mobilenetv2_100")
        widths = [b.conv_pwl.in_channels for b in model.modules() if hasattr(b, "conv_pwl")]
        assert len(widths) == 16
        return (num_params(model) + sum(num_params(attention(w)) for w in widths)) / 1e6


def test_equals_official():
    assert_equals_official("coord_a", CoordAttention(64))


def test_equals_timm_at_the_official_width_and_biases():
    ours = CoordAttention(64).eval()
    theirs = CoordAttn(64, rd_channels=8, bias=True).eval()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 64, 14, 9)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-6)


def test_sizes_in_mobilenetv2():
    assert round(mobilenetv2_millions(CoordAttention), 3) == 3.951
    assert round(mobilenetv2_millions(partial(CoordAttention, min_channels=0)), 3) == 3.942


@pytest.mark.parametrize("axes", ["height", "width"])
def test_size_of_one_axis_is_that_of_table_1(axes):
    one_axis = partial(CoordAttention, reduction=24, axes=axes)
    assert round(mobilenetv2_millions(one_axis), 2) == 3.89


@pytest.mark.parametrize(
    ("channels", "options", "hidden"),
    [
        (64, {}, 8),
        (512, {}, 16),
        (300, {}, 9),
        (16, {}, 8),
        (512, {"min_channels": 0, "reduction": 128}, 4),
        (64, {"min_channels": 12}, 12),
    ],
)
def test_params(channels, options, hidden):
    shared = channels * hidden + 3 * hidden
    axis = hidden * channels + channels
    make = partial(CoordAttention, channels, **options)
    assert num_params(make()) == shared + 2 * axis
    assert num_params(make(axes="height")) == shared + axis
    assert num_params(make(axes="width")) == shared + axis


def test_gate_is_rank_1_in_every_channel():
    gate = gate_of(trained(), random_input())
    singular = torch.linalg.svdvals(gate)
    assert (singular[..., 1] < 1e-12 * singular[..., 0]).all()
    assert (singular[..., 0] > 0).all()


def test_axes_are_the_factors_of_both():
    both, height, width = trained(), trained(axes="height"), trained(axes="width")
    for one_axis in (height, width):
        one_axis.load_state_dict(both.state_dict(), strict=False)
    x = random_input()
    rows, columns = gate_of(height, x), gate_of(width, x)
    torch.testing.assert_close(rows, rows[..., :1].expand_as(rows))
    torch.testing.assert_close(columns, columns[..., :1, :].expand_as(columns))
    torch.testing.assert_close(gate_of(both, x), rows * columns)


def test_row_gate_is_its_equation():
    module = trained(axes="height")
    x = random_input()
    bn = module.bn1
    mean = x.mean(3)  # (N, C, H)
    f = torch.einsum("mc,nch->nmh", module.conv1.weight[:, :, 0, 0], mean)
    f = f + module.conv1.bias[:, None]
    scale = bn.weight / (bn.running_var + bn.eps).sqrt()
    f = (f - bn.running_mean[:, None]) * scale[:, None] + bn.bias[:, None]
    f = f * (f + 3).clamp(0, 6) / 6
    logits = torch.einsum("cm,nmh->nch", module.conv_h.weight[:, :, 0, 0], f)
    gate = (logits + module.conv_h.bias[:, None]).sigmoid()
    torch.testing.assert_close(module(x), x * gate[..., None])


def test_row_gate_ignores_a_shuffle_of_columns_and_follows_one_of_rows():
    module = trained(axes="height")
    x = random_input()
    gate = gate_of(module, x)
    torch.testing.assert_close(gate_of(module, x[..., torch.randperm(5)]), gate)
    rows = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    torch.testing.assert_close(gate_of(module, x[:, :, rows]), gate[:, :, rows])
    assert not torch.allclose(gate[:, :, rows], gate)


def test_transposed_input_swaps_the_axes():
    module, swapped = trained(), trained()
    state = module.state_dict()
    for kind in ("weight", "bias"):
        h, w = f"conv_h.{kind}", f"conv_w.{kind}"
        state[h], state[w] = state[w], state[h]
    swapped.load_state_dict(state)
    x = random_input()
    torch.testing.assert_close(swapped(x.mT), module(x).mT)


@pytest.mark.parametrize("make", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("training", [True, False])
def test_gradients(make, training):
    x = torch.randn(2, 8, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(make(8).double().train(training), x)


@pytest.mark.parametrize(
    ("channels", "options", "error", "message"),
    [
        (0, {}, ValueError, "channels=0"),
        (16, {"min_channels": 0}, ValueError, "from 1 to 16, or min_channels"),
        (16, {"reduction": 0}, ValueError, "reduction=0"),
        (16, {"min_channels": 2.5}, TypeError, "min_channels=2.5 is a float"),
        (16, {"axes": "x"}, ValueError, "'both', 'height', 'width'"),
    ],
)
def test_errors_say_what_is_allowed(channels, options, error, message):
    with pytest.raises(error, match=message):
        CoordAttention(channels, **options)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("places", [9, 40])
def test_the_mixing_of_a_strip_is_a_convolution(places, layout):
    mix = CoordAttention(64).conv1.double()
    strip = torch.randn(3, 64, places, 1, dtype=torch.float64).contiguous(memory_format=layout)
    strip.requires_grad_()
    one_product = places <= SHORT or layout is torch.channels_last
    assert _as_one_product(strip, mix.weight) is one_product
    heard = []
    handle = mix.register_forward_hook(lambda *given: heard.append(given[-1]))
    inputs = [strip, *mix.parameters()]
    ours = mix(strip)
    plain = nn.functional.conv2d(strip, mix.weight, mix.bias)
    torch.testing.assert_close(ours, plain)
    torch.testing.assert_close(
        torch.autograd.grad(ours.square().sum(), inputs),
        torch.autograd.grad(plain.square().sum(), inputs),
    )
    handle.remove()
    assert heard[0] is ours
