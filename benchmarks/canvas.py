"""Images with a class at every pixel: scenes composed of Fashion-MNIST images, and VOC 2012.

A scene is a textured canvas of 80 x 80 grey pixels with three to five pieces of clothing on it, one
over the other, each of one to 1.7 times its stored side. A pixel is labelled with the class of the
piece that is drawn there last: its true label, whose edge is exact. The pieces of a scene are of
two classes, so one of them says something about the others, as a car says that there are cars in a
street: what attention over a whole image could use. A scene is a function of its images, of the
seed and of its number alone, so the first ones do not depend on how many there are.

Training scenes are made of the training images, test scenes of the test images. Size, number and
contrast were chosen on ``clothes-validation``, whose images are all training images, with the head
that has no attention.

VOC 2012 (Everingham et al. 2010, http://host.robots.ox.ac.uk/pascal/VOC/voc2012/) comes through
torchvision: 1464 images to train on, 1449 to test, each in the corner of a square of 512 pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks import data
from benchmarks.data import DataError, Images
from benchmarks.scenery import (
    BRIGHTNESS,
    CLOTHES,
    IGNORED,
    INK,
    KINDS,
    NOISE,
    OBJECTS,
    PREVIEW_SCENES,
    SEED,
    SIDE,
    SIZES,
    TEST_SCENES,
    TRAIN_SCENES,
    VOC_CLASSES,
)

VOC_SIDE = 512


@dataclass(frozen=True)
class Labelled:
    """A data set in memory: images (N, C, H, W) uint8, labels (N, H, W) uint8.

    A label is the number of a class in ``classes``, or ``IGNORED``.
    """

    name: str
    classes: tuple[str, ...]
    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor


def load(name: str) -> Labelled:
    """A data set by name. Raises DataError if it can't be had, ValueError if it is unknown."""
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}; allowed: {', '.join(DATASETS)}")
    return DATASETS[name]()


def compose(
    name: str, images: Images, train: int = TRAIN_SCENES, test: int = TEST_SCENES
) -> Labelled:
    """Scenes of the training images to train on, and scenes of the test images to test on."""
    train_x, train_y = scenes(images.train_x, images.train_y, train, (SEED, 0))
    test_x, test_y = scenes(images.test_x, images.test_y, test, (SEED, 1))
    return Labelled(name, CLOTHES, train_x, train_y, test_x, test_y)


def scenes(x: Tensor, y: Tensor, number: int, seed: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """So many scenes of images (N, 1, H, W) of classes (N,): (number, 1, 80, 80), (number, 80, 80).

    Raises ValueError where the images are of fewer classes than a scene has.
    """
    pictures, of_class = x[:, 0].numpy(), _by_class(y.numpy())
    made = [scene(pictures, of_class, np.random.default_rng((*seed, i))) for i in range(number)]
    pixels, labels = (torch.from_numpy(np.stack(part)) for part in zip(*made, strict=True))
    return pixels.unsqueeze(1), labels


def _by_class(y: np.ndarray) -> dict[int, np.ndarray]:
    found = {int(k): np.flatnonzero(y == k) for k in np.unique(y)}
    if len(found) < KINDS:
        raise ValueError(f"a scene takes images of {KINDS} classes or more; there are {len(found)}")
    return found


def scene(
    pictures: np.ndarray, of_class: dict[int, np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """One scene and the class of each of its pixels, both (80, 80) uint8; class k is label k + 1.

    Pictures are (N, H, W) uint8, ``of_class`` says which of them are of a class.
    """
    pixels = texture(rng)
    labels = np.zeros((SIDE, SIDE), np.uint8)
    kinds = rng.choice(sorted(of_class), KINDS, replace=False)
    for _ in range(rng.integers(OBJECTS[0], OBJECTS[1] + 1)):
        kind = int(rng.choice(kinds))
        side = int(rng.integers(SIZES[0], SIZES[1] + 1))
        piece = resized(pictures[rng.choice(of_class[kind])], side)
        top, left = rng.integers(SIDE - len(piece) + 1, size=2)
        draw(pixels, labels, piece, kind + 1, (top, left), rng.uniform(*BRIGHTNESS))
    noise = rng.normal(0, NOISE, pixels.shape)
    return np.clip(pixels + noise, 0, 255).round().astype(np.uint8), labels


def draw(
    pixels: np.ndarray,
    labels: np.ndarray,
    piece: np.ndarray,
    label: int,
    place: tuple[int, int],
    brightness: float = 1.0,
) -> None:
    """Lay a piece over what is there, with its upper left corner at a place: changes both arrays.

    Only the pixels of at least ``INK`` are drawn and labelled; what lies beneath others stays.
    """
    top, left = place
    where = (slice(top, top + len(piece)), slice(left, left + len(piece)))
    inked = piece >= INK
    pixels[where][inked] = brightness * piece[inked]
    labels[where][inked] = label


def resized(picture: np.ndarray, side: int) -> np.ndarray:
    """The nearest pixels of a square picture on a grid of another side; no value is made up."""
    nearest = (2 * np.arange(side) + 1) * len(picture) // (2 * side)
    return picture[nearest][:, nearest]


def texture(rng: np.random.Generator) -> np.ndarray:
    """A canvas (80, 80) of floats: stripes of any direction and width over coarse patches."""
    down, across = np.mgrid[:SIDE, :SIDE]
    angle, period = rng.uniform(0, np.pi), rng.uniform(4, 24)
    way = np.cos(angle) * across + np.sin(angle) * down
    stripes = np.sin(2 * np.pi * (way / period + rng.uniform()))
    patches = np.kron(rng.uniform(-1, 1, (8, 8)), np.ones((SIDE // 8, SIDE // 8)))
    return rng.uniform(40, 120) + rng.uniform(5, 30) * stripes + rng.uniform(5, 25) * patches


def _voc() -> Labelled:
    parts = [_voc_part(part) for part in ("train", "val")]
    (train_x, train_y), (test_x, test_y) = parts
    return Labelled("voc2012", VOC_CLASSES, train_x, train_y, test_x, test_y)


def _voc_part(part: str) -> tuple[Tensor, Tensor]:
    from torchvision.datasets import VOCSegmentation

    folder = data.cache_folder() / "voc2012"
    there = (folder / "VOCdevkit" / "VOC2012").is_dir()
    try:
        found = VOCSegmentation(str(folder), image_set=part, download=not there)
        squares = [_squares(*found[i]) for i in range(len(found))]
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"VOC 2012 ({part}) is not in {folder} and can't be downloaded ({error}); unpack "
            "VOCtrainval_11-May-2012.tar from http://host.robots.ox.ac.uk/pascal/VOC/voc2012/ "
            "there, so that it holds VOCdevkit/VOC2012"
        ) from error
    pixels, labels = zip(*squares, strict=True)
    return torch.stack(pixels), torch.stack(labels)


def _squares(image: Any, target: Any) -> tuple[Tensor, Tensor]:
    """An image and its labels in the upper left corner of a square; what is outside is ignored.

    Raises ValueError for an image that is larger, or not as large as its labels.
    """
    pixels, labels = np.asarray(image.convert("RGB")), np.asarray(target)
    height, width = labels.shape
    if max(height, width) > VOC_SIDE or pixels.shape[:2] != (height, width):
        raise ValueError(
            f"an image of {pixels.shape[:2]} with labels of {labels.shape}: both must be of one "
            f"size, at most {VOC_SIDE} pixels a side"
        )
    square = torch.zeros(3, VOC_SIDE, VOC_SIDE, dtype=torch.uint8)
    square[:, :height, :width] = torch.from_numpy(pixels.copy()).permute(2, 0, 1)
    known = torch.full((VOC_SIDE, VOC_SIDE), IGNORED, dtype=torch.uint8)
    known[:height, :width] = torch.from_numpy(labels.copy())
    return square, known


def _clothes(name: str, images: str, *numbers: int) -> Callable[[], Labelled]:
    return lambda: compose(name, data.load(images), *numbers)


DATASETS: dict[str, Callable[[], Labelled]] = {
    "clothes": _clothes("clothes", "fashion-mnist"),
    "clothes-preview": _clothes("clothes-preview", "fashion-mnist", *PREVIEW_SCENES),
    "clothes-validation": _clothes("clothes-validation", "fashion-mnist-validation"),
    "voc2012": _voc,
}
