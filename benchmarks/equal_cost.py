"""Each module against the bare backbone of equal cost: what else its budget could buy.

The bare backbone at several widths gives accuracy over cost. Between two widths the curve is a
straight line in the logarithm of the cost, so that it stays between what was measured; beyond the
widths there is no curve. Each seed gives the module's accuracy less its curve's; equal seeds of two
widths share the number only, not images or weights. A true curve that flattens lies above its
straight pieces, which favours the module, by less the closer the widths are.

The arms at one kind of cost are a family for Holm's correction. A latency is the bare backbone's
time in the session of all arms and widths times an arm's ratio, and taken as exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import compare, display, pairing, stats, tables
from benchmarks.cells import MODULES
from benchmarks.pairing import Comparison
from benchmarks.store import Store
from benchmarks.widths import BACKBONE, WIDTHS

COSTS = ("params", "macs", "latency_ms")
"""The kinds of cost: parameters, multiply-adds of an image, time of a forward pass."""

OUTSIDE = "outside the measured widths"

CURVE = ("none", *WIDTHS)
"""The bare backbone as the arms of `rows`, its own width first."""


def comparisons(store: Store) -> list[Comparison]:
    """The comparisons that have rows of other widths, in the order of the pages.

    If there are none, those of the backbone that is planned at other widths.
    """
    found = [which for which in pairing.comparisons(store) if which.backbone == BACKBONE]
    wider = {replace(which, backbone=name): which for which in found for name in WIDTHS}
    rows = store.table("accuracy")
    begun = pairing.among(rows[rows["backbone"].isin(list(WIDTHS))])
    with_widths = {wider[which] for which in begun if which in wider}
    return [which for which in found if which in with_widths] or found


def rows(store: Store, which: Comparison) -> pd.DataFrame:
    """The rows of a comparison, and those of its other widths as arms with the width's name."""
    found = [pairing.every_row(store, which)]
    for name in WIDTHS if which.backbone == BACKBONE else ():
        bare = pairing.every_row(store, replace(which, backbone=name))
        found.append(bare[bare["arm"] == "none"].assign(arm=name))
    return pairing.chosen(store, pd.concat(found, ignore_index=True), which)


def costs(store: Store, which: Comparison, trained: pd.DataFrame) -> pd.DataFrame:
    """What each arm of ``trained`` costs: ``COSTS`` by arm, NaN where it was not measured."""
    setting = compare.latency_setting(store, which) or {"device": which.device}
    own = _of_backbone(store, which.backbone, setting)
    bare = [_of_backbone(store, name, setting).loc[["none"]] for name in WIDTHS]
    for row in bare:  # a session has one floor; the ratio of another session is to something else
        row["ratio"] = row["ratio"].where(row["floor"] == own["floor"].get("none"))
    wider = [row.set_axis([name]) for name, row in zip(WIDTHS, bare, strict=True)]
    own.loc["none", "ratio"] = 1.0
    params = tables.ok(trained).groupby("arm")["params"].first().astype("float64")
    found = pd.concat([own, *wider]).reindex(params.index)
    time = found["ratio"] * own["ms"].get("none", np.nan)
    return found.assign(params=params, latency_ms=time)[list(COSTS)]


def _of_backbone(store: Store, backbone: str, setting: dict[str, Any]) -> pd.DataFrame:
    """Multiply-adds, time and its ratio by arm, no time where the noise floor is too high.

    The ratio of a bare backbone at another width is to the backbone of the comparison.
    """
    counted = tables.cost_table(store, backbone).set_index("arm")["macs"]
    times = tables.latency_table(store, {**setting, "backbone": backbone}).set_index("arm")
    times = times[(times["status"] == "ok") & (times["verdict"] != stats.NOISY)]
    columns = {"macs": counted, "ms": times["latency_ms"]}
    columns |= {"ratio": times["ratio"], "floor": times["floor_low"]}
    return pd.DataFrame(columns, index=counted.index).astype("float64")


def weights(measured: Sequence[float], cost: float) -> np.ndarray | None:
    """The share of each measured width in the curve at a cost; None beyond the widths.

    Shares sum to 1 and at most two, those of the neighbours, are not 0. The curve's accuracy is
    their sum of the widths' accuracies. ValueError for fewer than two costs or one not above 0.
    """
    found = np.asarray(measured, dtype=float)
    if found.size < 2 or not np.all(found > 0):
        raise ValueError(f"a curve needs two costs or more, all above 0, got {list(measured)}")
    if not found.min() <= cost <= found.max():
        return None
    order = np.argsort(found)
    logs = np.log(found[order])
    one_each = np.eye(found.size)[:, order]
    return np.array([np.interp(np.log(cost), logs, values) for values in one_each])


def table(store: Store, which: Comparison) -> pd.DataFrame:
    """One row a kind of cost and module: ``times`` the bare backbone's cost, the paired difference.

    ``curve`` is the mean of the curve at the module's cost, over the paired seeds; ``gap`` the
    word in place of a difference. Intervals and verdicts are those of `compare.accuracy_table`,
    adjusted for the arms of a kind of cost that are in its widths.
    """
    trained = rows(store, which)
    spent = costs(store, which, trained)
    wide = tables.ok(trained).pivot(index="seed", columns="arm", values="top1").astype("float64")
    arms = tables.in_order(name for name in [*MODULES, *wide] if name not in CURVE)
    runs = _runs(trained)
    planned = set(compare.others(trained[~trained["arm"].isin(CURVE[1:])]))
    frames = []
    for kind in COSTS:
        lines, found = _of_kind(kind, spent[kind], wide, arms, runs)
        inside = [line for line in lines if line["gap"] != OUTSIDE and line["arm"] in planned]
        frames.append(compare.family(lines, found, planned=len(inside)))
    return pd.concat(frames, ignore_index=True)


def _runs(trained: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Runs with and without a value by arm, or of the width with fewest runs if it has fewer."""
    found = {
        str(arm): {"seeds": len(tables.ok(mine)), "failed": len(tables.failed(mine))}
        for arm, mine in trained.groupby("arm")
    }
    begun = [found[name] for name in CURVE if name in found]
    least = min(begun, key=lambda n: sum(n.values()), default={"seeds": 0, "failed": 0})
    return {arm: min(n, least, key=lambda n: sum(n.values())) for arm, n in found.items()}


def _of_kind(
    kind: str,
    spent: pd.Series,
    wide: pd.DataFrame,
    arms: Sequence[str],
    runs: dict[str, dict[str, int]],
) -> tuple[list[dict[str, Any]], dict[str, list[float]]]:
    """Lines and differences of one kind of cost; ``wide`` holds accuracies by seed and arm."""
    spent = spent.dropna()
    bare = [name for name in CURVE if name in spent and name in wide]
    lines, pairs = [], {}
    for arm in arms:
        line: dict[str, Any] = {"cost": kind, "arm": arm, "gap": display.MISSING}
        line |= {"times": np.nan, "curve": np.nan, **runs.get(arm, {"seeds": 0, "failed": 0})}
        lines.append(line)
        if arm not in spent or arm not in wide or len(bare) < 2 or "none" not in bare:
            continue
        line["times"] = spent[arm] / spent["none"]
        share = weights(spent[bare].tolist(), spent[arm])
        if share is None:
            line["gap"] = OUTSIDE
            continue
        needed = [name for name, part in zip(bare, share, strict=True) if part > 0]
        both = wide[[arm, *needed]].dropna()
        curve = (both[needed] * share[share > 0]).sum(axis=1)
        if both.empty:
            line["gap"] = "no seed in common"
            continue
        line["curve"] = curve.mean()
        pairs[arm] = (both[arm] - curve).tolist()
    return lines, pairs
