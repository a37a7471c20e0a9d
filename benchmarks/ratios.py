"""The columns of a ratio of times: its interval, the noise floor it is judged by, the samples.

`latency` and `networks` compare over builds, `speed` and `position` over processes.
"""

from __future__ import annotations

import pandas as pd

from benchmarks import stats
from benchmarks.cells import Column


def over_processes(name: str, what: str) -> tuple[Column, ...]:
    """A ratio and its interval; ``what`` says which time is over which."""
    return _with_ends(name, what, f"95 % interval of {name} over the processes (Student's)")


def over_builds(what: str) -> tuple[Column, ...]:
    """The ratio to the bare backbone, its interval, the noise floor, and the verdict."""
    return (
        *_with_ends("ratio", what, "95 % interval of ratio over the builds"),
        Column("floor_low", "number", "", "ratio_low of the second copy: the noise floor"),
        Column("floor_high", "number", "", "ratio_high of the second copy: the noise floor"),
        Column("verdict", "string", "", stats.verdict_text()),
    )


def _with_ends(name: str, what: str, interval: str) -> tuple[Column, ...]:
    return (
        Column(name, "number", "", what),
        Column(f"{name}_low", "number", "", f"lower end of the {interval}"),
        Column(f"{name}_high", "number", "", f"upper end of the {interval}"),
    )


BUILDS = (
    Column("rounds", "integer", "", "samples of every arm after a build"),
    Column("builds", "integer", "", "times that all arms were built, over all processes"),
    Column("processes", "integer", "", "fresh processes"),
)
"""How often was timed what is compared over builds."""

NOISE = (
    Column("noise_low", "number", "", "lower end for a second copy, whose truth is 1"),
    Column("noise_high", "number", "", "upper end for a second copy, whose truth is 1"),
)
"""The noise floor of what is compared over processes."""


def with_floor(rows: pd.DataFrame) -> pd.DataFrame:
    """``low`` and ``high`` by row: the ends of its ratio, apart by the noise floor of its session.

    As `stats.latency_verdict` has it: no floor is below the resolution, and too high a one ranks
    nothing, so its rows are not there.
    """
    made = rows[rows["verdict"] != stats.NOISY]
    made = made[["ratio_low", "ratio_high", "floor_low", "floor_high"]].astype("float64").dropna()
    floors = [stats.Interval(1.0, *ends) for ends in made[["floor_low", "floor_high"]].to_numpy()]
    wider = [1 + max(stats.floor_of(floor), stats.RESOLUTION) for floor in floors]
    return pd.DataFrame({"low": made["ratio_low"] / wider, "high": made["ratio_high"] * wider})
