"""The same latencies session after session: does an interval hold what another session finds?

The interval of a ratio in `latency` is over the builds of one session. What differs from one
session to the next is not in it: the state of the machine, and whatever builds of one process have
in common. Here whole sessions of that protocol are repeated, each with other inputs and another
order (but for the processes that a noisy session adds, which have equal ones), and in turn for the
networks. `between` compares them, without any assumption on how they are distributed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import ClassVar

import numpy as np
import pandas as pd

from benchmarks import tables
from benchmarks.cells import Cell, Selection
from benchmarks.latency import SMALL_IMAGES, Latency
from benchmarks.nets import MOBILE
from benchmarks.ratios import with_floor

BACKBONES = ("resnet10_small", MOBILE)
"""Both kinds of small net: plain blocks, and inverted ones with convolutions by channel."""

SESSIONS = 6


class Retimed(Latency):
    """Sessions of `latency` at one thread, again and again; the seed is the session's number."""

    name: ClassVar[str] = "retimed"
    title: ClassVar[str] = "The same latencies, session after session"
    default_seconds: ClassVar[float] = 8.0

    def cells(self, want: Selection) -> Iterator[Cell]:
        """Every module in the suite `cpu`, session by session; none where arms were chosen."""
        if want.suite != "cpu" or want.device != "cpu" or want.modules or want.backbones:
            return
        for session in range(SESSIONS):
            for backbone in BACKBONES:
                size, batch = SMALL_IMAGES[backbone]
                for module, variant in want.arms():
                    yield Cell(
                        self.name,
                        backbone,
                        module,
                        variant,
                        seed=session,
                        image_size=size,
                        batch_size=batch,
                        threads=1,
                    )


def between(rows: pd.DataFrame) -> pd.DataFrame:
    """A line an arm of one backbone and machine: how far its ratios are from session to session.

    An arm of a single session has no line.

    ``rows`` are one for each arm and session, all with a value. Columns: ``sessions``; ``ratio``,
    the geometric mean over them, ``least`` and ``most``; ``half_width``, the median over sessions
    of half an interval's width in percent; ``apart`` and ``apart_most``, by how many percent two
    sessions differ, the median over all pairs and the most; ``held``, sessions whose interval
    holds the geometric mean of the others; ``told``, pairs that are told apart, of ``pairs`` that
    can be, see `told_apart`; ``verdicts``, how many sessions have which, the commonest first.
    """
    lines = []
    for arm in tables.in_order(rows["arm"]):
        mine = rows[rows["arm"] == arm].sort_values("seed")
        logs = np.log(mine["ratio"].to_numpy(float))
        low, high = (mine[name].to_numpy(float) for name in ("ratio_low", "ratio_high"))
        n = len(mine)
        if n < 2:
            continue
        others = np.exp((logs.sum() - logs) / (n - 1))
        gaps = _gaps(mine["ratio"])
        told = told_apart(mine)
        lines.append(
            {
                "arm": arm,
                "sessions": n,
                "ratio": float(np.exp(logs.mean())),
                "least": float(np.exp(logs.min())),
                "most": float(np.exp(logs.max())),
                "half_width": float(np.median(100 * (np.sqrt(high / low) - 1))),
                "apart": float(np.median(gaps)),
                "apart_most": max(gaps),
                "held": int(((low <= others) & (others <= high)).sum()),
                "told": sum(told),
                "pairs": len(told),
                "verdicts": ", ".join(
                    f"{count} {word}" for word, count in Counter(mine["verdict"]).most_common()
                ),
            }
        )
    return pd.DataFrame(lines)


def gaps(rows: pd.DataFrame) -> list[float]:
    """By how many percent the ratio of a module differs between two sessions of one backbone.

    One number for each module and pair of sessions.
    """
    modules = rows[rows["arm"] != "none"]
    return [gap for _, mine in modules.groupby("arm") for gap in _gaps(mine["ratio"])]


def _gaps(ratios: Iterable[float]) -> list[float]:
    pairs = combinations(map(float, ratios), 2)
    return [100 * (max(pair) / min(pair) - 1) for pair in pairs]


def of_two_modules(rows: pd.DataFrame) -> list[float]:
    """By how many percent the ratio of two modules to each other differs between two sessions.

    One number for each pair of modules and pair of sessions of one backbone that have both. The
    error of the bare backbone's time, which all ratios of a session share, is not in it.
    """
    modules = rows[rows["arm"] != "none"]
    ratios = modules.pivot(index="seed", columns="arm", values="ratio").astype("float64")
    pairs = combinations(ratios, 2)
    return [gap for a, b in pairs for gap in _gaps((ratios[a] / ratios[b]).dropna())]


def told_apart(rows: pd.DataFrame) -> list[bool]:
    """Whether the ratios of one arm differ beyond both intervals and floors, by pair of sessions.

    By `with_floor`, as two processors are compared; a session too noisy to rank is in no pair.
    """
    pairs = combinations(tables.records(with_floor(rows)), 2)
    return [one.low > other.high or other.low > one.high for one, other in pairs]
