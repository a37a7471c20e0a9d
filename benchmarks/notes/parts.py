"""Images for small trainings: some to train on, some to choose by, and the test images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from torch import Tensor

from benchmarks import data

TRAINED_ON, HELD_OUT = 6_000, 4_000


@dataclass(frozen=True)
class Parts:
    """Images (N, 1, H, W) with mean 0 and deviation 1, and their classes (N,), in three parts.

    ``held_x`` are training images that are not trained on: whatever is chosen is chosen by them.
    """

    train_x: Tensor
    train_y: Tensor
    held_x: Tensor
    held_y: Tensor
    test_x: Tensor
    test_y: Tensor


@cache
def parts(name: str) -> Parts:
    """The first 6000 training images of a data set, the 4000 that follow, and all test images.

    Kept for the next call of this process. Raises what `data.load` raises.
    """
    return divide(data.load(name))


def divide(images: data.Images) -> Parts:
    """The parts of a data set; ValueError if it is too small to hold any out."""
    size = len(images.train_y)
    if size < TRAINED_ON + HELD_OUT:
        raise ValueError(
            f"{images.name} has {size} training images, and {TRAINED_ON + HELD_OUT} are needed; "
            "take a larger data set"
        )
    train_x, test_x = images.normalised()
    trained, held = slice(TRAINED_ON), slice(TRAINED_ON, TRAINED_ON + HELD_OUT)
    return Parts(
        train_x=train_x[trained].clone(),
        train_y=images.train_y[trained],
        held_x=train_x[held].clone(),
        held_y=images.train_y[held],
        test_x=test_x,
        test_y=images.test_y,
    )
