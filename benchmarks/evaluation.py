"""What the records of a timing session say: a ratio, an interval and a verdict for every arm.

Pure functions of the samples; `latency`, `networks` and `clock` share them, with what they take
from `stats`. Arms 0 and 1 of a session are two copies of the baseline.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.stats import Interval, build_interval, fastest, latency_verdict, ratio_interval
from benchmarks.timing import Record, Timing

CODE = (
    "benchmarks/evaluation.py",
    "benchmarks/stats.py::_same_rounds",
    "benchmarks/stats.py::build_interval",
    "benchmarks/stats.py::faster_half",
    "benchmarks/stats.py::fastest",
    "benchmarks/stats.py::floor_of",
    "benchmarks/stats.py::geometric_mean",
    "benchmarks/stats.py::latency_verdict",
    "benchmarks/stats.py::ratio_interval",
)
"""Everything that decides what is said of given samples, but for ``stats.VERDICT_RULE``."""

FEWEST_BUILDS = 4
"""Student's interval over fewer builds is too wide to say anything; the rounds are drawn then."""

Arm = tuple[str, str]
BASELINE: Arm = ("none", "")


class TimingFailed(RuntimeError):
    """An arm could not be timed; the message says why."""


def clock_of(device: str, threads: int) -> str:
    """What ratios compare, see the column ``clock``.

    One thread's own processor time leaves out the moments in which something else had the
    processor. Several threads wait for each other, which only the wall clock sees.
    """
    if device.startswith("cuda"):
        return "events"
    return "thread" if threads == 1 else "wall"


def evaluate(
    arms: Sequence[Arm], records: Sequence[Record], clock: str = "wall", processes: int = 0
) -> dict[Arm, dict[str, Any] | Exception]:
    """Values for every arm from the records of its builds; arms 0 and 1 are the baseline.

    ``processes`` (0: one for each record) is only written down. An arm that failed after any build
    has the exception instead. TimingFailed if the baseline did.
    """
    columns = [[record.timings[i] for record in records] for i in range(len(arms))]
    for copy in columns[:2]:
        if error := _first_error(copy, records):
            raise TimingFailed(f"the bare backbone can't be timed: {error}")
    one, two = (_times(copy, clock) for copy in columns[:2])
    floor = _interval(two, one)
    values: dict[Arm, dict[str, Any] | Exception] = {}
    for i, arm in enumerate(arms):
        if i == 1:
            continue
        if error := _first_error(columns[i], records):
            values[arm] = TimingFailed(error)
            continue
        wall = [t.seconds for t in columns[i]]
        ratio = _interval(_times(columns[i], clock), one, two) if i else floor
        values[arm] = {
            "latency_ms": 1e3 * fastest(wall),
            "latency_p10_ms": 1e3 * fastest(wall, 0.1),
            "ratio": ratio.value,
            "ratio_low": ratio.low,
            "ratio_high": ratio.high,
            "floor_low": floor.low,
            "floor_high": floor.high,
            "verdict": latency_verdict(ratio, floor),
            "rounds": min(len(s) for s in wall),
            "builds": len(wall),
            "processes": processes or len(wall),
            "calls": min(t.calls for t in columns[i]),
            "clock": clock,
            "preempted": sum(t.preempted for t in columns[i]) if clock == "thread" else None,
        }
    return values


def _times(timings: Sequence[Timing], clock: str) -> list[list[float]]:
    return [t.busy if clock == "thread" else t.seconds for t in timings]


def _interval(arm: Sequence[Sequence[float]], *copies: Sequence[Sequence[float]]) -> Interval:
    if len(arm) < FEWEST_BUILDS:
        return ratio_interval(arm, copies[0])
    return build_interval(arm, *copies)


def gpu_columns(records: Sequence[Record]) -> dict[str, Any]:
    """Range of the GPU's clock and what was thrown away; nothing where no GPU was watched."""
    clocks = [clock for record in records for clock in record.clocks_mhz]
    if not clocks:
        return {}
    return {
        "sm_clock_low_mhz": min(clocks),
        "sm_clock_high_mhz": max(clocks),
        "discarded": sum(sum(record.discarded.values()) for record in records),
        "discarded_why": _discarded(records),
    }


def _discarded(records: Sequence[Record]) -> str:
    reasons: Counter[str] = Counter()
    for record in records:
        reasons.update(record.discarded)
    return "; ".join(f"{why} {n}" for why, n in sorted(reasons.items()))


def _first_error(timings: Sequence[Timing], records: Sequence[Record]) -> str:
    """Why an arm has no time after one of the builds, "" if it has all."""
    if all(t.seconds and not t.error for t in timings):
        return ""
    return next((t.error for t in timings if t.error), "") or (
        "every round after a build was thrown away for the state of the GPU "
        f"({_discarded(records) or 'no reason was given'}); end other programs on it, let it cool, "
        "fix its clock (nvidia-smi --lock-gpu-clocks) and run this again"
    )
