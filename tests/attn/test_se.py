from functools import partial

import pytest
import timm
import torch
from official import assert_equals_official, gate_of, num_params

from attn.se import SE, SEGC, SEVar1, SEVar2, SEVar3

VARIANTS = {
    "se": SE,
    "se no bias": partial(SE, bias=False),
    "se max": partial(SE, squeeze="max"),
    "se_var1": SEVar1,
    "se_var2": SEVar2,
    "se_var3": SEVar3,
    "se_gc": SEGC,
}
# Channels of the 16 residual blocks of ResNet-50.
RESNET50 = [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3


def timm_params(backbone: str, attn_layer) -> int:
    with torch.device("meta"):
        return num_params(timm.create_model(backbone, block_args={"attn_layer": attn_layer}))


def gate_jacobian(module, channels: int) -> torch.Tensor:
    """d gate / d pooled, (C, C), by autograd at a random image of one pixel."""
    pooled = torch.randn(channels, dtype=torch.float64)

    def gate(values):
        return (module(values[None, :, None, None]) / values[None, :, None, None]).flatten()

    jacobian = torch.autograd.functional.jacobian(gate, pooled)
    assert isinstance(jacobian, torch.Tensor)
    return jacobian


def test_equals_official():
    assert_equals_official("se_a", SE(64, bias=False))


@pytest.mark.parametrize(
    ("backbone", "published"),
    [
        ("resnet101", 49_326_872),
        ("resnet152", 66_821_848),
        ("resnext50_32x4d", 27_559_896),
    ],
)
def test_sizes_of_the_official_prototxts(backbone, published):
    assert timm_params(backbone, SE) == published


def test_size_without_biases_is_that_of_the_eca_paper():
    assert timm_params("resnet50", partial(SE, bias=False)) == 28_071_976


@pytest.mark.parametrize(("channels", "reduction", "hidden"), [(64, 16, 4), (72, 16, 4), (9, 2, 4)])
def test_params(channels, reduction, hidden):
    weights = 2 * channels * hidden
    assert num_params(SE(channels, reduction=reduction, bias=False)) == weights
    assert num_params(SE(channels, reduction=reduction)) == weights + channels + hidden


def test_min_channels_widens_the_hidden_layer():
    assert num_params(SE(64, min_channels=32, bias=False)) == 2 * 64 * 32
    assert num_params(SE(8, min_channels=1, bias=False)) == 2 * 8


@pytest.mark.parametrize(
    ("module", "formula"),
    [
        (SEVar1, lambda c: 0),
        (SEVar2, lambda c: c),
        (SEVar3, lambda c: c * c),
        (partial(SEGC, groups=16), lambda c: c * c // 16),
        (partial(SEGC, group_width=16), lambda c: 16 * c),
        (partial(SEGC, group_width=8), lambda c: 8 * c),
    ],
    ids=["var1", "var2", "var3", "gc1", "gc2", "gc3"],
)
def test_params_of_the_variants_are_the_formulas_of_table_2(module, formula):
    with torch.device("meta"):
        assert [num_params(module(c)) for c in RESNET50] == [formula(c) for c in RESNET50]


@pytest.mark.parametrize("module", VARIANTS.values(), ids=VARIANTS)
def test_gate_ignores_where_pixels_are(module):
    se = module(32).double()
    x = torch.randn(2, 32, 7, 5, dtype=torch.float64)
    shuffled = x.flatten(2)[:, :, torch.randperm(35)].view_as(x)
    gate = gate_of(se, x)
    torch.testing.assert_close(gate_of(se, shuffled), gate)
    torch.testing.assert_close(gate, gate[:, :, :1, :1].expand_as(gate))


def test_is_its_equation():
    se = SE(32, reduction=4).double()
    x = torch.randn(2, 32, 6, 5, dtype=torch.float64)
    w1, b1, w2, b2 = (p.detach().numpy() for p in se.parameters())
    hidden = (x.numpy().mean((2, 3)) @ w1.T + b1).clip(min=0)
    gate = torch.from_numpy(hidden @ w2.T + b2).sigmoid()
    torch.testing.assert_close(se(x), x * gate[:, :, None, None])


def test_max_squeeze_sees_the_maximum_alone():
    se = SE(16, squeeze="max").double()
    x = torch.rand(2, 16, 4, 4, dtype=torch.float64) + 1
    lower = torch.where(x == x.amax((2, 3), keepdim=True), x, x / 2)
    torch.testing.assert_close(gate_of(se, lower), gate_of(se, x))


def test_squeezes_agree_on_flat_channels():
    average, maximum = SE(16).double(), SE(16, squeeze="max").double()
    maximum.load_state_dict(average.state_dict())
    x = torch.randn(2, 16, 1, 1, dtype=torch.float64).expand(2, 16, 3, 4)
    torch.testing.assert_close(average(x), maximum(x))


def test_var1_is_the_sigmoid_of_the_mean():
    x = torch.randn(2, 8, 5, 4, dtype=torch.float64)
    mean = x.numpy().mean((2, 3), keepdims=True)
    torch.testing.assert_close(SEVar1(8)(x), x * torch.from_numpy(mean).sigmoid())


def test_var3_is_a_full_matrix():
    module = SEVar3(12).double()
    x = torch.randn(2, 12, 5, 4, dtype=torch.float64)
    gate = (x.mean((2, 3)) @ module.fc.weight[:, :, 0].T).sigmoid()
    torch.testing.assert_close(module(x), x * gate[:, :, None, None])


def test_gc_couples_channels_within_a_block_only():
    jacobian = gate_jacobian(SEGC(12, groups=3).double(), 12)
    inside = torch.block_diag(*[torch.ones(4, 4)] * 3).bool()
    assert (jacobian[~inside].abs() < 1e-12).all()
    assert (jacobian[inside].abs() > 1e-12).all()


def test_var2_couples_no_channels():
    jacobian = gate_jacobian(SEVar2(12).double(), 12)
    assert torch.linalg.matrix_rank(jacobian) == 12
    torch.testing.assert_close(jacobian, jacobian.diag().diag())


def test_rank_of_the_gate_is_at_most_the_hidden_width():
    assert torch.linalg.matrix_rank(gate_jacobian(SE(64).double(), 64), atol=1e-10) <= 4
    assert torch.linalg.matrix_rank(gate_jacobian(SEVar3(64).double(), 64), atol=1e-10) == 64


def test_groups_default_to_a_divisor():
    assert [SEGC(c).fc.groups for c in (256, 24, 40, 15)] == [16, 8, 8, 1]


@pytest.mark.parametrize("module", VARIANTS.values(), ids=VARIANTS)
def test_gradients(module):
    x = torch.randn(2, 16, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module(16).double(), x)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SE(0), ValueError, "channels=0"),
        (lambda: SE(64, reduction=65), ValueError, "from 1 to 64, or min_channels"),
        (lambda: SE(64, reduction=0), ValueError, "reduction=0"),
        (lambda: SE(64, reduction=1.5), TypeError, "reduction=1.5 is a float"),
        (lambda: SE(64, min_channels=-1), ValueError, "min_channels=-1"),
        (lambda: SE(64, squeeze="mean"), ValueError, "'avg', 'max'"),
        (lambda: SEVar1(0), ValueError, "channels=0"),
        (lambda: SEVar2(0), ValueError, "channels=0"),
        (lambda: SEVar3(-1), ValueError, "channels=-1"),
        (lambda: SEGC(24, groups=16), ValueError, "1, 2, 3, 4, 6, 8, 12, 24"),
        (lambda: SEGC(24, group_width=16), ValueError, "group_width=16"),
        (lambda: SEGC(32, groups=2, group_width=16), ValueError, "one of the two"),
    ],
)
def test_errors_say_what_is_allowed(make, error, message):
    with pytest.raises(error, match=message):
        make()
