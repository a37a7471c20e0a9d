"""Scenes: the same for a seed, labelled as they are drawn; VOC 2012 from a folder."""

import dataclasses
import hashlib

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import canvas, data, scenery, segmentation, segmenting
from benchmarks.scenery import IGNORED, INK, SIDE


def pictures(classes=4, each=3):
    """Squares of class k on black, as bright as 60 k + 60: (N, 1, 28, 28) and (N,)."""
    x = torch.zeros(classes * each, 1, 28, 28, dtype=torch.uint8)
    y = torch.arange(classes).repeat_interleave(each)
    for image, k in zip(x, y, strict=True):
        image[:, 4:24, 4:24] = 60 * int(k) + 60
    return x, y


def images(classes=4):
    x, y = pictures(classes)
    return data.Images("squares", x, y, x, y, classes, flip=True)


def test_scenes_are_a_function_of_seed_and_number():
    x, y = pictures()
    pixels, labels = canvas.scenes(x, y, 6, (0, 0))
    assert pixels.shape == (6, 1, SIDE, SIDE) and labels.shape == (6, SIDE, SIDE)
    assert pixels.dtype == labels.dtype == torch.uint8
    again = canvas.scenes(x, y, 6, (0, 0))
    assert torch.equal(pixels, again[0]) and torch.equal(labels, again[1])
    fewer = canvas.scenes(x, y, 2, (0, 0))
    assert torch.equal(pixels[:2], fewer[0]) and torch.equal(labels[:2], fewer[1])
    other = canvas.scenes(x, y, 6, (0, 1))
    assert not torch.equal(labels, other[1])
    assert len({scene.numpy().tobytes() for scene in labels}) == 6


def test_the_labels_of_a_seed_are_the_published_ones():
    """Rows of one machine may be paired with those of another: the scenes must be the same."""
    _, labels = canvas.scenes(*pictures(), 4, (0, 0))
    found = hashlib.sha256(labels.numpy().tobytes()).hexdigest()[:16]
    assert found == "82cdaa96bae74c12"


def test_what_is_drawn_last_is_what_a_pixel_is():
    pixels, labels = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE), np.uint8)
    below, above = np.full((10, 10), 100, np.uint8), np.full((6, 6), 200, np.uint8)
    above[0, 0] = INK - 1  # not of the piece: what lies beneath stays
    canvas.draw(pixels, labels, below, 1, (0, 0))
    canvas.draw(pixels, labels, above, 2, (7, 7), brightness=0.5)
    assert labels[6, 6] == 1 and labels[8, 8] == 2 and labels[7, 7] == 1 and labels[20, 20] == 0
    assert (labels == 1).sum() == 100 - 8 and (labels == 2).sum() == 35
    assert pixels[8, 8] == 100 and pixels[7, 7] == 100 and pixels[6, 6] == 100
    canvas.draw(pixels, labels, below, 3, (7, 7))
    assert (labels == 2).sum() == 0 and (labels == 3).sum() == 100


def test_a_pixel_has_the_brightness_of_its_label():
    """Pieces of class k are drawn with 0.7 to 1 times 60 k + 60, and noise of deviation 8."""
    pixels, labels = canvas.scenes(*pictures(), 40, (0, 0))
    for k in range(4):
        mine = pixels[:, 0][labels == k + 1].double()
        assert len(mine) > 1000
        low, high = 0.7 * (60 * k + 60), 60 * k + 60
        assert ((mine > low - 40) & (mine < high + 40)).all() and low < mine.mean() < high


def test_a_scene_has_two_classes_at_most_and_a_canvas():
    _, labels = canvas.scenes(*pictures(), 40, (0, 0))
    found = [set(scene.unique().tolist()) for scene in labels]
    assert all(0 in kinds and 1 <= len(kinds - {0}) <= 2 for kinds in found)
    assert set().union(*found) == {0, 1, 2, 3, 4}


def test_resizing_takes_the_nearest_pixels_and_makes_none_up():
    picture = np.arange(28 * 28).reshape(28, 28)
    assert np.array_equal(canvas.resized(picture, 28), picture)
    assert np.array_equal(canvas.resized(picture, 56), picture.repeat(2, 0).repeat(2, 1))
    assert set(canvas.resized(picture, 41).ravel()) == set(picture.ravel())


def test_test_scenes_hold_test_images_only():
    x, y = pictures()
    bright = dataclasses.replace(images(), train_x=x // 8, test_x=x)
    made = canvas.compose("squares", bright, 5, 5)
    assert (made.train_y == 0).sum() > (made.test_y == 0).sum()  # 60 / 8 is below INK
    assert made.classes == scenery.CLOTHES and len(made.test_y) == 5
    assert not torch.equal(made.train_x, made.test_x)


def test_one_class_is_no_scene():
    with pytest.raises(ValueError, match="2 classes or more; there are 1"):
        canvas.scenes(*pictures(classes=1), 1, (0, 0))


def test_an_unknown_data_set_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="'coco'; allowed: clothes, .*voc2012"):
        canvas.load("coco")


@pytest.fixture
def voc(tmp_path, monkeypatch):
    """VOC 2012 with two training images and one to test on, in the cache."""
    monkeypatch.setenv("ATTN_BENCH_DATA", str(tmp_path))
    root = tmp_path / "voc2012" / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True)
    for name, (height, width), label in (("a", (60, 40), 5), ("b", (30, 70), 20), ("c", (8, 9), 1)):
        Image.fromarray(np.full((height, width, 3), 90 + label, np.uint8)).save(
            root / "JPEGImages" / f"{name}.jpg"
        )
        target = np.full((height, width), label, np.uint8)
        target[0, 0] = IGNORED
        coloured = Image.fromarray(target)
        coloured.putpalette(
            [(37 * i) % 256 for i in range(768)]
        )  # as VOC's files: numbers of colours
        coloured.save(root / "SegmentationClass" / f"{name}.png")
    for part, names in (("train", "a\nb\n"), ("val", "c\n")):
        (root / "ImageSets" / "Segmentation" / f"{part}.txt").write_text(names)
    return root


def test_voc_is_squares_whose_margin_does_not_count(voc):
    made = canvas.load("voc2012")
    assert made.train_x.shape == (2, 3, 512, 512) and made.test_y.shape == (1, 512, 512)
    assert len(made.classes) == 21
    assert (made.train_y[0] == 5).sum() == 60 * 40 - 1 and made.train_y[0, 0, 0] == IGNORED
    assert (made.train_y[1, :30, :70] == 20).sum() == 30 * 70 - 1
    assert (made.train_y[1, 30:] == IGNORED).all() and (made.train_y[1, :, 70:] == IGNORED).all()
    assert made.train_x[0, :, :60, :40].float().mean() == pytest.approx(95, abs=1)


def test_voc_is_trained_on_and_tested_whole(voc, monkeypatch):
    """One step on windows of both training images; what counts of the test image is one class."""
    recipe = segmenting.Recipe(epochs=1, batch_size=2, lr=0.01, window=32)
    monkeypatch.setitem(segmenting.RECIPES, "voc", recipe)
    where = {"backbone": "resnet10_small", "device": "cpu", "precision": "fp32"}
    cell = dataclasses.replace(segmentation.VOC, module="pam", seed=0, threads=1, **where)
    segmentation._images.cache_clear()
    values = segmentation.Segmentation().measure(cell)
    segmentation._images.cache_clear()
    assert len(values["ious"].split()) == 21 and values["train_images"] == 2
    right = values["pixel_accuracy"] / 100 * (8 * 9 - 1)
    assert right == pytest.approx(round(right), abs=1e-3)


def test_voc_that_is_damaged_or_not_there_says_where_it_belongs(voc, monkeypatch):
    (voc / "SegmentationClass" / "c.png").unlink()
    with pytest.raises(data.DataError, match=r"VOC 2012 \(val\).*voc2012.*VOCtrainval_11-May-2012"):
        canvas.load("voc2012")

    def offline(*arguments, **options):
        assert options["download"]
        raise OSError("no network")

    monkeypatch.setattr("torchvision.datasets.VOCSegmentation", offline)
    monkeypatch.setenv("ATTN_BENCH_DATA", str(voc / "elsewhere"))
    with pytest.raises(data.DataError, match=r"can't be downloaded \(no network\)"):
        canvas.load("voc2012")


def test_larger_images_are_refused():
    image = Image.fromarray(np.zeros((513, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="at most 512 pixels"):
        canvas._squares(image, np.zeros((513, 4), np.uint8))


class One(torch.nn.Module):
    """Answers class 1 in every pixel."""

    def forward(self, x):
        scores = torch.zeros(len(x), 21, *x.shape[-2:])
        scores[:, 1] = 1
        return [scores]


def test_what_does_not_count_of_voc_is_not_measured(voc):
    """All pixels of the test image that count are of class 1; the margin and a corner do not."""
    found = segmenting.evaluate(One(), canvas.load("voc2012"))
    assert found["pixel_accuracy"] == pytest.approx(100)
    assert found["ious"].split()[1] == "100.00" and found["miou"] == pytest.approx(100)
