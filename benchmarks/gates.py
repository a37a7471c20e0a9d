"""Tables about what attention costs by itself and in networks, as frames; see ``tables``.

Neither torch nor timm is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from benchmarks import display, stats, tables
from benchmarks.store import Store

COUNTS = {"macs_share": "multiply-adds", "bytes_share": "bytes moved"}
"""What is counted without a clock, as shares of the bare backbone's, in %."""

MOVED = ("elementwise_bytes", "matmul_bytes")


def of_one_machine(store: Store, name: str) -> pd.DataFrame:
    """The rows of a benchmark of modules by themselves, larger maps first, papers' order."""
    rows = tables.with_arm(tables.one_machine(store.table(name)))
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


def behind(store: Store, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of ``latency`` and of ``cost`` that a frame of `counts_and_time` was made from."""
    nets = set(frame["backbone"])
    settings = [s for s in tables.latency_settings(store, device="cpu") if s["backbone"] in nets]
    found = [tables.latency_table(store, s) for s in settings if s["threads"] == 1]
    timed = pd.concat(found).assign(device="cpu")
    costs = tables.with_arm(tables.ok(store.table("cost")))
    arms = {"none", *frame["arm"]}
    timed, costs = (rows[rows["arm"].isin(arms)] for rows in (timed, costs))
    return timed, costs[costs["backbone"].isin(nets)]


def left_out(store: Store, frame: pd.DataFrame) -> str:
    """Why backbones that were timed on one thread are not in a frame of `counts_and_time`."""
    counted = set(tables.ok(store.table("cost"))["backbone"])
    reasons: dict[str, list[str]] = {}
    for setting in tables.latency_settings(store, device="cpu"):
        name = setting["backbone"]
        if setting["threads"] == 1 and name not in set(frame["backbone"]):
            why = "noise floor too high" if name in counted else "bytes not counted"
            reasons.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(names)} ({why})" for why, names in reasons.items())


def counts_and_time(store: Store) -> pd.DataFrame:
    """One row a module and backbone on one thread: what it adds in counts, and the time's ratio.

    Shares are in % of the bare backbone's: multiply-adds, and bytes that all operators read and
    write.
    """
    costs = tables.with_arm(tables.ok(store.table("cost")))
    counted = {(row.backbone, row.arm): row for row in tables.records(costs)}
    found: list[dict[str, Any]] = []
    for setting in tables.latency_settings(store, device="cpu"):
        bare = counted.get((setting["backbone"], "none"))
        if setting["threads"] != 1 or bare is None:
            continue
        for row in tables.records(tables.ok(tables.latency_table(store, setting))):
            cost = counted.get((setting["backbone"], row.arm))
            if row.arm == "none" or cost is None or row.verdict == stats.NOISY:
                continue
            numbers = [[getattr(r, name) for name in ("macs", *MOVED)] for r in (cost, bare)]
            if not all(display.given(number) for number in (*numbers[0], *numbers[1])):
                continue
            (macs, *moved), (bare_macs, *bare_moved) = numbers
            found.append(
                {
                    "backbone": setting["backbone"],
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
    return frame.astype(dict.fromkeys(numbers, "float64"))


def rank_correlation(one: pd.Series, other: pd.Series) -> float | None:
    """Spearman's: the correlation of the ranks, ties in the middle; None below three pairs."""
    if len(one) < 3:
        return None
    value = float(one.rank().corr(other.rank()))
    return value if value == value else None


def within_backbones(frame: pd.DataFrame, column: str) -> list[float]:
    """Rank correlation of a count with the ratio of times, of each backbone that has one.

    Between backbones the size of the network decides, so pairs of different ones are not ranked.
    """
    groups = (mine for _, mine in frame.groupby("backbone", sort=True))
    found = (rank_correlation(mine[column], mine["ratio"]) for mine in groups)
    return [number for number in found if number is not None]


def over_backbones(numbers: Sequence[float]) -> stats.Interval | None:
    """Their mean with Student's interval; None for fewer than two."""
    return stats.student_interval(numbers) if len(numbers) > 1 else None


def better_count(frame: pd.DataFrame) -> stats.Interval | None:
    """How much better the bytes order the times than the multiply-adds do.

    The difference of the two rank correlations in each backbone, over the backbones.
    """
    groups = (mine for _, mine in frame.groupby("backbone", sort=True))
    pairs = [[rank_correlation(g[name], g["ratio"]) for name in COUNTS] for g in groups]
    return over_backbones([b - m for m, b in pairs if m is not None and b is not None])
