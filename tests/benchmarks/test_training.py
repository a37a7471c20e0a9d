"""The training loop: a known schedule, a fair augmentation, one test at the end, equal orders."""

import math
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F

import attn
from benchmarks import data, models, training
from benchmarks.cells import Diverged
from benchmarks.recipes import RECIPES, Recipe
from benchmarks.training import Average, augment, lr_factor, plan, train, views, whiten

RECIPE = Recipe("test", 3, 64, 0.1, 5e-4)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def a_net(seed=0, *extra):
    torch.manual_seed(seed)
    conv1, conv2 = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1, stride=2)
    fc = nn.Linear(256, 10)
    norms = nn.BatchNorm2d(8), nn.BatchNorm2d(16)
    body = (conv1, norms[0], nn.ReLU(), *extra, conv2, norms[1], nn.ReLU())
    return nn.Sequential(*body, nn.Flatten(), fc)


@pytest.mark.parametrize(("steps", "warmup"), [(10, 0.2), (100, 0.2), (1000, 0.05), (7, 0.5)])
def test_the_rate_rises_to_its_peak_and_falls_to_zero_in_straight_lines(steps, warmup):
    factors = [lr_factor(step, steps, warmup) for step in range(steps + 1)]
    peak = round(warmup * steps)
    assert factors[peak - 1] == factors[peak] == 1
    assert factors[steps] == 0
    assert min(factors[:steps]) > 0
    for step in range(peak):
        assert factors[step] == pytest.approx((step + 1) / peak)
    for step in range(peak, steps + 1):
        assert factors[step] == pytest.approx(1 - (step - peak) / (steps - peak))


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_schedule_of_few_steps_stays_between_zero_and_one(steps):
    for warmup in (0.0, 0.2, 1.0):
        factors = [lr_factor(step, steps, warmup) for step in range(steps)]
        assert all(0 < factor <= 1 for factor in factors)


def test_the_rate_is_zero_when_training_ends(digits, monkeypatch):
    optimizers, make = [], training._optimizer

    def keep(model, recipe):
        optimizers.append(make(model, recipe))
        return optimizers[-1]

    monkeypatch.setattr(training, "_optimizer", keep)
    train(a_net(), digits, replace(RECIPE, epochs=1), seed=0)
    assert {group["lr"] for group in optimizers[0].param_groups} == {0.0}


def windows(x, crop):
    """Every shift of each image, (shifts, N, C, H, W), row by row."""
    padded = F.pad(x, (crop,) * 4, mode="reflect")
    height, width = x.shape[2:]
    places = [(i, j) for i in range(2 * crop + 1) for j in range(2 * crop + 1)]
    return torch.stack([padded[:, :, i : i + height, j : j + width] for i, j in places])


@pytest.mark.parametrize("crop", [0, 1, 4])
@pytest.mark.parametrize("flip", [False, True])
def test_the_views_of_an_image_are_its_shifts_and_their_mirrors(crop, flip):
    x = torch.randn(5, 2, 6, 10, generator=torch.Generator().manual_seed(1))
    kept = x.clone()
    expected = windows(x, crop)
    if flip:
        expected = torch.cat([expected, expected.flip(4)])
    rows = views(6, 10, crop, flip)
    assert len(rows) == len(expected)
    for row, wanted in zip(rows, expected, strict=True):
        assert torch.equal(augment(x, row.expand(5, -1)), wanted)
    assert torch.equal(x, kept)


def test_each_image_has_a_view_of_its_own():
    x = torch.randn(3, 2, 4, 4)
    rows = views(4, 4, 1, True)
    chosen = [0, 17, 4]
    for i, view in enumerate(chosen):
        assert torch.equal(augment(x, rows[chosen])[i], augment(x[i : i + 1], rows[[view]])[0])
    assert torch.equal(augment(x, rows[[4, 4, 4]]), x)


@pytest.mark.parametrize("crop", [0, 1, 4])
@pytest.mark.parametrize("flip", [False, True])
def test_every_view_is_equally_likely(crop, flip):
    recipe = replace(RECIPE, epochs=4, crop=crop, flip=True)
    number = len(views(8, 8, crop, flip))
    chosen = torch.cat([view for _, view in plan(2000, recipe, flip, generator(3))])
    counts = chosen.bincount(minlength=number).double()
    assert len(counts) == number
    # chi-squared with k - 1 degrees of freedom has mean k - 1 and variance 2 (k - 1)
    expected, freedom = len(chosen) / number, number - 1
    statistic = ((counts - expected) ** 2 / expected).sum().item()
    assert statistic <= freedom + 4 * math.sqrt(2 * freedom)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def test_an_epoch_is_a_permutation_and_epochs_differ():
    (first, _), (second, _) = plan(100, replace(RECIPE, epochs=2), False, generator(0))
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(100))
    assert not torch.equal(first, second)


def test_alternating_mirrors_show_both_sides_in_any_two_epochs():
    recipe = replace(RECIPE, epochs=4, crop=1, flip=True, alternate=True)
    sides = [view >= 9 for _, view in plan(1000, recipe, True, generator(0))]
    for before, after in zip(sides[:-1], sides[1:], strict=True):
        assert torch.equal(before, ~after)
    assert 400 < int(sides[0].sum()) < 600


def test_a_run_shorter_than_the_average_s_step_is_tested_with_its_last_weights():
    assert training.AVERAGE_EVERY > 2
    found = []
    for average in (0.0, 0.9):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        recipe = replace(RECIPE, epochs=1, batch_size=64, average=average)
        images = data.load("digits")
        few = replace(images, train_x=images.train_x[:128], train_y=images.train_y[:128])
        train(net, few, recipe, seed=0)
        found.append(net[1].weight.detach().clone())
    assert torch.equal(*found)


def test_the_average_is_the_mean_of_its_updates_until_its_decay_is_the_larger():
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    average = Average(net, 0.5)
    decay = 0.5**training.AVERAGE_EVERY
    tensors = (net[0].weight, net[1].running_mean)
    for value in (3.0, 5.0):
        with torch.no_grad():
            for tensor in tensors:
                tensor.fill_(value)
        average.update()
    assert max(1 - decay, 1 / 2) == 1 - decay
    slow = Average(net, 0.999)
    for value in (1.0, 2.0, 6.0):
        with torch.no_grad():
            for tensor in tensors:
                tensor.fill_(value)
        slow.update()
    average.apply()
    for tensor in tensors:
        assert tensor.item() == pytest.approx(5 + decay * (3 - 5))
    slow.apply()
    for tensor in tensors:
        assert tensor.item() == pytest.approx(3)


def test_averaged_weights_are_tested_in_place_of_the_last_and_do_not_steer(digits):
    last, mean = a_net(), a_net()
    recipe = replace(RECIPE, decay=False)
    plain = train(last, digits, recipe, seed=0)
    averaged = train(mean, digits, replace(recipe, average=0.9), seed=0)
    assert averaged.losses == plain.losses
    assert not torch.equal(last[0].weight, mean[0].weight)
    assert averaged.top1 > 90


def test_whitening_filters_answer_to_patches_without_correlation():
    x = torch.randn(200, 2, 12, 12, generator=generator(0)).cumsum(3)
    conv = nn.Conv2d(2, 18, 3, bias=False)
    whiten(conv, x)
    answers = conv(x).transpose(0, 1).flatten(1).detach()
    assert torch.allclose(torch.cov(answers), torch.eye(18), atol=0.01)
    wide = nn.Conv2d(2, 40, 3, bias=False)
    kept = wide.weight[36:].clone()
    whiten(wide, x)
    assert torch.equal(wide.weight[:18], conv.weight)
    assert torch.equal(wide.weight[18:36], -conv.weight)
    assert torch.equal(wide.weight[36:], kept)


@pytest.mark.parametrize("backbone", ["resnet10_small", "resnet26", "regnetx_002"])
def test_only_the_last_norms_of_blocks_get_the_last_gain(backbone):
    models.register()
    bare = timm.create_model(backbone, num_classes=10, in_chans=1)
    last = {f"{name}.weight" for name, m in bare.named_modules() if starts_at_zero(m)}
    net = attn.create_model(backbone, "cbam", num_classes=10, in_chans=1)
    assert {n for n, m in net.named_modules() if starts_at_zero(m)} > {n[:-7] for n in last}
    before = {name: p.clone() for name, p in net.named_parameters()}
    training.prepare(net, torch.zeros(1, 1, 28, 28), replace(RECIPE, last_gain=0.5))
    changed = {n: set(p.tolist()) for n, p in net.named_parameters() if not p.equal(before[n])}
    assert len(last) > 3 and changed == dict.fromkeys(last, {0.5})


def starts_at_zero(module):
    return isinstance(module, nn.BatchNorm2d) and not module.weight.any()


def test_norms_that_start_at_one_are_left_alone():
    assert training.last_norms(timm.create_model("resnet26", zero_init_last=False)) == []


def test_a_constant_rate_stays(digits, monkeypatch):
    optimizers, make = [], training._optimizer
    monkeypatch.setattr(
        training, "_optimizer", lambda *args: optimizers.append(make(*args)) or optimizers[-1]
    )
    train(a_net(), digits, replace(RECIPE, epochs=1, decay=False), seed=0)
    assert {group["lr"] for group in optimizers[0].param_groups} == {RECIPE.lr}


def test_it_learns_digits(digits):
    outcome = train(a_net(), digits, RECIPE, seed=0)
    assert outcome.top1 > 90
    assert outcome.train_loss < 0.5
    assert outcome.epochs == 3
    assert outcome.images_per_second > 0
    correct = np.unpackbits(np.frombuffer(outcome.correct, np.uint8), count=397)
    assert outcome.top1 == 100 * correct.sum() / 397
    assert len(outcome.losses) == 3
    assert outcome.losses[0] > outcome.losses[1] > outcome.losses[2] == outcome.train_loss


@pytest.mark.parametrize(("precision", "layout"), [("bf16", "nchw"), ("fp32", "nhwc")])
def test_it_learns_in_other_precisions_and_layouts(digits, precision, layout):
    recipe = replace(RECIPE, optimizer="adamw", lr=0.01)
    outcome = train(a_net(), digits, recipe, seed=0, precision=precision, layout=layout)
    assert outcome.top1 > 90


def test_an_equal_seed_gives_an_equal_outcome(digits):
    recipe = replace(RECIPE, epochs=1, crop=1)
    models = [a_net(), a_net(), a_net()]
    outcomes = [train(m, digits, recipe, seed=s) for m, s in zip(models, (1, 1, 2), strict=True)]
    same, again, other = (replace(outcome, images_per_second=0) for outcome in outcomes)
    assert same == again
    assert same != other
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_huge_rate_diverges_and_says_when(digits):
    with pytest.raises(Diverged, match="the loss of epoch 1 of 3 is (nan|inf)") as caught:
        train(a_net(), digits, replace(RECIPE, lr=1e6), seed=0)
    assert caught.value.values == {"epochs": 1}


class NotANumberWhenTested(nn.Module):
    def forward(self, x):
        return x if self.training else x * math.nan


def test_a_test_loss_that_is_no_number_is_a_divergence(digits):
    with pytest.raises(Diverged, match="test loss"):
        train(a_net(0, NotANumberWhenTested()), digits, replace(RECIPE, epochs=1), seed=0)


class Seen(nn.Module):
    """Remembers what passes, and draws random numbers of its own if it is asked to."""

    def __init__(self, draws=0):
        super().__init__()
        self.draws = draws
        self.passed = []

    def forward(self, x):
        torch.rand(self.draws)
        self.passed.append((self.training, x.detach().clone()))
        return x


def seen(digits, *between, draws=0):
    eye = Seen(draws)
    torch.manual_seed(draws)
    net = nn.Sequential(eye, nn.Flatten(), *between, nn.Linear(64, 10))
    images = replace(digits, flip=True)
    train(net, images, replace(RECIPE, epochs=2, crop=1, flip=True), seed=5)
    return eye.passed


def test_all_arms_see_the_same_images_in_the_same_order(digits):
    plain = seen(digits)
    other = seen(digits, nn.Linear(64, 64), nn.Dropout(0.5), draws=17)
    assert len(plain) == len(other) == 2 * (1400 // 64) + 1
    for (_, a), (_, b) in zip(plain, other, strict=True):
        assert torch.equal(a, b)


def test_the_test_images_are_seen_once_unchanged_and_after_training(digits):
    passed = seen(digits)
    training_mode = [mode for mode, _ in passed]
    assert training_mode == [True] * (len(passed) - 1) + [False]
    assert torch.equal(passed[-1][1], digits.normalised()[1])


def test_test_images_and_labels_do_not_influence_training(digits):
    recipe = replace(RECIPE, epochs=1)
    net, blind = a_net(), a_net()
    outcome = train(net, digits, recipe, seed=0)
    noise = torch.randint(256, digits.test_x.shape, dtype=torch.uint8)
    without = replace(digits, test_x=noise, test_y=digits.test_y.flip(0))
    assert train(blind, without, recipe, seed=0).train_loss == outcome.train_loss
    for a, b in zip(net.state_dict().values(), blind.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_fewer_images_than_a_batch_are_refused(digits):
    with pytest.raises(ValueError, match="digits has 1400 training images, fewer .* 2000"):
        train(a_net(), digits, replace(RECIPE, batch_size=2000), seed=0)


def test_biases_and_norms_are_not_decayed():
    optimizer = training._optimizer(a_net(), RECIPE)
    decay = {
        len(p.shape) > 1: group["weight_decay"]
        for group in optimizer.param_groups
        for p in group["params"]
    }
    assert decay == {True: 5e-4, False: 0.0}
    assert isinstance(optimizer, torch.optim.SGD)
    assert all(group["nesterov"] and group["momentum"] == 0.9 for group in optimizer.param_groups)
    adamw = training._optimizer(a_net(), replace(RECIPE, optimizer="adamw"))
    assert isinstance(adamw, torch.optim.AdamW)


class Constant(nn.Module):
    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, x):
        return self.logits.expand(len(x), -1)


def test_accuracy_and_loss_of_a_constant_answer():
    y = torch.tensor([0] * 7 + [1] * 4 + [2] * 1)
    model = Constant(torch.tensor([1.0, 0.0, 0.0]))
    correct, loss = training.evaluate(model, torch.zeros(12, 1, 2, 2), y, batch_size=5)
    assert correct.tolist() == [True] * 7 + [False] * 5
    assert loss == pytest.approx(math.log(math.e + 2) - 7 / 12)
    assert training.evaluate(Constant(torch.zeros(10)), torch.zeros(12, 1), y)[1] == pytest.approx(
        math.log(10)
    )


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_known_by_its_name(name):
    recipe = RECIPES[name]
    assert recipe.name == name
    assert recipe.epochs > 0 and recipe.batch_size > 0 and 0 < recipe.warmup < 1
