"""A device that is none and a selection without cells are answered before any work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from benchmarks.cells import SUITES, Benchmark, Selection, benchmarks, choose

OPTIONS = ("backbone", "module", "device")


def require_device(device: str) -> None:
    """Raise ValueError for a device that no suite is measured on, or for one of several GPUs."""
    if device.startswith("cuda:"):
        raise ValueError(
            f"device {device!r} was asked for; allowed: cpu, cuda. CUDA_VISIBLE_DEVICES="
            f"{device.partition(':')[2]} before the command, with --device cuda, takes that GPU"
        )
    choose(device, ["cpu", "cuda"], "device")


def require_cells(want: Selection, only: Sequence[str]) -> None:
    """Raise ValueError for a benchmark of ``only`` that has no cell of the selection.

    The message names what was asked, what is allowed and what to do.
    """
    known = benchmarks()
    for name in only:
        benchmark = known[choose(name, list(known), "benchmark")]
        if not _any(benchmark, want):
            words = " ".join(f"--{option} {_given(want)[option]}" for option in _given(want))
            raise ValueError(
                f"{name} has no cells in suite {want.suite}{f' with {words}' if words else ''}: "
                f"{_advice(benchmark, want)}"
            )


def _any(benchmark: Benchmark, want: Selection) -> bool:
    return next(iter(benchmark.cells(want)), None) is not None


def _given(want: Selection) -> dict[str, str]:
    """The options that narrow the selection, as they were asked for."""
    found = {
        "backbone": " ".join(want.backbones or ()),
        "module": " ".join(f"{name} {rest}".strip() for name, rest in want.modules or ()),
        "device": want.device if want.device != SUITES[want.suite].device else "",
    }
    return {option: words for option, words in found.items() if words}


def _advice(benchmark: Benchmark, want: Selection) -> str:
    """What is allowed, and the fewest options without which there are cells, or the suites."""
    given = list(_given(want))
    for count in range(1, len(given) + 1):
        for options in combinations(given, count):
            free = _without(want, options)
            if _any(benchmark, free):
                allowed = f"{_allowed(benchmark, want, free, options[0])}; " if count == 1 else ""
                return f"{allowed}leave {' and '.join(f'--{o}' for o in options)} out"
    for bare in (False, True) if given else (True,):
        names = [f"--suite {name}" for name in SUITES if _any(benchmark, _in(name, want, bare))]
        if names:
            rest = " and leave the other options out" if bare and given else ""
            return f"ask for {' or '.join(names)}{rest}"
    needs = f"{benchmark.needs}, or " if benchmark.needs else ""
    return f"no suite has any here; {needs}leave it out"


def _in(suite: str, want: Selection, bare: bool) -> Selection:
    """The selection in another suite and on its device, with its other options or without."""
    moved = replace(want, suite=suite, device=SUITES[suite].device)
    return _without(moved, OPTIONS) if bare else moved


def _without(want: Selection, options: Sequence[str]) -> Selection:
    free: dict[str, Any] = {
        "backbone": {"backbones": None},
        "module": {"modules": None},
        "device": {"device": SUITES[want.suite].device},
    }
    for option in options:
        want = replace(want, **free[option])
    return want


def _allowed(benchmark: Benchmark, want: Selection, free: Selection, option: str) -> str:
    """What the option may be, of the values that the cells without it have."""
    if option == "device":
        return f"it is measured on {free.device}"
    cells = list(benchmark.cells(free))
    if option == "backbone":
        others = {c.backbone: replace(want, backbones=(c.backbone,)) for c in cells}
    else:
        others = {c.arm: replace(want, modules=((c.module, c.variant),)) for c in cells}
    names = [name for name, selection in others.items() if name and _any(benchmark, selection)]
    return f"--{option} may be {', '.join(map(repr, names))}" if names else "it takes none"
