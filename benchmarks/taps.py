"""What a module computes from an image, seen or replaced on its way to the map.

A *gate* is what SE, ECA, CBAM and coordinate attention multiply the map by, a *weight* what SK
gives each of its branches, a *residual* what PAM and CAM add to the map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from attn import cbam, coord, eca, se
from attn.danet import CAM, PAM
from attn.passes import scale
from attn.sk import Select

See = Callable[[int, str, Tensor, Tensor], Tensor]
"""Takes the number of a value in the order of calls, its kind (residual, branch or what `gate_kind`
says), the value, (N, ...), and the map that the module was given; returns what the module goes on
with, of the value's shape."""


@contextmanager
def tapped(model: nn.Module, see: See) -> Iterator[None]:
    """Within it every value of the modules in ``model`` passes through ``see``.

    It is for one model at a time, in one thread.
    """
    numbers: Iterator[int] = count()

    def restart(*_: Any) -> None:
        nonlocal numbers
        numbers = count()

    def scaled(x: Tensor, gates: list[Tensor], **how: bool) -> Tensor:
        return scale(x, [see(next(numbers), gate_kind(gate), gate, x) for gate in gates], **how)

    def selected(_: nn.Module, given: tuple[Tensor], weights: Tensor) -> Tensor:
        return see(next(numbers), "branch", weights, given[0])

    def added(residual: Callable[[Any, Tensor], Tensor]) -> Callable[[Any, Tensor], Tensor]:
        return lambda module, x: see(next(numbers), "residual", residual(module, x), x)

    with ExitStack() as stack:
        for file in (se, eca, cbam, coord):
            stack.enter_context(mock.patch.object(file, "scale", scaled))
        for kind in (PAM, CAM):
            stack.enter_context(mock.patch.object(kind, "residual", added(kind.residual)))
        handles = [m.register_forward_hook(selected) for m in model.modules() if type(m) is Select]
        for handle in (*handles, model.register_forward_pre_hook(restart)):
            stack.callback(handle.remove)
        yield


class Moments:
    """A `See` that changes nothing and keeps the sums from which the statistics are made.

    Deviations are those of what was seen, not estimates for more. Of a residual every number is a
    share of the map that it is added to, both as root mean squares.
    """

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self._images: list[int] = []
        self._sums: list[Tensor] = []
        self._squares: list[Tensor] = []
        self._maps: list[float] = []

    def __call__(self, number: int, kind: str, value: Tensor, x: Tensor) -> Tensor:
        seen = value.detach().double()
        if number == len(self.kinds):
            self.kinds.append(kind)
            self._images.append(0)
            self._sums.append(torch.zeros_like(seen[0]))
            self._squares.append(torch.zeros_like(seen[0]))
            self._maps.append(0.0)
        self._images[number] += len(seen)
        self._sums[number] += seen.sum(0)
        self._squares[number] += seen.square().sum(0)
        self._maps[number] += len(x) * x.detach().double().square().mean().item()
        return value

    @property
    def means(self) -> list[Tensor]:
        """Each value's mean over the images, without the dimension of the images."""
        return [s / n for s, n in zip(self._sums, self._images, strict=True)]

    def levels(self) -> list[float]:
        """The mean of each gate or weight; of a residual its size."""
        squares = [s.mean().item() / n for s, n in zip(self._squares, self._images, strict=True)]
        plain = [mean.mean().item() for mean in self.means]
        sizes = [s**0.5 for s in squares]
        both = zip(self.kinds, plain, sizes, self._units(), strict=True)
        return [size / unit if kind == "residual" else mean for kind, mean, size, unit in both]

    def between_entries(self) -> list[float]:
        """How far the means of a value's channels, places or branches are apart: a deviation."""
        found = [mean.std(correction=0).item() for mean in self.means]
        return [sd / unit for sd, unit in zip(found, self._units(), strict=True)]

    def between_images(self) -> list[float]:
        """How far a channel, place or branch goes from image to image: a deviation.

        It is the root of the mean of their variances.
        """
        pairs = zip(self._squares, self._images, self.means, strict=True)
        found = [(s / n - mean.square()).mean().clamp_min(0).item() ** 0.5 for s, n, mean in pairs]
        return [sd / unit for sd, unit in zip(found, self._units(), strict=True)]

    def _units(self) -> list[float]:
        """What each value's numbers are divided by."""
        sizes = [(m / n) ** 0.5 for m, n in zip(self._maps, self._images, strict=True)]
        return [
            size if kind == "residual" else 1.0
            for kind, size in zip(self.kinds, sizes, strict=True)
        ]


def gate_kind(gate: Tensor) -> str:
    """What a gate differs over beside the images: channel, spatial, height or width."""
    _, channels, height, width = gate.shape
    if channels == 1:
        return "spatial"
    return "height" if height > 1 else "width" if width > 1 else "channel"


def held(means: Iterable[Tensor]) -> See:
    """A `See` that gives every image the same value, such as the `means` of `Moments`."""
    kept = list(means)

    def see(number: int, kind: str, value: Tensor, x: Tensor) -> Tensor:
        return torch.empty_like(value).copy_(kept[number])

    return see
