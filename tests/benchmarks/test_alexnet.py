"""LeNet-5 and AlexNet: published widths and counts, closed forms, and a way of single changes."""

import math
from dataclasses import fields

import pytest
import torch
from torch import nn

from benchmarks import alexnet
from benchmarks.alexnet import AlexNetBenchmark, Arm
from benchmarks.cells import Selection
from benchmarks.notes import convolutional

BENCH = AlexNetBenchmark()


def built(arm):
    torch.manual_seed(0)
    options = (arm.activation, arm.initial, arm.pool, 0.5 * arm.dropout)
    return convolutional.network(arm.convolutions, *options)


def test_lenet_has_its_published_parameters():
    """5x5 convolutions with 6 and 16 maps, layers of 120 and 84 units (LeCun et al. 1998)."""
    count = sum(p.numel() for p in built(Arm(2, "tanh")).parameters())
    assert count == 156 + 2416 + 48_120 + 10_164 + 850 == 61_706


def test_five_convolutions_are_a_sixteenth_of_alexnets():
    model = built(Arm(5, "relu"))
    maps = [m.out_channels for m in model if isinstance(m, nn.Conv2d)]
    assert [16 * number for number in maps] == [96, 256, 384, 384, 256]
    assert (
        len(convolutional.layers(model)) == 8
        and len(convolutional.layers(built(Arm(2, "tanh")))) == 5
    )


@pytest.mark.parametrize("arm", alexnet.ARMS, ids=lambda arm: f"{arm.convolutions} {arm.network}")
def test_every_network_takes_small_images(arm):
    assert built(arm)(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_the_scaled_tanh_maps_one_to_one():
    """f(1) = 1 and f(-1) = -1, as the paper's appendix asks for."""
    x = torch.tensor([-1.0, 0.0, 1.0])
    torch.testing.assert_close(convolutional.ScaledTanh()(x), x, atol=1e-4, rtol=0)


def test_maximum_pooling_overlaps_and_keeps_the_sizes():
    x = torch.zeros(1, 1, 14, 14)
    x[0, 0, 7, 7] = 1
    most, mean = (convolutional.pooling(name)(x) for name in ("max", "average"))
    assert most.shape == mean.shape == (1, 1, 7, 7)
    assert most.sum() == 4 and mean.sum() == 0.25


def test_dropout_is_after_both_hidden_layers_and_only_in_training():
    model, bare = built(Arm(5, "relu", dropout=True)), built(Arm(5, "relu"))
    x = torch.randn(4, 1, 28, 28)
    torch.testing.assert_close(model.eval()(x), bare.eval()(x))
    assert not torch.equal(model.train()(x), model(x))
    names = [type(m).__name__ for m in model if not isinstance(m, nn.Conv2d)]
    assert names[-7:] == ["Linear", "ReLU", "Dropout", "Linear", "ReLU", "Dropout", "Linear"]
    assert {m.p for m in model if isinstance(m, nn.Dropout)} == {0.5}


def test_four_times_the_weights_are_four_times_the_weights():
    once, four = (built(Arm(5, "logistic", initial)) for initial in ("xavier", "xavier*4"))
    for a, b in zip(once.parameters(), four.parameters(), strict=True):
        torch.testing.assert_close(4 * a, b)


def test_he_has_twice_the_variance_of_one_over_the_inputs():
    for layer in convolutional.layers(built(Arm(5, "relu", "he")))[1:-1]:
        inputs = layer.weight[0].numel()
        assert layer.weight.var().item() == pytest.approx(2 / inputs, rel=0.1)


def test_the_gradient_of_two_weights_has_a_closed_form():
    """With h = a x and z = b h the gradients are x b.g and h g: here 6 q and 2 q (1, -1)."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 2, bias=False))
    with torch.no_grad():
        model[0].weight.fill_(2.0)
        model[1].weight.copy_(torch.tensor([[3.0], [-3.0]]))
    found = convolutional.gradient_ratio(model, torch.ones(1, 1), torch.tensor([1]))
    assert found == pytest.approx(math.log10(6 / (2 * math.sqrt(2))), abs=1e-6)


def test_a_gradient_vanishes_with_logistic_depth_and_not_with_tanh():
    """Each logistic layer has a slope of at most a quarter."""
    torch.manual_seed(0)
    x, y = torch.randn(64, 1, 28, 28), torch.randint(10, (64,))

    def ratio(convolutions, activation):
        return convolutional.gradient_ratio(built(Arm(convolutions, activation)), x, y)

    assert ratio(5, "logistic") < ratio(2, "logistic") - 1 < ratio(2, "logistic") < -1
    assert abs(ratio(5, "tanh")) < 1 and abs(ratio(5, "relu")) < 1


def test_each_step_of_the_way_changes_one_thing():
    for before, after in zip(alexnet.PATH[:-1], alexnet.PATH[1:], strict=True):
        changed = [f.name for f in fields(Arm) if getattr(before, f.name) != getattr(after, f.name)]
        assert len(changed) == 1
    for without, dropped in zip(alexnet.DROPOUT[::2], alexnet.DROPOUT[1::2], strict=True):
        assert not without.dropout and dropped.dropout and without.images == dropped.images


def test_a_cell_says_which_arm_it_is_and_how_long_it_trains():
    cells = list(BENCH.cells(Selection("cpu")))
    assert len(cells) == len(set(cells))
    assert len({BENCH.group(cell) for cell in cells}) == len(alexnet.ARMS)
    for arm in alexnet.ARMS:
        assert alexnet.arm_of(arm.cell(0)) == arm
        assert arm.steps * alexnet.BATCH == arm.passes * arm.images
        assert arm.steps == (alexnet.LONG if arm.images == alexnet.FEW else alexnet.STEPS)
    quick = [alexnet.arm_of(cell) for cell in BENCH.cells(Selection("quick"))]
    assert quick == list(alexnet.PREVIEW) and {arm.steps for arm in quick} == {alexnet.SHORT}


def test_a_row_has_every_column(few_images):
    arm = Arm(5, "relu", pool="max", dropout=True, images=256, steps=24)
    ((_, values),) = BENCH.measure_group([arm.cell(0)])
    assert set(values) == {column.name for column in BENCH.columns}
    assert values["reached"] is None and values["params"] == 73_866
