"""Tables about what attention costs by itself and in networks, as frames; see ``tables``.

Neither torch nor timm is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from benchmarks import display, stats, tables
from benchmarks.store import Store

COUNTS = {"macs_share": "multiply-adds", "bytes_share": "bytes moved"}
"""What is counted without a clock, as shares of the bare backbone's, in %."""

MOVED = ("elementwise_bytes", "matmul_bytes")

COUNTED = ("cost", "widths", "nets")
"""The tables that `tables.cost_rows` takes the costs from."""


def of_one_machine(store: Store, name: str) -> pd.DataFrame:
    """The rows of a benchmark of modules by themselves, `ordered`, see `tables.timed`."""
    return ordered(tables.timed(store, name))


def ordered(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of modules by themselves: larger maps first, modules in the order of the papers."""
    rows = tables.with_arm(rows)
    order = {arm: i for i, arm in enumerate(tables.in_order(rows["arm"]))}
    keys = [[_pixels(data) for data in rows["data"]], [order[arm] for arm in rows["arm"]]]
    rows = rows.assign(_pixels=keys[0], _arm=keys[1])
    by, up = ["recipe", "_pixels", "_arm", "layout"], [True, False, True, True]
    rows = rows.sort_values(by, ascending=up, kind="stable", ignore_index=True)
    return rows.drop(columns=["_pixels", "_arm"])


def _pixels(data: str) -> int:
    _, _, height, width = (int(word) for word in data.split("x"))
    return height * width


def quiet(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows whose noise floor lets them rank anything."""
    return rows[rows["verdict"] != stats.NOISY]


def geometric_mean(values: pd.Series) -> float | None:
    """The geometric mean of what is there, None if nothing is."""
    found = [float(v) for v in values.dropna()]
    return stats.geometric_mean(found) if found else None


def counts_and_time(store: Store) -> pd.DataFrame:
    """One row a module and backbone on one thread: what it adds in counts, and the time's ratio.

    Shares are in % of the bare backbone's: multiply-adds, and bytes that all operators read and
    write.
    """
    return _pairs(store)[0]


def left_out(store: Store) -> str:
    """What was timed on one thread and is not in `counts_and_time`, and why; "" if all is."""
    frame, why = _pairs(store)
    kept = set(frame["backbone"])
    reasons: dict[str, dict[str, None]] = {}
    for (backbone, arm), reason in why.items():
        name = f"{arm} in {backbone}" if backbone in kept else backbone
        reasons.setdefault(reason, {})[name] = None
    return "; ".join(f"{', '.join(names)} ({reason})" for reason, names in reasons.items())


def behind(store: Store) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of ``latency`` and of ``cost`` that `counts_and_time` is made from."""
    frame = counts_and_time(store)
    used = {*zip(frame["backbone"], frame["arm"], strict=True)}
    used |= {(backbone, "none") for backbone in frame["backbone"]}
    settings = tables.latency_settings(store, device="cpu", threads=1)
    found = [tables.latency_table(store, s) for s in settings]
    timed = pd.concat(found)
    counted = _costs(store)
    here, there = (
        rows[[pair in used for pair in zip(rows["backbone"], rows["arm"], strict=True)]]
        for rows in (timed, counted)
    )
    return here, there


def _pairs(store: Store) -> tuple[pd.DataFrame, dict[tuple[str, str], str]]:
    """The frame of `counts_and_time`, and why another pair of backbone and arm is not in it."""
    costs = _costs(store)
    counted = {(row.backbone, row.arm): row for row in tables.records(costs)}
    found: list[dict[str, Any]] = []
    why: dict[tuple[str, str], str] = {}
    for setting in tables.latency_settings(store, device="cpu", threads=1):
        backbone = setting["backbone"]
        table = tables.latency_table(store, setting).dropna(subset="status")
        for row in tables.records(table[table["arm"] != "none"]):
            pair = (backbone, row.arm)
            numbers = [_counts(counted.get((backbone, arm))) for arm in (row.arm, "none")]
            if row.status != "ok":
                why[pair] = row.status
            elif row.verdict == stats.NOISY:
                why[pair] = stats.NOISY
            elif not (numbers[0] and numbers[1]):
                why[pair] = "not counted"
            else:
                (macs, *moved), (bare_macs, *bare_moved) = numbers
                found.append(
                    {
                        "backbone": backbone,
                        "arm": row.arm,
                        "macs_share": 100 * (macs / bare_macs - 1),
                        "bytes_share": 100 * (sum(moved) / sum(bare_moved) - 1),
                        "ratio": row.ratio,
                        "ratio_low": row.ratio_low,
                        "ratio_high": row.ratio_high,
                        "verdict": row.verdict,
                    }
                )
    numbers = ["macs_share", "bytes_share", "ratio", "ratio_low", "ratio_high"]
    frame = pd.DataFrame(found, columns=["backbone", "arm", *numbers, "verdict"])
    return frame.astype(dict.fromkeys(numbers, "float64")), why


def _costs(store: Store) -> pd.DataFrame:
    return tables.ok(tables.cost_rows(store))


def _counts(row: Any) -> list[float]:
    """Multiply-adds and the kinds of bytes moved of a row of costs; [] if one is not there."""
    numbers = [] if row is None else [getattr(row, name) for name in ("macs", *MOVED)]
    return numbers if all(map(display.given, numbers)) else []


def rank_correlation(one: pd.Series, other: pd.Series) -> float | None:
    """Spearman's: the correlation of the ranks, ties in the middle; None below three pairs."""
    if len(one) < 3:
        return None
    value = float(one.rank().corr(other.rank()))
    return value if value == value else None


def of_kinds(
    frame: pd.DataFrame, number: Callable[[pd.DataFrame], float | None]
) -> dict[str, float]:
    """The mean of a number over the backbones of each `tables.family` that have one.

    It is of the rows of one backbone at a time: between backbones the size of the network decides.
    Backbones of one kind are no independent samples, so they count as one.
    """
    found: dict[str, list[float]] = {}
    for backbone, mine in frame.groupby("backbone", sort=True):
        value = number(mine)
        if value is not None:
            found.setdefault(tables.family(str(backbone)), []).append(value)
    return {name: sum(values) / len(values) for name, values in found.items()}


def ranks(frame: pd.DataFrame, column: str) -> dict[str, float]:
    """Rank correlation of a count with the ratio of times, by kind of backbone."""
    return of_kinds(frame, lambda mine: rank_correlation(mine[column], mine["ratio"]))


def by_backbone(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a backbone of `counts_and_time`: how well each count orders the times, and their price.

    ``price`` is the median over the modules of the time that one adds, in % of the bare backbone's,
    for each % of bytes that it adds.
    """
    found = []
    for backbone in dict.fromkeys(frame["backbone"]):
        mine = frame[frame["backbone"] == backbone]
        ranks = {name: rank_correlation(mine[name], mine["ratio"]) for name in COUNTS}
        moving = mine[mine["bytes_share"] > 0]
        price = (100 * (moving["ratio"] - 1) / moving["bytes_share"]).median()
        found.append({"backbone": backbone, "modules": len(mine), **ranks, "price": price})
    return pd.DataFrame(found, columns=["backbone", "modules", *COUNTS, "price"])


def over_kinds(numbers: Mapping[str, float]) -> stats.Interval | None:
    """Their mean with Student's interval; None for fewer than two."""
    return stats.student_interval([*numbers.values()]) if len(numbers) > 1 else None


def better_count(frame: pd.DataFrame) -> stats.Interval | None:
    """How much better the bytes order the times than the multiply-adds do.

    The difference of the two rank correlations in each backbone, over the kinds of backbones.
    """

    def difference(mine: pd.DataFrame) -> float | None:
        macs, moved = (rank_correlation(mine[name], mine["ratio"]) for name in COUNTS)
        return None if macs is None or moved is None else moved - macs

    return over_kinds(of_kinds(frame, difference))
