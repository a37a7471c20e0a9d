"""SK against timm's independent implementation, closed forms and exact properties."""

import math

import pytest
import torch
from official import num_params
from timm.layers import SelectiveKernel
from torch import nn
from torch.nn import functional as F

from attn.sk import SK


def randomised(module: nn.Module) -> nn.Module:
    """In evaluation mode, with no parameter or statistic at a special value."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2)
            elif tensor.is_floating_point():
                tensor.normal_(std=0.3)
    return module.eval()


@pytest.mark.parametrize("stride, groups, out_channels", [(1, 32, 64), (2, 32, 128), (1, 1, 64)])
def test_equals_timm_in_the_configuration_of_the_paper(stride, groups, out_channels):
    # timm's defaults differ from the paper: split_input=True, rd_divisor=8, batch-norm momentum.
    theirs = SelectiveKernel(
        64,
        out_channels,
        stride=stride,
        groups=groups,
        rd_ratio=1 / 16,
        rd_divisor=32,
        split_input=False,
    )
    theirs = randomised(theirs)
    ours = SK(64, out_channels=out_channels, stride=stride, groups=groups).eval()
    convs, rest = {}, {}
    for name, tensor in theirs.state_dict().items():
        (convs if name.endswith("conv.weight") else rest)[name] = tensor
    assert len(convs) == 2
    state = dict(zip(ours.state_dict(), (*convs.values(), *rest.values()), strict=True))
    ours.load_state_dict(state)
    x = torch.randn(2, 64, 9, 7)
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=0)


def test_two_branch_softmax_is_a_sigmoid_of_the_difference():
    module = randomised(SK(64, dtype=torch.float64))
    x = torch.randn(2, 64, 9, 7, dtype=torch.float64)
    u0, u1 = module.branches(x)
    select = module.select
    z = torch.relu(select.norm(select.fc1((u0 + u1).mean((2, 3), keepdim=True))))
    a, b = select.fc2(z).chunk(2, dim=1)
    gate = torch.sigmoid(a - b)
    torch.testing.assert_close(module(x), u1 + gate * (u0 - u1))


@pytest.mark.parametrize("branches", [((3, 1), (3, 2)), ((1, 1), (3, 1), (5, 1), (3, 3))])
def test_each_channel_is_a_weighted_mean_of_its_branches(branches):
    module = randomised(SK(32, branches=branches))
    x = torch.randn(2, 32, 9, 7)
    maps = torch.stack(module.branches(x), 1)  # (N, M, C, H, W)
    weights = module.select(maps.sum(1))
    torch.testing.assert_close(weights.sum(1), torch.ones(2, 32, 1, 1))
    torch.testing.assert_close(module(x), (weights * maps).sum(1))


def test_one_branch_is_convolution_norm_relu():
    module = randomised(SK(64, branches=((3, 1),), stride=2))
    conv, norm = module.convs[0], module.norms[0]
    plain = nn.Sequential(conv, norm, nn.ReLU())
    x = torch.randn(2, 64, 9, 7)
    assert torch.equal(module(x), plain(x))
    assert num_params(module) == num_params(plain)


def test_dilated_branch_is_the_five_by_five_with_zeros_between():
    module = randomised(SK(32, branches=((3, 2),)))
    weight = torch.zeros(32, 1, 5, 5)
    weight[:, :, ::2, ::2] = module.convs[0].weight
    x = torch.randn(2, 32, 9, 7)
    dense = F.conv2d(x, weight, padding=2, groups=32)
    torch.testing.assert_close(module(x), torch.relu(module.norms[0](dense)))


def test_shared_weight_is_the_module_with_equal_weights():
    branches = ((3, 1), (3, 2), (3, 3))
    shared = randomised(SK(64, branches=branches, share=True, stride=2))
    apart = SK(64, branches=branches, stride=2).eval()
    state = shared.state_dict()
    for i in range(3):
        state[f"convs.{i}.weight"] = state["convs.0.weight"]
    apart.load_state_dict(state)
    x = torch.randn(2, 64, 9, 7)
    torch.testing.assert_close(shared(x), apart(x))
    assert num_params(apart) - num_params(shared) == 2 * shared.convs[0].weight.numel()


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [(8, 8), (7, 5), (1, 1)])
def test_padding_keeps_the_size_up_to_the_stride(stride, size):
    module = SK(16, stride=stride, out_channels=24, branches=((1, 1), (3, 2), (7, 3))).eval()
    want = tuple(math.ceil(n / stride) for n in size)
    assert module(torch.randn(1, 16, *size)).shape == (1, 24, *want)


@pytest.mark.parametrize("channels", [128, 256, 512, 1024])
@pytest.mark.parametrize("num_branches", [2, 3])
def test_parameters_of_a_unit(channels, num_branches):
    width = max(channels // 16, 32)
    branch = channels * channels // 32 * 9 + 2 * channels
    select = channels * width + 2 * width + width * num_branches * channels
    branches = tuple((3, i + 1) for i in range(num_branches))
    module = SK(channels, branches=branches, device="meta")
    assert num_params(module) == num_branches * branch + select


def test_units_of_sknet50_explain_its_published_size():
    # ResNeXt-50 32x4d has 25,028,904 parameters. Each 3x3 with its BN gives way to one SK unit.
    total = 25_028_904
    for channels, blocks in ((128, 3), (256, 4), (512, 6), (1024, 3)):
        plain = channels * channels // 32 * 9 + 2 * channels
        total += blocks * (num_params(SK(channels, groups=32, device="meta")) - plain)
    assert total == 27_479_784


@pytest.mark.parametrize("channels, width", [(128, 32), (256, 32), (512, 32), (1024, 64)])
def test_width_of_the_bottleneck(channels, width):
    assert SK(channels, device="meta").select.fc1.out_channels == width


def test_sknet101_prototxt_has_a_narrower_bottleneck_than_equation_4():
    module = SK(256, min_channels=16, device="meta")
    assert module.select.fc1.out_channels == 16


@pytest.mark.parametrize("channels, groups", [(64, 32), (256, 32), (48, 16), (24, 8), (7, 1)])
def test_default_groups(channels, groups):
    assert SK(channels).convs[0].groups == groups


def test_initial_values():
    torch.manual_seed(0)
    module = SK(512)
    fan_in = 512 // 32 * 9
    assert module.convs[0].weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.02)
    for fc in (module.select.fc1, module.select.fc2):
        assert fc.weight.std().item() == pytest.approx(0.01, rel=0.02)
        assert fc.bias is None


@pytest.mark.parametrize(
    "options, says",
    [
        ({"channels": 0}, "channels=0"),
        ({"channels": 64, "out_channels": 0}, "out_channels=0"),
        ({"channels": 64, "stride": 0}, "stride=0"),
        ({"channels": 64, "groups": 0}, "groups=0"),
        ({"channels": 12, "groups": 32}, r"groups=32 .*choose one of \[1, 2, 3, 4, 6, 12\]"),
        ({"channels": 8, "min_channels": 0}, "reduction=16 is larger than channels=8"),
        ({"channels": 8, "branches": ()}, "branches is empty"),
        ({"channels": 8, "branches": (3, 5)}, "branch 3 is not"),
        ({"channels": 8, "branches": ((4, 1),)}, "4 is even"),
        ({"channels": 8, "branches": ((3, 0),)}, "dilation of a branch=0"),
        ({"channels": 8, "branches": ((3, 1), (5, 1)), "share": True}, "one kernel size"),
    ],
)
def test_errors_name_what_is_allowed(options, says):
    with pytest.raises(ValueError, match=says):
        SK(**options)
