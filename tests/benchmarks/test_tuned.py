"""Tuning: peaks that are known, images that must not be seen, and a planted network."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from benchmarks.cells import Cell, Diverged
from benchmarks.data import Images
from benchmarks.notes import tuned
from benchmarks.notes.tuned import HELD_OUT, RATES, START, TUNING_SEED


@pytest.mark.parametrize("best", RATES)
def test_the_search_finds_the_best_rate_wherever_it_is(best):
    """Five points are lost with each rate between."""
    rate, tried = tuned.search(lambda lr: 90 - 5 * abs(RATES.index(lr) - RATES.index(best)))
    assert rate == best
    assert list(tried) == sorted(tried)
    if best == START:
        assert list(tried) == [0.01, 0.03, 0.1]


def test_where_all_rates_are_equally_bad_all_are_tried():
    rate, tried = tuned.search(lambda lr: 10.0)
    assert set(tried) == set(RATES) and rate in RATES


def numbered(number, test):
    """Images whose first two pixels say which they are."""
    x = torch.zeros(number + test, 1, 28, 28, dtype=torch.uint8)
    names = torch.arange(number + test)
    x[:, 0, 0, 0], x[:, 0, 0, 1] = names // 256, names % 256
    y = names % 10
    return Images("numbered", x[:number], y[:number], x[number:], y[number:], 10, False)


def names_of(x, drawn, images):
    """Which images these are: the scaling is undone."""
    raw = images.train_x[drawn].float()
    std, mean = torch.std_mean(raw)
    pixels = (x[:, 0, 0, :2] * std + mean).round().long()
    return set((256 * pixels[:, 0] + pixels[:, 1]).tolist())


def test_no_arm_trains_on_what_is_held_out():
    images = numbered(HELD_OUT + 300, 40)
    drawn = []
    for seed in (0, 1):
        part = tuned.sample(images, 200, seed)
        assert [len(x) for x in (part.x, part.held_x, part.test_x)] == [200, HELD_OUT, 40]
        order = torch.randperm(HELD_OUT + 300, generator=torch.Generator().manual_seed(0))
        pool = order[HELD_OUT:]
        chosen = pool[torch.randperm(300, generator=torch.Generator().manual_seed(seed))[:200]]
        seen, held = (names_of(x, chosen, images) for x in (part.x, part.held_x))
        assert len(seen) == 200 and len(held) == HELD_OUT and not seen & held
        assert names_of(part.test_x, chosen, images) == set(range(HELD_OUT + 300, HELD_OUT + 340))
        assert abs(part.x.mean()) < 1e-4 and abs(part.x.std() - 1) < 1e-3
        drawn.append((seen, held))
    assert drawn[0][1] == drawn[1][1] and drawn[0][0] != drawn[1][0]
    assert torch.equal(tuned.sample(images, 200, 1).x, tuned.sample(images, 200, 1).x)
    with pytest.raises(ValueError, match="has 300 training images beside the 2500 held out"):
        tuned.sample(images, 301, 0)


def test_a_pass_has_each_image_once_and_the_next_is_in_another_order():
    drawn = tuned.batches(10, 5)
    first, second = (torch.cat([next(drawn), next(drawn)]) for _ in range(2))
    assert first.sort().values.tolist() == second.sort().values.tolist() == list(range(10))
    assert not torch.equal(first, second)


def test_the_first_step_that_reaches_a_share():
    rights = torch.tensor([0.0] * 30 + [1.0] * 30)
    # of the 20 batches up to step 45, 15 are right
    assert tuned.first_reach(rights, 0.75) == 45
    assert tuned.first_reach(rights, 1.0) == 50
    assert tuned.first_reach(rights[:40], 0.75) is None


def sides():
    """Class 1 where the first pixel is positive."""
    x = torch.randn(256, 1, 28, 28)
    return x, (x[:, 0, 0, 0] > 0).long()


def test_training_learns_what_a_line_separates_and_says_when_it_leaves_the_numbers():
    torch.manual_seed(0)
    x, y = sides()
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 2))
    rights = tuned.train(model, x, y, 0.03, 200, 32)
    assert len(rights) == 200 and rights[-20:].mean() > 0.99 > 0.8 > rights[:5].mean()
    assert tuned.right(model, x, y) == 100 and not model.training
    with pytest.raises(Diverged, match="at step"):
        tuned.train(nn.Sequential(nn.Flatten(), nn.Linear(784, 2), Cube()), x, y, 1e6, 50, 32)


class Cube(nn.Module):
    def forward(self, x):
        return x**3


class Unseen:
    """Images that must not be looked at."""

    def split(self, size):
        raise AssertionError("the test images were looked at")


def test_a_row_has_the_rate_of_the_held_out_images_and_the_search_sees_no_test_image():
    """A model that is right where the rate says so: the best rate is 0.1, and 3 diverges."""
    x, y = sides()
    part = tuned.Sample(x, y, x, y, x, y)
    used = []

    def fit(seed, lr):
        used.append((seed, lr))
        if lr == 0.03 and seed == 1:
            raise Diverged("too far")
        model = Share(0.9 if lr == 0.1 else 0.5 if lr == 0.03 else 0.2, y)
        hidden = replace(part, test_x=Unseen()) if seed == TUNING_SEED else part
        return tuned.Fit(model, hidden, {"params": 7}, torch.ones(20))

    cells = [Cell("depth", "plain", seed=seed) for seed in (0, 1)]
    found = dict(tuned.rows(cells, fit, lambda made: {"reached": 20}))
    assert used == [*((TUNING_SEED, lr) for lr in (0.03, 0.01, 0.1, 0.3)), (0, 0.1), (1, 0.1)]
    values = found[cells[0]]
    assert values["lr"] == 0.1 and (values["params"], values["reached"]) == (7, 20)
    assert values["accuracy"] == pytest.approx(90, abs=0.5)
    assert (
        values["tried"].startswith("0.01: 20.31; 0.03: 50.00") and values["tried"].count(";") == 3
    )


class Share(nn.Module):
    """Right for the first share of the images that it is given, in batches of 256."""

    def __init__(self, share, y):
        super().__init__()
        right = torch.arange(len(y)) < share * len(y)
        self.answers = torch.where(right, y, 1 - y)

    def forward(self, x):
        return nn.functional.one_hot(self.answers, 2).float()


def test_a_run_that_diverges_is_a_row_with_its_rate():
    def fit(seed, lr):
        raise Diverged("the loss left the finite numbers at step 3 of 9")

    cell = Cell("depth", "plain", seed=0)
    ((_, error),) = tuned.rows([cell], fit, lambda made: {})
    assert isinstance(error, Diverged) and "step 3" in str(error)
    assert error.values["tried"].count(": 0.00") == len(RATES) and math.isfinite(error.values["lr"])
