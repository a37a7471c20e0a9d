"""Accuracies that others report: five trials with deviations, and pairs of one code base.

Nothing here was trained by this suite; every value is in `results/reported.csv` with its source.
`papers/pairs.csv` says which two of them make a pair, and holds no value.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import sqrt

from benchmarks import display, student
from benchmarks.cells import ROOT
from benchmarks.papers.reported import Printed, printed
from benchmarks.site.html import Entry, Head, table
from benchmarks.site.origin import all_rows
from benchmarks.stats import ALPHA
from benchmarks.store import Store

TRIALS = 5
T_8 = student.critical(2 * (TRIALS - 1), ALPHA)
"""Student's t at 97.5 % for 8 degrees of freedom: two groups of five trials."""

SOURCE = "SimAM ICML2021"
PATH = ROOT / "benchmarks" / "papers" / "pairs.csv"


@dataclass(frozen=True)
class Gain:
    """A module's mean over five trials beside the bare network's, in percent."""

    network: str
    dataset: str
    module: str
    mean: float
    deviation: float
    bare: float
    bare_deviation: float

    @property
    def gain(self) -> float:
        """Points above the bare network."""
        return self.mean - self.bare

    @property
    def pooled(self) -> float:
        """Deviation of one run, pooled over both groups."""
        return sqrt((self.deviation**2 + self.bare_deviation**2) / 2)

    @property
    def verdict(self) -> str:
        """Whether a t test on the printed means and deviations tells the two apart."""
        if abs(self.gain) <= T_8 * self.pooled * sqrt(2 / TRIALS):
            return "not told apart"
        return "higher" if self.gain > 0 else "lower"


def gains() -> list[Gain]:
    """Every module, network and data set of SimAM's Table 2."""
    found = {
        (v.backbone, v.dataset, v.module, v.metric): float(v.value)
        for v in printed()
        if v.paper == SOURCE
    }
    made = []
    for network, dataset, module, metric in found:
        if module == "none" or metric != "top1_acc_mean":
            continue
        numbers = [
            found[network, dataset, name, kind]
            for name in (module, "none")
            for kind in ("top1_acc_mean", "top1_acc_std")
        ]
        made.append(Gain(network, dataset, module, *numbers))
    return made


def trials(store: Store) -> str:
    """Five trials a cell: mean, deviation, and whether five runs tell it from the bare network."""
    made = gains()
    modules = list(dict.fromkeys(g.module for g in made))
    by_row: dict[tuple[str, str], dict[str, Gain]] = {}
    for g in made:
        by_row.setdefault((g.network, g.dataset), {})[g.module] = g
    heads = [Head("Network and data", number=False), Head("none", "%, deviation")]
    heads += [Head(name, "points above none, deviation of its own trials") for name in modules]
    body = []
    for (network, dataset), row in by_row.items():
        first = next(iter(row.values()))
        bare = f"± {display.percent(first.bare_deviation)}"
        entries = [Entry(f"{network}, {dataset}")]
        entries.append(Entry(display.percent(first.bare), first.bare, bare))
        for name in modules:
            g = row[name]
            spread = f"± {display.percent(g.deviation)}"
            entries.append(Entry(display.points(g.gain), g.gain, spread, g.verdict))
        body.append(entries)
    note = (
        "reported: means of five trials; ± is how the trials of one network vary, not the error of "
        "a difference; differences are of unrounded values"
    )
    places = f"Source: SimAM, Table 2. {all_rows(store, 'reported')}"
    return table("CIFAR, five trials", note, heads, body, places)


@dataclass(frozen=True)
class Pair:
    """Two reported values of one code base: where they are, and what may make them unequal.

    ``table`` is how the name of the table begins; a variant or data set is "" where the rest says
    which value is meant.
    """

    source: str
    table: str
    bare: str
    with_module: str
    module: str
    bare_variant: str
    variant: str
    dataset: str
    caveat: str


@cache
def compared() -> tuple[Pair, ...]:
    """All pairs: same code, one run each unless the caveat says otherwise, on ImageNet-1k."""
    with open(PATH, encoding="utf-8", newline="") as file:
        return tuple(Pair(**row) for row in csv.DictReader(file))


def pairs(store: Store) -> str:
    """Gains of one run over one run in one code base."""
    heads = (
        Head("Source", number=False),
        Head("Module", number=False),
        Head("Bare", "top-1, %"),
        Head("With module", "top-1, %"),
        Head("Difference", "points"),
        Head("Caveat", number=False),
    )
    body = []
    for pair in compared():
        bare = _top1(pair, pair.bare, "none", pair.bare_variant)
        with_module = _top1(pair, pair.with_module, pair.module, pair.variant)
        body.append(
            (
                Entry(f"{pair.source}: {pair.bare}"),
                Entry(pair.module),
                Entry(display.percent(bare), bare),
                Entry(display.percent(with_module), with_module),
                Entry(display.points(with_module - bare), with_module - bare),
                Entry(pair.caveat or "–"),
            )
        )
    note = (
        "reported; top-1 of papers that print errors is 100 less the error; differences are of "
        "unrounded values"
    )
    return table("One run against one run", note, heads, body, all_rows(store, "reported"))


def _top1(pair: Pair, network: str, module: str, variant: str) -> float:
    """The one top-1 accuracy that a pair names. ValueError if there is none, or several."""
    found = {accuracy(v) for v in _candidates(pair, network, module, variant)}
    if len(found) != 1:
        raise ValueError(f"{pair.source}, {network} {module}: {len(found)} values, not one")
    return found.pop()


def _candidates(pair: Pair, network: str, module: str, variant: str) -> Iterator[Printed]:
    for v in printed():
        if v.metric not in ("top1_err", "top1_acc", "top1_err_224"):
            continue
        same = (v.paper, v.backbone, v.module) == (pair.source, network, module)
        place = v.table.startswith(pair.table) and (not pair.dataset or v.dataset == pair.dataset)
        if same and place and (not variant or v.variant == variant):
            yield v


def accuracy(v: Printed) -> float:
    """A printed top-1 in percent; an error is what is left to 100."""
    number = float(v.value)
    return round(100 - number, 4) if v.metric.startswith("top1_err") else number


def facts(store: Store) -> dict[str, str]:
    """How often five trials tell a module from the bare network, and how small the gains are."""
    made = [g for g in gains() if g.module != "SimAM"]
    below = sum(abs(g.gain) < g.pooled - 1e-9 for g in made)
    found = {"reruns.cells": display.whole(len(made)), "reruns.below": display.whole(below)}
    found["reruns.by_chance"] = display.whole(round(ALPHA * len(made)))
    for word in ("higher", "lower", "not told apart"):
        number = sum(g.verdict == word for g in made)
        found[f"reruns.{word.replace(' ', '_')}"] = display.whole(number)
    return found
