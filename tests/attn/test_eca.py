from functools import partial

import numpy as np
import pytest
import timm
import torch
from official import assert_equals_official, gate_of, num_params
from timm.layers import EcaModule

from attn.eca import ECA, ECANS, eca_kernel_size
from attn.se import SEVar2

RESNET50 = [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3
RESNET18 = [64] * 2 + [128] * 2 + [256] * 2 + [512] * 2
EVERY_WIDTH = range(4, 8193)


def test_equals_official():
    assert_equals_official("eca_a", ECA(64))


@pytest.mark.parametrize(
    ("widths", "k"),
    [
        ((16, 24, 32, 64, 96), 3),
        ((128, 160, 256, 320, 512, 1024), 5),
        ((2048,), 7),
    ],
)
def test_kernel_size_of_the_papers_code(widths, k):
    assert {eca_kernel_size(c) for c in widths} == {k}


def test_kernel_size_is_odd_and_never_falls():
    sizes = [eca_kernel_size(c) for c in EVERY_WIDTH]
    assert all(k % 2 == 1 for k in sizes)
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (1, 7)


def test_kernel_size_is_the_nearest_odd_number_ties_up():
    # |k - (log2(C) + 1) / 2| <= 1 in integers: 2^(2k - 3) <= C < 2^(2k + 1)
    for c in EVERY_WIDTH:
        k = eca_kernel_size(c)
        assert 2 ** (2 * k - 3) <= c < 2 ** (2 * k + 1), c


@pytest.mark.parametrize("k", [1, 3, 5, 7, 9])
def test_kernel_size_inverts_equation_11(k):
    assert eca_kernel_size(2 ** (2 * k - 1)) == k


def test_kernel_size_equals_timm_which_never_goes_below_3():
    for c in EVERY_WIDTH:
        assert EcaModule(c, device="meta").conv.kernel_size == (max(eca_kernel_size(c), 3),), c


@pytest.mark.parametrize(
    ("options", "extra"), [({}, 48), ({"form": "paper"}, 86), ({"kernel_size": "adaptive"}, 86)]
)
def test_params_added_to_resnet50(options, extra):
    with torch.device("meta"):
        model = timm.create_model("resnet50", block_args={"attn_layer": partial(ECA, **options)})
    assert num_params(model) == 25_557_032 + extra
    assert sum(num_params(ECA(c, **options)) for c in RESNET50) == extra


def test_params_of_the_released_resnet50():
    stages = dict(zip((256, 512, 1024, 2048), (3, 5, 5, 7), strict=True))
    assert sum(num_params(ECA(c, kernel_size=stages[c])) for c in RESNET50) == 80


def test_params_of_simam_resnet18():
    assert sum(num_params(ECA(c, form="paper")) for c in RESNET18) == 36


@pytest.mark.parametrize("k", [1, 3, 9])
def test_params_are_k_shared_and_kc_not_shared(k):
    assert num_params(ECA(32, kernel_size=k)) == k
    assert num_params(ECANS(32, kernel_size=k)) == k * 32


def test_a_fixed_kernel_overrides_the_form():
    assert ECA(2048, kernel_size=3, form="paper").conv.kernel_size == (3,)


@pytest.mark.parametrize("k", [1, 3, 7])
def test_gate_is_a_zero_padded_convolution_of_the_means(k):
    eca = ECA(10, kernel_size=k).double()
    x = torch.randn(1, 10, 4, 5, dtype=torch.float64)
    weight = eca.conv.weight.detach().flatten().numpy()
    logits = np.convolve(x.numpy().mean((2, 3))[0], weight[::-1], mode="same")
    gate = torch.from_numpy(logits).sigmoid()
    torch.testing.assert_close(eca(x), x * gate[None, :, None, None])


def test_gate_ignores_where_pixels_are():
    eca = ECA(16).double()
    x = torch.randn(2, 16, 6, 4, dtype=torch.float64)
    shuffled = x.flatten(2)[:, :, torch.randperm(24)].view_as(x)
    torch.testing.assert_close(gate_of(eca, shuffled), gate_of(eca, x))


def test_gate_sees_k_neighbouring_channels():
    eca = ECA(16, kernel_size=5).double()
    x = torch.randn(1, 16, 3, 3, dtype=torch.float64)
    changed = x.clone()
    changed[:, 8] += 1
    moved = (gate_of(eca, changed) - gate_of(eca, x))[0, :, 0, 0].abs() > 1e-9
    assert moved.nonzero().flatten().tolist() == [6, 7, 8, 9, 10]


def test_not_shared_is_a_band_matrix():
    module = ECANS(9, kernel_size=5).double()
    rows = module.conv.weight.detach()[:, 0]
    band = torch.zeros(9, 9, dtype=torch.float64)
    for i in range(9):
        for tap in range(5):
            if 0 <= i + tap - 2 < 9:
                band[i, i + tap - 2] = rows[i, tap]
    x = torch.randn(2, 9, 4, 4, dtype=torch.float64)
    gate = (x.mean((2, 3)) @ band.T).sigmoid()
    torch.testing.assert_close(module(x), x * gate[:, :, None, None])


def test_not_shared_with_equal_rows_is_shared():
    eca, module = ECA(12).double(), ECANS(12).double()
    with torch.no_grad():
        module.conv.weight.copy_(eca.conv.weight.expand(12, 1, 3))
    x = torch.randn(2, 12, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(module(x), eca(x))


def test_not_shared_with_one_tap_is_se_var2():
    module, var2 = ECANS(12, kernel_size=1).double(), SEVar2(12).double()
    var2.fc.load_state_dict(module.conv.state_dict())
    x = torch.randn(2, 12, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(module(x), var2(x))


@pytest.mark.parametrize("module", [ECA, ECANS])
def test_gradients(module):
    x = torch.randn(2, 6, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module(6).double(), x)


@pytest.mark.parametrize("module", [ECA, ECANS])
@pytest.mark.parametrize(
    ("channels", "options", "error", "message"),
    [
        (0, {}, ValueError, "channels=0"),
        (64, {"kernel_size": 4}, ValueError, "odd integer such as 3 or 5"),
        (64, {"kernel_size": 0}, ValueError, "kernel_size=0"),
        (64, {"kernel_size": 3.0}, TypeError, "kernel_size=3.0 is a float"),
        (64, {"kernel_size": "auto"}, ValueError, "'adaptive'"),
        (64, {"form": "official"}, ValueError, "'code', 'paper'"),
        (64, {"kernel_size": "adaptive", "gamma": 0}, ValueError, "gamma=0"),
    ],
)
def test_errors_say_what_is_allowed(module, channels, options, error, message):
    with pytest.raises(error, match=message):
        module(channels, **options)
