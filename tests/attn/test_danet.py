"""PAM, CAM and their sum against the official code, independent references and exact properties."""

import numpy as np
import pytest
import torch
from official import FIXTURES, num_params
from torch import nn

from attn.danet import CAM, PAM, DANet, DANetHead

# C != N: fewer pixels than channels, and more.
SHAPES = [(2, 16, 2, 3), (2, 16, 9, 5)]


def with_gamma(module: nn.Module, value: float) -> nn.Module:
    for name, parameter in module.named_parameters():
        if name.endswith("gamma"):
            nn.init.constant_(parameter, value)
    return module.eval()


def pam_reference(m: PAM, x: torch.Tensor) -> torch.Tensor:
    """Equations 1 and 2 with every index written out, in float64 matrices."""

    def project(conv: nn.Module) -> torch.Tensor:
        weight, bias = conv.weight.flatten(1), conv.bias
        return torch.einsum("dc,nchw->ndhw", weight, x) + bias[None, :, None, None]

    q, k, v = project(m.query_conv), project(m.key_conv), project(m.value_conv)
    scores = torch.einsum("ndij,ndkl->nijkl", q, k).exp()
    attention = scores / scores.sum((3, 4), keepdim=True)
    return m.gamma * torch.einsum("nijkl,nckl->ncij", attention, v) + x


def cam_reference(m: CAM, x: torch.Tensor, sign: int) -> torch.Tensor:
    energy = sign * torch.einsum("nahw,nbhw->nab", x, x)
    scores = (energy - energy.amax(2, keepdim=True)).exp()
    attention = scores / scores.sum(2, keepdim=True)
    return m.gamma * torch.einsum("nab,nbhw->nahw", attention, x) + x


@pytest.mark.parametrize("name, module", [("pam", PAM(64)), ("cam", CAM(64))])
def test_equals_the_official_code(name, module):
    fixture = np.load(FIXTURES / f"{name}_a.npz")
    state = [torch.from_numpy(fixture[key]) for key in fixture.files if key.startswith("w:")]
    own = module.state_dict()
    assert [t.shape for t in own.values()] == [t.shape for t in state]
    module.load_state_dict(dict(zip(own, state, strict=True)))
    y = module.eval()(torch.from_numpy(fixture["x"]))
    torch.testing.assert_close(y, torch.from_numpy(fixture["y"]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("cls", [PAM, CAM, DANet])
def test_new_module_is_the_identity(cls):
    x = torch.randn(2, 16, 5, 7)
    assert torch.equal(cls(16)(x), x)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", [1, 8])
def test_pam_is_softmax_attention_over_pixels(shape, reduction):
    module = with_gamma(PAM(16, reduction=reduction, dtype=torch.float64), 0.7)
    x = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(module(x), pam_reference(module, x))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form, sign", [("code", -1), ("paper", 1)])
def test_cam_mixes_dissimilar_channels_in_code_and_similar_ones_on_paper(shape, form, sign):
    module = with_gamma(CAM(16, form=form, dtype=torch.float64), 0.7)
    x = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(module(x), cam_reference(module, x, sign))


def test_cam_forms_pick_opposite_channels():
    # Channels 0 and 1 are equal, 2 is their opposite, and energies are so large that softmax picks.
    x = 10 * torch.tensor([1.0, 1.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    residual = {form: with_gamma(CAM(3, form=form), 1.0)(x) - x for form in ("code", "paper")}
    torch.testing.assert_close(residual["paper"], x)
    torch.testing.assert_close(residual["code"], -x)


def test_pam_commutes_with_any_permutation_of_pixels():
    module = with_gamma(PAM(16, dtype=torch.float64), 0.7)
    x = torch.randn(2, 16, 5, 7, dtype=torch.float64)
    order = torch.randperm(35)

    def permute(t):
        return t.flatten(2)[:, :, order].view_as(t)

    torch.testing.assert_close(module(permute(x)), permute(module(x)))


@pytest.mark.parametrize("form", ["code", "paper"])
def test_cam_commutes_with_permutations_of_channels_and_of_pixels(form):
    module = with_gamma(CAM(16, form=form, dtype=torch.float64), 0.7)
    x = torch.randn(2, 16, 5, 7, dtype=torch.float64)
    channels, pixels = torch.randperm(16), torch.randperm(35)

    def permute(t):
        return t.flatten(2)[:, channels][:, :, pixels].view_as(t)

    torch.testing.assert_close(module(permute(x)), permute(module(x)))


def test_danet_adds_both_residuals_to_one_x():
    module = with_gamma(DANet(16, dtype=torch.float64), 0.7)
    x = torch.randn(2, 16, 5, 7, dtype=torch.float64)
    position, channel = module.sa(x), module.sc(x)
    torch.testing.assert_close(module(x), position + channel - x)


def test_pam_without_gradients_works_in_rows_with_the_same_values():
    module = with_gamma(PAM(16), 0.7)
    x = torch.randn(2, 16, 9, 5)
    want = module(x)
    for rows in (1, 7, 45, 1000):
        module.query_rows = rows
        with torch.no_grad():
            torch.testing.assert_close(module(x), want, atol=1e-6, rtol=0)


def test_pam_without_gradients_never_holds_the_whole_map():
    module, x = PAM(8), torch.randn(1, 8, 32, 32)
    sizes = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            sizes.append(out.numel() if isinstance(out, torch.Tensor) else 0)
            return out

    with torch.no_grad(), Watch():
        module(x)
    assert max(sizes) == module.query_rows * 1024 < 1024 * 1024


@pytest.mark.parametrize("channels, reduction", [(512, 8), (64, 1), (60, 8)])
def test_pam_parameters(channels, reduction):
    width = channels // reduction
    closed_form = 2 * (channels + 1) * width + (channels + 1) * channels + 1
    assert num_params(PAM(channels, reduction=reduction)) == closed_form


def test_published_sizes():
    assert num_params(PAM(512)) == 328_321
    assert num_params(CAM(512)) == 1
    assert num_params(DANet(512)) == 328_322
    assert num_params(DANetHead(2048, 19, device="meta")) == 23_954_619


def test_head_gives_sum_position_channel():
    torch.manual_seed(0)
    head = with_gamma(DANetHead(32, 3), 0.7)
    x = torch.randn(2, 32, 5, 7)
    fused, position, channel = head(x)
    assert fused.shape == position.shape == channel.shape == (2, 3, 5, 7)
    # The fused classifier sees the sum of what the two others see, so with the weights of all three
    # equal, its output is the sum of theirs but for one bias.
    for name in ("conv7", "conv8"):
        getattr(head, name).load_state_dict(head.conv6.state_dict())
    fused, position, channel = head(x)
    bias = head.conv6[1].bias[None, :, None, None]
    torch.testing.assert_close(fused, position + channel - bias)


def test_head_takes_batches_trains_and_scripts():
    head = DANetHead(32, 3)
    sum(y.square().mean() for y in head(torch.randn(2, 32, 4, 4))).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())
    x = torch.randn(2, 32, 4, 4)
    scripted = torch.jit.script(head.eval())
    for one, other in zip(scripted(x), head(x), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: PAM(0), "channels=0"),
        (lambda: PAM(4), "reduction=8 is larger than channels=4"),
        (lambda: PAM(8, reduction=0), "reduction=0"),
        (lambda: DANet(4), "reduction=8 is larger than channels=4"),
        (lambda: CAM(0), "channels=0"),
        (lambda: CAM(8, form="printed"), "'code', 'paper'"),
        (lambda: DANetHead(3, 2), "in_channels=3|channels=3"),
        (lambda: DANetHead(32, 0), "num_classes=0"),
    ],
)
def test_errors_name_what_is_allowed(make, says):
    with pytest.raises(ValueError, match=says):
        make()
