"""Scenes say what their labels say, and nothing that a task must not give away."""

import pytest
import torch

from benchmarks import scenes
from benchmarks.scenes import CANVAS, CHANNELS, CLEAN, GRID, JITTER, KINDS, TASKS, compose

NUMBER = 400


def images(number=300, seed=0):
    """Noisy bright shapes of ten classes, (N, 1, 28, 28) uint8 and (N,)."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(256, (number, 1, 28, 28), generator=generator, dtype=torch.uint8)
    return x, torch.arange(number) % 10


def coded():
    """Ten images, each as bright everywhere as its label says: label 3 is 80, label 9 is 200."""
    y = torch.arange(10)
    return (20 * (y + 1)).to(torch.uint8).view(10, 1, 1, 1).expand(10, 1, 28, 28), y


def labels_of(brightness):
    """The labels of `coded` images by how bright they are."""
    return brightness.long() // 20 - 1


def boxes(x):
    """Top, left, bottom and right of what is lit in each scene, (N,) each; the ends are lit."""
    found = []
    for lit in (x[:, 0].amax(2) > 0, x[:, 0].amax(1) > 0):
        found += [lit.int().argmax(1), CANVAS - 1 - lit.flip(1).int().argmax(1)]
    top, bottom, left, right = found
    return top, left, bottom, right


@pytest.mark.parametrize("task", TASKS)
def test_equal_arguments_give_equal_scenes_and_another_seed_others(task):
    x, y = images()
    one, again, other = (compose(task, x, y, 50, seed) for seed in (7, 7, 8))
    assert torch.equal(one[0], again[0]) and torch.equal(one[1], again[1])
    assert not torch.equal(one[0], other[0])
    assert one[0].dtype == torch.uint8 and one[1].dtype == torch.int64
    assert len(one[0]) == len(one[1]) == 50


@pytest.mark.parametrize("task", TASKS)
def test_all_labels_occur_about_equally_often(task):
    _, y = compose(task, *images(), 3600, 1)
    counts = y.bincount(minlength=TASKS[task].classes)
    assert len(counts) == TASKS[task].classes
    expected = 3600 / TASKS[task].classes
    assert (counts - expected).abs().max() < 5 * expected**0.5


def test_an_unknown_task_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="unknown task 'colour'; allowed: position, mark"):
        compose("colour", *images(), 1, 0)


def test_an_object_lies_where_its_label_says(monkeypatch):
    monkeypatch.setattr(scenes, "PATCHES", 0)
    white = torch.full((3, 1, 28, 28), 255, dtype=torch.uint8)
    x, y = compose("position", white, torch.arange(3), NUMBER, 0)
    top, left, bottom, right = boxes(x)
    assert torch.all(bottom - top == scenes.SMALL - 1) and torch.all(right - left == 13)
    corner = torch.linspace(0, CANVAS - scenes.SMALL - JITTER, GRID).long()
    assert torch.all(corner.diff() > JITTER), "two cells would share a place"
    for place, cell in ((top, y // GRID), (left, y % GRID)):
        assert set((place - corner[cell]).tolist()) == set(range(JITTER + 1))


def nearest(features, y):
    """Share of the second half whose nearest mean of a class, of the first half, is its own."""
    half = len(y) // 2
    means = torch.stack([features[:half][y[:half] == c].mean(0) for c in range(int(y.max()) + 1)])
    return (torch.cdist(features[half:], means).argmin(1) == y[half:]).double().mean().item()


def test_brightness_without_place_says_nothing_of_the_position():
    x, y = compose("position", *images(), 3600, 0)
    flat = x.flatten(1).float()
    assert nearest(flat.sort(1).values, y) < 3 / GRID**2
    assert nearest(flat, y) > 10 / GRID**2


def test_the_marked_object_has_the_label():
    x, y = compose("mark", *coded(), NUMBER, 0)
    sideways = x[:, 0, :, 0].amax(1) == 255
    assert 0.4 < sideways.double().mean() < 0.6
    for scene, label, at_left in zip(x[:, 0], y, sideways, strict=True):
        seen = scene if at_left else scene.T
        lit = (seen[:, 0] == 255).nonzero().flatten()
        assert len(lit) == scenes.PLACE
        line = seen[lit[5], scenes.BAR :]  # the middle of the mark, where no other object reaches
        assert labels_of(line.max()) == label
        assert 11 <= int((line > 0).sum()) <= scenes.PLACE


def test_sizes_go_from_half_to_twice_and_the_class_is_kept():
    x, y = compose("scale", *coded(), 2000, 0)
    top, left, bottom, right = boxes(x)
    sides = bottom - top + 1
    assert torch.equal(sides, right - left + 1)
    assert (sides.min(), sides.max()) == (10, 40)
    assert sides.double().quantile(0.5) == pytest.approx(20, abs=1)
    assert torch.equal(labels_of(x.flatten(1).amax(1)), y)


def test_one_object_is_whole_among_patches(monkeypatch):
    grey = torch.full((3, 1, 28, 28), 100, dtype=torch.uint8)
    x, _ = compose("clutter", grey, torch.arange(3), NUMBER, 0)
    lit = (x > 0).flatten(1).sum(1)
    whole, patch = scenes.MIDDLE**2, scenes.PATCH**2
    assert lit.min() >= whole and lit.max() <= whole + scenes.PATCHES * patch
    assert (lit > whole).double().mean() > 0.95
    monkeypatch.setattr(scenes, "PATCHES", 0)
    x, y = compose("clutter", *coded(), NUMBER, 0)
    assert torch.all((x > 0).flatten(1).sum(1) == whole)
    assert torch.equal(labels_of(x.flatten(1).amax(1)), y)


def test_noise_has_the_brightness_of_another_image_and_no_pattern():
    x, y = images()
    made, label = compose("channels", x, y, NUMBER, 0)
    assert made.shape == (NUMBER, CHANNELS, 28, 28)
    known = {image.numpy().tobytes(): int(c) for image, c in zip(x[:, 0], y, strict=True)}
    sorted_ = {image.flatten().sort().values.numpy().tobytes() for image in x}
    where = torch.zeros(CHANNELS)
    for scene, answer in zip(made, label, strict=True):
        clean = [i for i, c in enumerate(scene) if c.numpy().tobytes() in known]
        assert len(clean) == CLEAN
        assert known[scene[clean[0]].numpy().tobytes()] == answer
        assert all(c.flatten().sort().values.numpy().tobytes() in sorted_ for c in scene)
        where[clean] += 1
    assert (where / NUMBER - CLEAN / CHANNELS).abs().max() < 0.1


def test_channels_of_noise_are_independent_of_each_other_and_of_the_image():
    ramp = torch.arange(784, dtype=torch.float).div(784).mul(255).to(torch.uint8)
    x = ramp.view(1, 1, 28, 28).expand(5, 1, 28, 28)
    made, _ = compose("channels", x, torch.arange(5), 200, 0)
    pairs = torch.stack([torch.corrcoef(scene.flatten(1).float()) for scene in made])
    off = pairs[:, ~torch.eye(CHANNELS, dtype=torch.bool)]
    assert off.abs().max() < 6 / 784**0.5
    assert off.mean().abs() < 0.01


def test_a_pair_is_alike_exactly_if_both_sides_are_of_one_class():
    x, y = compose("pair", *coded(), 2000, 0)
    middle = CANVAS // 2
    assert not x[..., scenes.SMALL + JITTER : CANVAS - scenes.SMALL - JITTER].any()
    left, right = (
        labels_of(side.flatten(1).amax(1)) for side in (x[..., :middle], x[..., middle:])
    )
    assert set(left.tolist()) == set(right.tolist()) == set(KINDS)
    assert torch.equal(left == right, y == 1)
    for side in (left, right):
        for kind in KINDS:
            assert y[side == kind].double().mean() == pytest.approx(0.5, abs=0.1)
