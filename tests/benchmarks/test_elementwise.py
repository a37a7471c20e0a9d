"""The counter against closed forms written down by hand from each module's equation."""

import pytest
import torch
from torch import nn

import attn
from benchmarks.elementwise import Counter, Work, count

N, C, H, W = 2, 64, 6, 10
MAP, PIXELS = C * H * W, H * W
FP32, INT64 = 4, 8


def work(module, shape=(N, C, H, W)):
    return count(module.to("meta").eval(), torch.empty(shape, device="meta"))


class Run(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_convolution_multiplies_and_nothing_else():
    done = work(nn.Conv2d(C, 32, 3, padding=1, bias=False))
    assert done.macs == N * 32 * C * 9 * PIXELS
    assert done.activations == N * 32 * PIXELS
    assert done.matmul_bytes == FP32 * (N * MAP + 32 * C * 9 + N * 32 * PIXELS)
    assert (done.elementwise, done.elementwise_bytes) == (0, 0)


def test_views_cost_nothing():
    done = work(Run(lambda x: x.flatten(2).transpose(1, 2).unflatten(1, (H, W))[:, :3]))
    assert (done.elementwise, done.elementwise_bytes) == (0, 0)


def test_a_copy_moves_bytes_and_computes_nothing():
    done = work(Run(lambda x: torch.cat((x, x), dim=1)))
    assert (done.elementwise, done.elementwise_bytes) == (0, FP32 * 4 * N * MAP)


@pytest.mark.parametrize("expanded", [False, True])
def test_a_broadcast_gate_is_read_once(expanded):
    def gate(x):
        a = x[:, :1, :1, :1]
        return x * (a.expand_as(x) if expanded else a)

    done = work(Run(gate))
    assert done.elementwise == N * MAP
    assert done.elementwise_bytes == FP32 * N * (MAP + 1 + MAP)


def test_in_place_reads_and_writes():
    done = work(nn.ReLU(inplace=True))
    assert (done.elementwise, done.elementwise_bytes) == (N * MAP, FP32 * 2 * N * MAP)


def test_eval_batch_norm_is_one_operation_per_element():
    done = work(nn.BatchNorm2d(C))
    assert (done.elementwise, done.elementwise_bytes) == (N * MAP, FP32 * (2 * N * MAP + 4 * C))


def test_se():
    hidden = C // 16
    done = work(attn.build("se", C))
    assert done.macs == N * 2 * C * hidden
    assert done.elementwise == N * (MAP + hidden + C + MAP)  # mean, relu, sigmoid, product
    passes = (MAP + C) + 2 * hidden + 2 * C + (MAP + C + MAP)
    assert done.elementwise_bytes == FP32 * N * passes


def test_eca():
    done = work(attn.build("eca", C, kernel_size=3))
    assert done.macs == N * 3 * C
    assert done.elementwise == N * (MAP + C + MAP)  # mean, sigmoid, product
    assert done.elementwise_bytes == FP32 * N * ((MAP + C) + 2 * C + (MAP + C + MAP))


def test_cbam():
    hidden = C // 16
    done = work(attn.build("cbam", C))
    assert done.macs == N * (2 * 2 * C * hidden + 2 * 49 * PIXELS)
    channel = 2 * MAP + 2 * hidden + C + C + MAP  # pools, relus, sum, sigmoid, product
    spatial = 2 * MAP + PIXELS + PIXELS + MAP  # pools, BN, sigmoid, product
    assert done.elementwise == N * (channel + spatial)


def test_coordinate_attention():
    hidden, strip = max(8, C // 32), H + W
    done = work(attn.build("coord", C))
    assert done.macs == N * 2 * C * hidden * strip
    shared = 2 * hidden * strip  # BN, h-swish
    assert done.elementwise == N * (2 * MAP + shared + C * strip + 2 * MAP)


def test_position_attention():
    width = C // 8
    done = work(attn.build("pam", C))
    convs, energy, average = PIXELS * C * (2 * width + C), width * PIXELS**2, C * PIXELS**2
    assert done.macs == N * (convs + energy + average)
    assert done.elementwise == N * (PIXELS**2 + 2 * MAP)  # softmax, gamma, sum
    assert done.activations == N * (PIXELS * (2 * width + C) + PIXELS**2 + MAP)


def test_channel_attention():
    done = work(attn.build("cam", C))
    assert done.macs == N * 2 * C * C * PIXELS
    assert done.elementwise == N * (2 * C * C + 2 * MAP)  # sign, softmax, gamma, sum


def test_position_attention_at_the_size_that_counters_with_fused_attention_miss():
    assert work(attn.build("pam", 256), (1, 256, 32, 32)).macs == 385_875_968


SEVERAL = {
    "new values": lambda x: x.sigmoid().add(1).mul_(2).relu_(),
    "new shapes": lambda x: torch.cat((x.mean((2, 3), keepdim=True).expand_as(x), x), 1),
    "a shape changed in place": lambda x: (x + 1).transpose_(2, 3).squeeze_(),
    "permuted strides": lambda x: x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2) * 2,
    "another type": lambda x: (x > 0).long().float(),
    "several outputs": lambda x: torch.cat([*torch.topk(x, 16, 1)[:1], *x.add(1).chunk(4, 1)]),
    "a norm in training": lambda x: torch.nn.functional.batch_norm(
        x, x.new_zeros(C), x.new_ones(C), training=True
    ),
    "products": lambda x: torch.einsum("nchw,ndhw->ncd", x, x).softmax(-1) @ x.flatten(2),
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_what_is_remembered_is_what_torch_works_out(kind):
    """Shapes, strides, types and work are the same the first time and later, and as on the CPU."""
    function = SEVERAL[kind]
    real = function(torch.randn(N, C, H, W))
    found = []
    for _ in range(3):
        with torch.no_grad(), Counter() as counted:
            out = function(torch.empty(N, C, H, W, device="meta"))
        assert (out.shape, out.stride(), out.dtype) == (real.shape, real.stride(), real.dtype)
        found.append(counted.work)
    assert found[0] == found[1] == found[2] != Work()


def test_real_tensors_keep_their_values():
    x = torch.arange(6.0).reshape(1, 2, 3)
    with Counter():
        assert torch.equal(x * 2, torch.tensor([[[0.0, 2, 4], [6, 8, 10]]]))
        assert torch.equal(x * 3, torch.tensor([[[0.0, 3, 6], [9, 12, 15]]]))
        assert x.clone().fill_(7.0).sum() == 42


def test_products_of_pairs_are_told_from_linear_layers():
    done = work(attn.build("pam", C))
    assert done.pair_macs == N * (C // 8 + C) * PIXELS**2
    assert work(nn.Conv2d(C, C, 1)).pair_macs == work(nn.Linear(W, 7)).pair_macs == 0


def test_multiply_adds_are_those_of_torch_s_counter():
    from torch.utils.flop_counter import FlopCounterMode

    for backbone, module in (("resnet18", "danet"), ("edgenext_xx_small", "none")):
        model = attn.create_model(backbone, module, device="meta").eval()
        x = torch.empty(1, 3, 224, 224, device="meta")
        with torch.no_grad(), FlopCounterMode(display=False) as theirs:
            model(x)
        assert count(model, x).macs == theirs.get_total_flops() // 2
