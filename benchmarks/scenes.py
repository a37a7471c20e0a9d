"""Scenes composed of real images: pure functions of (images, labels, number, seed).

A scene shows objects from an image data set on a black canvas; where one lies on another, the
brighter pixel is seen. What is drawn by chance, but for which image, does not depend on the images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor
from torch.nn import functional as F

CANVAS = 40
"""Side of a scene, px."""

SMALL, MIDDLE = 14, 20
"""Sides of an object whose place or partner counts, and of one whose class counts, px."""

GRID, JITTER = 6, 3
"""Rows and columns of places, and how far an object may lie from the corner of its place, px."""

CHANNELS, CLEAN = 6, 1
"""Channels of an image, and how many of them show it."""

KINDS = (1, 5, 8, 9)
"""Classes of a pair's objects: trousers, sandals, bags and ankle boots, which differ most."""

LINES, PLACE, BAR = 3, 12, 2
"""Objects of a scene with a mark, their side, which is the mark's length too, and its width, px."""

PATCHES, PATCH = 6, 6
"""Distractors of a scene, and the side of one in px."""

SMALLEST, LARGEST = MIDDLE // 2, MIDDLE * 2
"""Sides of an object between half and twice its usual size, px."""

Composed = tuple[Tensor, Tensor]
"""Scenes (N, C, H, W) uint8 and their labels (N,) int64."""


def compose(task: str, x: Tensor, y: Tensor, number: int, seed: int) -> Composed:
    """``number`` scenes of a task from images (M, 1, H, W) uint8 with labels (M,).

    Equal arguments give equal scenes. ValueError for an unknown task.
    """
    if task not in TASKS:
        raise ValueError(f"unknown task {task!r}; allowed: {', '.join(TASKS)}")
    return TASKS[task].compose(x, y, number, torch.Generator().manual_seed(seed))


def position(x: Tensor, y: Tensor, number: int, generator: torch.Generator) -> Composed:
    """The label is the cell of a grid in which the whole object lies among patches, row by row.

    Class and looks of the object say nothing about it.
    """
    objects = resized(x[_any(len(x), number, generator)], SMALL)
    cell = torch.randint(GRID**2, (number,), generator=generator)
    step = (CANVAS - SMALL - JITTER) / (GRID - 1)
    corners = torch.stack((cell // GRID, cell % GRID)) * step
    top, left = corners.long() + torch.randint(JITTER + 1, (2, number), generator=generator)
    scenes = _among_patches(x, number, generator)
    return _canvas(paste(scenes, objects, top, left)), cell


def mark(x: Tensor, y: Tensor, number: int, generator: torch.Generator) -> Composed:
    """The label is the class of the object that a mark points to.

    No two objects share a row or a column of places. The mark is a white bar at the left edge, in
    the row of its object, or at the upper edge, in its column.
    """
    chosen = _any(len(x), number * LINES, generator).view(number, LINES)
    places = torch.rand(2, number, LINES, generator=generator).argsort(2)
    corners = BAR + 1 + PLACE * places + torch.randint(2, places.shape, generator=generator)
    scenes = _black(number)
    for i in range(LINES):
        scenes = paste(scenes, resized(x[chosen[:, i]], PLACE), *corners[:, :, i])
    sideways = torch.rand(number, generator=generator) < 0.5
    edge = torch.zeros(number, dtype=torch.long)
    top, left = corners[:, :, 0]
    rows = paste(scenes, torch.full((number, PLACE, BAR), 255.0), top, edge)
    columns = paste(scenes, torch.full((number, BAR, PLACE), 255.0), edge, left)
    return _canvas(torch.where(sideways[:, None, None], rows, columns)), y[chosen[:, 0]]


def scale(x: Tensor, y: Tensor, number: int, generator: torch.Generator) -> Composed:
    """The label is the class of an object between half and twice its usual size, anywhere."""
    chosen = _any(len(x), number, generator)
    share = torch.rand(number, generator=generator)
    sides = (SMALLEST * torch.exp(share * log(LARGEST / SMALLEST))).round().long()
    places = torch.rand(2, number, generator=generator)
    scenes = _black(number)
    for side in sides.unique().tolist():
        mine = (sides == side).nonzero().flatten()
        top, left = (places[:, mine] * (CANVAS - side + 1)).long()
        scenes[mine] = paste(scenes[mine], resized(x[chosen[mine]], side), top, left)
    return _canvas(scenes), y[chosen]


def clutter(x: Tensor, y: Tensor, number: int, generator: torch.Generator) -> Composed:
    """The label is the class of the one whole object among patches of others."""
    chosen = _any(len(x), number, generator)
    scenes = _among_patches(x, number, generator)
    whole = resized(x[chosen], MIDDLE)
    return _canvas(paste(scenes, whole, *_anywhere(MIDDLE, number, generator))), y[chosen]


def channels(x: Tensor, y: Tensor, number: int, generator: torch.Generator) -> Composed:
    """The label is the class of the image that some channels show; the others are noise.

    The noise of a channel is another image with its pixels in random order: no brightness tells
    it from an image. Which channels are clean is drawn for each scene.
    """
    chosen = _any(len(x), number, generator)
    size = x.shape[2:].numel()
    others = x[_any(len(x), number * CHANNELS, generator)].view(number, CHANNELS, size)
    order = torch.rand(number, CHANNELS, size, generator=generator).argsort(2)
    noise = others.gather(2, order)
    rank = torch.rand(number, CHANNELS, generator=generator).argsort(1).argsort(1)
    clean = (rank < CLEAN).unsqueeze(2)
    images = x[chosen].view(number, 1, size)
    return torch.where(clean, images, noise).view(number, CHANNELS, *x.shape[2:]), y[chosen]


def pair(x: Tensor, y: Tensor, number: int, generator: torch.Generator) -> Composed:
    """The label is whether two objects, one on each side, are of the same class (1) or not (0)."""
    same = torch.randint(2, (number,), generator=generator)
    first = torch.randint(len(KINDS), (number,), generator=generator)
    other = torch.randint(1, len(KINDS), (number,), generator=generator)
    second = torch.where(same == 1, first, (first + other) % len(KINDS))
    scenes = _black(number)
    for kind, edge in ((first, 0), (second, CANVAS - SMALL - JITTER)):
        objects = resized(x[_of_kind(y, kind, generator)], SMALL)
        top = torch.randint(CANVAS - SMALL + 1, (number,), generator=generator)
        left = edge + torch.randint(JITTER + 1, (number,), generator=generator)
        scenes = paste(scenes, objects, top, left)
    return _canvas(scenes), same


@dataclass(frozen=True)
class Task:
    """How a task's scenes are made, and how many labels it has."""

    compose: Callable[[Tensor, Tensor, int, torch.Generator], Composed]
    classes: int


TASKS = {
    "position": Task(position, GRID**2),
    "mark": Task(mark, 10),
    "scale": Task(scale, 10),
    "clutter": Task(clutter, 10),
    "channels": Task(channels, 10),
    "pair": Task(pair, 2),
}


def _among_patches(x: Tensor, number: int, generator: torch.Generator) -> Tensor:
    scenes = _black(number)
    for _ in range(PATCHES):
        others = resized(x[_any(len(x), number, generator)], MIDDLE)
        top, left = torch.randint(MIDDLE - PATCH + 1, (2, number), generator=generator)
        patches = cut(others, top, left, PATCH)
        scenes = paste(scenes, patches, *_anywhere(PATCH, number, generator))
    return scenes


def resized(x: Tensor, side: int) -> Tensor:
    """Images (N, 1, H, W) uint8 as (N, side, side) float32, 0 to 255, without aliasing."""
    size = (side, side)
    return F.interpolate(x.float(), size, mode="bilinear", antialias=True)[:, 0]


def paste(scenes: Tensor, objects: Tensor, top: Tensor, left: Tensor) -> Tensor:
    """The scenes (N, H, W) with an object (N, h, w) each, its corner at (top, left), (N,) both."""
    where = _window(objects.shape[1], objects.shape[2], top, left)
    made = scenes.clone()
    made[where] = torch.maximum(scenes[where], objects)
    return made


def cut(x: Tensor, top: Tensor, left: Tensor, side: int) -> Tensor:
    """A square from each image: (N, H, W) -> (N, side, side), its corner at (top, left)."""
    return x[_window(side, side, top, left)]


def _window(height: int, width: int, top: Tensor, left: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    rows = (top[:, None] + torch.arange(height))[:, :, None]
    columns = (left[:, None] + torch.arange(width))[:, None, :]
    return torch.arange(len(top))[:, None, None], rows, columns


def _anywhere(side: int, number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    top, left = torch.randint(CANVAS - side + 1, (2, number), generator=generator)
    return top, left


def _any(size: int, number: int, generator: torch.Generator) -> Tensor:
    """Which of ``size`` images each of ``number`` scenes shows, whatever the size."""
    return (torch.rand(number, generator=generator, dtype=torch.float64) * size).long()


def _of_kind(y: Tensor, kind: Tensor, generator: torch.Generator) -> Tensor:
    """An image of the class ``KINDS[kind]`` for each scene."""
    share = torch.rand(len(kind), generator=generator, dtype=torch.float64)
    chosen = torch.empty_like(kind)
    for number, label in enumerate(KINDS):
        pool = (y == label).nonzero().flatten()
        mine = kind == number
        chosen[mine] = pool[(share[mine] * len(pool)).long()]
    return chosen


def _black(number: int) -> Tensor:
    return torch.zeros(number, CANVAS, CANVAS)


def _canvas(scenes: Tensor) -> Tensor:
    return scenes.round().to(torch.uint8).unsqueeze(1)
