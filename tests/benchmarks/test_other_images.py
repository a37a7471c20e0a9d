"""Seeds and test images: variances against planted ones, and the page against the bits."""

import base64
import zlib

import numpy as np
import pytest
import trial
from rendered import row_of

from benchmarks import display, other_images
from benchmarks.accuracy import PLANS, Accuracy
from benchmarks.cells import Selection
from benchmarks.site import other_images as site
from benchmarks.stats import student_interval
from benchmarks.store import Store

MAIN = PLANS["cpu"][0]


def drawn(rng, seeds, n, of_image):
    """Bits of two arms: an image is right by its own chance in either arm, equal in the mean."""
    chance = rng.uniform(0.7, 1.0, n)
    shift = of_image * rng.choice([-1, 1], n)
    return (rng.random((seeds, n)) < chance + s for s in (shift / 2, -shift / 2))


def test_the_mean_and_the_error_by_seeds_are_those_of_the_paired_differences():
    arm, other = drawn(np.random.default_rng(0), 6, 500, 0.1)
    found = other_images.crossed(arm, other)
    by_seed = 100 * (arm.mean(axis=1) - other.mean(axis=1))
    plain = student_interval(by_seed.tolist())
    assert found.mean == pytest.approx(plain.value)
    assert found.interval(found.by_seeds) == pytest.approx((plain.low, plain.high))
    assert found.disagree == pytest.approx(100 * (arm != other).mean())
    assert found.by_both >= found.by_seeds


@pytest.mark.parametrize(("of_image", "least", "most"), [(0.0, 0.0, 0.4), (0.4, 0.8, 1.2)])
def test_the_share_of_the_images_is_the_planted_one(of_image, least, most):
    """Each image's own difference has the deviation ``of_image``, so n of them shift the mean."""
    seeds, n = 10, 2000
    planted = 100 * of_image / np.sqrt(n)
    extra = []
    for draw in range(20):
        found = other_images.crossed(*drawn(np.random.default_rng(draw), seeds, n, of_image))
        extra.append(found.by_both**2 - found.by_seeds**2)
    unit = planted or 100 * np.sqrt(2 * 0.12 / n / seeds)  # of the rest where nothing is planted
    assert least < np.sqrt(np.mean(extra)) / unit < most


def test_intervals_over_both_hold_the_truth_of_all_images():
    """A new draw of images and seeds: the true mean is 0, and seeds alone hold it too rarely."""
    held = {"by_seeds": 0, "by_both": 0}
    for draw in range(200):
        found = other_images.crossed(*drawn(np.random.default_rng(draw), 10, 300, 0.4))
        for name in held:
            low, high = found.interval(getattr(found, name))
            held[name] += low < 0 < high
    assert held["by_both"] >= 180  # of 190 expected
    assert held["by_seeds"] < 150


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (5,)])
def test_too_little_is_refused(shape):
    with pytest.raises(ValueError, match="two seeds or more"):
        other_images.crossed(np.zeros(shape, bool), np.zeros(shape, bool))


def test_the_page_has_the_intervals_of_the_bits(tmp_path):
    store = Store(tmp_path)
    assert site.facts(store) == {"images.wider": "not measured"}
    rng = np.random.default_rng(0)
    bits = {}
    for cell in Accuracy().cells(Selection("cpu")):
        if cell.backbone not in MAIN.backbones or cell.module not in ("none", "eca", "sk"):
            continue
        right = rng.random(1000) < (0.9 if cell.module == "none" else 0.8)
        packed = base64.b64encode(zlib.compress(np.packbits(right).tobytes())).decode()
        kept = {"correct": packed} if cell.module != "sk" else {}  # its rows keep no bits
        numbers = {"top1": 100 * right.mean(), "train_images": 9, "test_images": 1000, "params": 7}
        trial.append(store, cell, numbers | kept)
        bits.setdefault(cell.module, []).append(right)
    text = site.seeds_and_images(store)
    expected = other_images.crossed(np.stack(bits["eca"]), np.stack(bits["none"]))
    shown = row_of(text, "eca")
    assert f">{display.points(expected.mean)}<" in shown
    assert f">{display.percent(expected.disagree)}<" in shown
    for error in (expected.by_seeds, expected.by_both):
        ends = ", ".join(display.points(end) for end in expected.interval(error))
        assert f">[{ends}]<" in shown
    assert ">sk<" not in text
    wider = f"{expected.by_both / expected.by_seeds:.2f}"
    assert site.facts(store)["images.wider"] == f"{wider} times as wide"
