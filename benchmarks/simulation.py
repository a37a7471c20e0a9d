"""How often intervals and verdicts are right, on simulated tables whose truth is known.

A simulated table has the eight arms of a real one. Every seed of an arm is compared with the same
run of the baseline, so the differences of a table share its noise, as real ones do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks import stats
from benchmarks.cells import MODULES, Benchmark, Cell, Column, Selection, choose

NOISES = ("normal", "heavy", "skewed", "lopsided")
SEEDS = (6, 10, 15)
ARMS = len(MODULES) - 1
TABLES = 2000
RESAMPLES = 1000
PLANTED = 1.5
"""A difference that ten seeds are planned to find, in deviations of the differences."""


class Simulation(Benchmark):
    """Coverage, false verdicts and found differences of the statistics of a trained table."""

    name = "simulation"
    title = "How often intervals and verdicts are right"
    plugs = False
    default_seconds = 20.0
    code = (
        "benchmarks/simulation.py",
        "benchmarks/stats.py::_finite",
        "benchmarks/stats.py::bca",
        "benchmarks/stats.py::holm",
        "benchmarks/stats.py::paired",
        "benchmarks/stats.py::sign_flip",
        "benchmarks/stats.py::student_interval",
        "benchmarks/student.py",
    )
    columns = (
        Column("tables", "integer", "", "simulated tables, each with its own seeds"),
        Column("arms", "integer", "", "arms of a table, which is the family of Holm's correction"),
        Column("pairs", "integer", "", "paired seeds of an arm"),
        Column(
            "covered", "number", "%", "Student's intervals (95 %) that hold the true difference"
        ),
        Column("covered_bca", "number", "%", "BCa intervals (95 %) of the same that hold it"),
        Column(
            "false_tables",
            "number",
            "%",
            "tables without any true difference that call an arm higher or lower",
        ),
        Column(
            "false_uncorrected",
            "number",
            "%",
            "the same tables, had each arm been judged at 5 % without Holm's correction",
        ),
        Column("planted", "number", "deviations", "true difference of one arm in a second table"),
        Column("found", "number", "%", "second tables that call that arm higher"),
        Column("reversed", "number", "%", "second tables that call that arm lower"),
        Column(
            "false_beside",
            "number",
            "%",
            "second tables that call one of the other arms, which do not differ, higher or lower",
        ),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """Every noise with every number of seeds; only a suite of a processor has them."""
        if want.suite != "cpu" or want.device != "cpu" or want.modules or want.backbones:
            return
        for noise in NOISES:
            for seeds in SEEDS:
                yield Cell(self.name, "", data=noise, recipe=f"{seeds} seeds")

    def check(self, cells: Sequence[Cell]) -> None:
        """ValueError for a noise that there is not."""
        for cell in cells:
            choose(cell.data, NOISES, "noise")

    def configuration(self, cell: Cell) -> Any:
        """The numbers that decide a verdict."""
        return stats.ALPHA, stats.CONFIDENCE, stats.EXACT_UP_TO, ARMS

    def measure(self, cell: Cell) -> dict[str, Any]:
        return simulate(cell.data, int(cell.recipe.split()[0]), TABLES)


def runs(noise: str, rng: np.random.Generator, pairs: int) -> np.ndarray:
    """Runs of a table less the mean of their arm, (1 + ARMS, pairs), the baseline first.

    Mean 0, deviation 1. ``heavy`` is Student's t with five degrees of freedom; ``skewed`` is
    exponential with its tail below, as of runs that fail now and then; ``lopsided`` is that for the
    arms and normal for the baseline, so that the differences are skewed too.
    """
    shape = (1 + ARMS, pairs)
    if noise == "heavy":
        return rng.standard_t(5, shape) / np.sqrt(5 / 3)
    drawn = rng.normal(0.0, 1.0, shape)
    if noise == "normal":
        return drawn
    failing = 1.0 - rng.exponential(1.0, shape)
    return failing if noise == "skewed" else np.vstack([drawn[:1], failing[1:]])


def simulate(noise: str, pairs: int, tables: int, resamples: int = RESAMPLES) -> dict[str, Any]:
    """What the statistics say of so many tables, each first without any difference, then with one.

    Differences are in their own deviations.
    """
    rng = np.random.default_rng([NOISES.index(noise), pairs])
    covered = covered_bca = wrong = uncorrected = found = turned = beside = 0
    for number in range(tables):
        drawn = runs(noise, rng, pairs)
        differences = (drawn[1:] - drawn[0]) / np.sqrt(2)
        same = _judged(differences, resamples, number)
        covered += sum(row.low <= 0 <= row.high for row in same)
        covered_bca += sum(row.bca_low <= 0 <= row.bca_high for row in same)
        wrong += any(_differs(row) for row in same)
        uncorrected += any(row.p <= stats.ALPHA for row in same)
        differences[0] += PLANTED
        first, *others = _judged(differences, 2, number)
        found += first.verdict == "higher"
        turned += first.verdict == "lower"
        beside += any(_differs(row) for row in others)
    return {
        "tables": tables,
        "arms": ARMS,
        "pairs": pairs,
        "covered": 100 * covered / (tables * ARMS),
        "covered_bca": 100 * covered_bca / (tables * ARMS),
        "false_tables": 100 * wrong / tables,
        "false_uncorrected": 100 * uncorrected / tables,
        "planted": PLANTED,
        "found": 100 * found / tables,
        "reversed": 100 * turned / tables,
        "false_beside": 100 * beside / tables,
    }


def _differs(row: stats.Paired) -> bool:
    return row.verdict in ("higher", "lower")


def _judged(differences: np.ndarray, resamples: int, seed: int) -> list[stats.Paired]:
    named = {str(arm): [float(d) for d in mine] for arm, mine in enumerate(differences)}
    return list(stats.paired(named, resamples=resamples, seed=seed).values())
