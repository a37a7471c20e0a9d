"""Scenes of the mechanism tasks without what makes them hard.

They are drawn with the numbers of `benchmarks.scenes`: with equal arguments scene i shows the same
object as scene i there, and has the same label. So a network that is trained on both tells how much
of its error is due to the difficulty.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks import scenes
from benchmarks.scenes import CHANNELS, CLEAN, LINES, MIDDLE, Composed


def compose(task: str, x: Tensor, y: Tensor, number: int, seed: int) -> Composed:
    """``number`` scenes of a task, made easy, from images (M, 1, H, W) uint8 with labels (M,).

    ValueError for a task that has no such scenes.
    """
    if task not in TASKS:
        raise ValueError(f"no easy scenes of task {task!r}; allowed: {', '.join(TASKS)}")
    return TASKS[task](x, y, number, torch.Generator().manual_seed(seed))


def mark(x: Tensor, y: Tensor, number: int, generator: torch.Generator) -> Composed:
    """The object that is asked for, alone."""
    chosen = shown(len(x), number, generator)[:, 0]
    places = torch.rand(2, number, LINES, generator=generator).argsort(2)
    jitter = torch.randint(2, places.shape, generator=generator)
    top, left = (scenes.BAR + 1 + scenes.PLACE * places + jitter)[:, :, 0]
    objects = scenes.resized(x[chosen], scenes.PLACE)
    return _drawn(objects, top, left), y[chosen]


def scale(x: Tensor, y: Tensor, number: int, generator: torch.Generator) -> Composed:
    """Every object at the usual size, anywhere."""
    chosen = scenes._any(len(x), number, generator)
    torch.rand(number, generator=generator)  # the sizes
    places = torch.rand(2, number, generator=generator)
    top, left = (places * (scenes.CANVAS - MIDDLE + 1)).long()
    return _drawn(scenes.resized(x[chosen], MIDDLE), top, left), y[chosen]


def clutter(x: Tensor, y: Tensor, number: int, generator: torch.Generator) -> Composed:
    """The whole object without patches of others."""
    chosen = scenes._any(len(x), number, generator)
    scenes._among_patches(x, number, generator)
    objects = scenes.resized(x[chosen], MIDDLE)
    return _drawn(objects, *scenes._anywhere(MIDDLE, number, generator)), y[chosen]


def channels(x: Tensor, y: Tensor, number: int, generator: torch.Generator) -> Composed:
    """The image in its channel, and nothing in the others."""
    chosen = scenes._any(len(x), number, generator)
    size = x.shape[2:]
    scenes._any(len(x), number * CHANNELS, generator)
    torch.rand(number, CHANNELS, size.numel(), generator=generator)  # the order of the pixels
    rank = torch.rand(number, CHANNELS, generator=generator).argsort(1).argsort(1)
    return (rank < CLEAN)[:, :, None, None] * x[chosen], y[chosen]


TASKS: dict[str, Callable[[Tensor, Tensor, int, torch.Generator], Composed]] = {
    "mark": mark,
    "scale": scale,
    "clutter": clutter,
    "channels": channels,
}


def shown(size: int, number: int, generator: torch.Generator) -> Tensor:
    """Which of ``size`` images a scene of *mark* shows, (number, LINES), the marked one first."""
    return scenes._any(size, number * LINES, generator).view(number, LINES)


def _drawn(objects: Tensor, top: Tensor, left: Tensor) -> Tensor:
    return scenes._canvas(scenes.paste(scenes._black(len(objects)), objects, top, left))
