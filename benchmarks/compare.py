"""Training runs compared arm by arm: which rows may be paired, and what the pairs say.

A comparison holds rows of one data set, backbone, recipe and way of computing, each arm by its
newest code. Below the seeds that a verdict takes it is a preview, and says so. ``name`` is that of
the table, which has the columns of ``accuracy``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import display, power, stats, tables
from benchmarks.accuracy import PLANS
from benchmarks.cells import MODULES, SUITES, Selection, benchmarks
from benchmarks.recipes import RECIPES
from benchmarks.store import Store, StoreError
from benchmarks.widths import WIDTHS

FEWEST_FOR_INTERVAL = stats.seeds_needed(1)
"""Pairs below which no interval is shown: no outcome of so few can be told from chance."""


@dataclass(frozen=True)
class Comparison:
    """Training runs that may be compared: all that decides them but module and seed."""

    data: str
    backbone: str
    recipe: str
    device: str = "cpu"
    precision: str = "fp32"
    layout: str = "nchw"
    batch_size: int | None = 128

    @property
    def preview(self) -> bool:
        """Of a recipe too short to be a result; see `preview_words` for too few seeds."""
        return self.recipe.endswith("preview")

    @property
    def title(self) -> str:
        """What is compared, as people read it."""
        words = [self.recipe, self.device]
        words += [w for w in (self.precision, self.layout) if w not in ("fp32", "nchw")]
        recipe = RECIPES.get(self.recipe)
        if recipe is None or recipe.batch_size != self.batch_size:
            words.append(f"batch {self.batch_size}")
        return f"{self.backbone} on {self.data}, {', '.join(words)}"


FIELDS = [field.name for field in fields(Comparison)]


def recipes(suite: str) -> set[str]:
    """The training recipes of a suite."""
    want = Selection(suite=suite, device=SUITES[suite].device)
    return {cell.recipe for cell in benchmarks()["accuracy"].cells(want)}


def comparisons(store: Store, suite: str | None = None, name: str = "accuracy") -> list[Comparison]:
    """The comparisons that have rows, those of one suite or all.

    The bare backbone at another width is none of its own: `equal_cost` compares with it.
    """
    rows = store.table(name)
    rows = rows[~rows["backbone"].isin(list(WIDTHS)) | (rows["module"] != "none")]
    if suite is not None:
        rows = rows[rows["recipe"].isin(recipes(suite))]
    return among(rows)


def among(rows: pd.DataFrame) -> list[Comparison]:
    """The comparisons that rows are of."""
    found: list[list[Any]] = rows[FIELDS].drop_duplicates().astype(object).values.tolist()
    plain: list[list[Any]] = [[None if pd.isna(v) else v for v in values] for values in found]
    return [Comparison(*values) for values in plain]


def ranked(found: Iterable[Comparison]) -> list[Comparison]:
    """Results before previews, what a suite still trains before what one did, processors first.

    What the suites still train is in the order of their plans.
    """
    planned = [
        (runs.data, backbone, runs.recipe)
        for plan in PLANS.values()
        for runs in plan
        for backbone in runs.backbones
    ]

    def place(c: Comparison) -> tuple[Any, ...]:
        line = (c.data, c.backbone, c.recipe)
        order = planned.index(line) if line in planned else len(planned)
        return c.preview, line not in planned, c.device != "cpu", order, c.data, c.backbone

    return sorted(found, key=place)


def main_first(store: Store, suite: str | None = None, name: str = "accuracy") -> list[Comparison]:
    """As `ranked`, but what has the seeds for a verdict on all modules comes before what has not.

    Of others the one with most pairs comes first, so that a comparison which has only been begun
    does not take the place of one that says more.
    """
    family = len(MODULES) - 1

    def place(c: Comparison) -> tuple[bool, int, int]:
        table = judged(accuracy_rows(store, c, name=name))
        pairs = table.loc[table["arm"].isin(MODULES), "pairs"].dropna()
        done = int((pairs >= stats.seeds_needed(family)).sum())
        return c.preview, -done, 0 if done == family else -int(pairs.sum())

    return sorted(ranked(comparisons(store, suite, name)), key=place)


def every_row(store: Store, which: Comparison, name: str = "accuracy") -> pd.DataFrame:
    """The rows of a comparison, those of older code and of every machine included."""
    rows = tables.with_arm(store.table(name))
    for field in FIELDS:
        value = getattr(which, field)
        rows = rows[rows[field].isna() if value is None else (rows[field] == value).fillna(False)]
    return rows


def current(rows: pd.DataFrame, reference: str = "none") -> pd.DataFrame:
    """The rows of each arm's newest code.

    Where the code of the bare backbone has changed, an arm whose rows are all older than that
    has none. So it is with another ``reference``, for all arms but the bare backbone.
    """
    in_time = rows.sort_values("measured_at", kind="stable").groupby("arm")
    newest = rows["arm"].map(in_time["measured_at"].last())
    kept = rows["fingerprint"] == rows["arm"].map(in_time["fingerprint"].last())
    for name in ("none", reference):
        mine = rows["arm"] == name
        if (mine & ~kept).any():
            changed = rows.loc[mine & kept, "measured_at"].min()
            kept &= (newest >= changed) | (rows["arm"] == "none")
    return rows[kept.astype(bool)]


def left_out(store: Store, which: Comparison, name: str = "accuracy") -> int:
    """How many rows of a comparison are of older code."""
    rows = every_row(store, which, name)
    return len(rows) - len(current(rows))


def accuracy_rows(
    store: Store, which: Comparison, machine: str | None = None, name: str = "accuracy"
) -> pd.DataFrame:
    """The rows of one comparison, one an arm and seed, by the newest code of each arm.

    A preview is of one machine only. Elsewhere a seed's rows come from the machine that has most
    of them, so that pairs are of one machine where they can be. Raises StoreError for two rows
    of one arm, seed and machine.
    """
    return chosen(store, every_row(store, which, name), which, machine, name)


def chosen(
    store: Store,
    rows: pd.DataFrame,
    which: Comparison,
    machine: str | None = None,
    name: str = "accuracy",
    reference: str = "none",
) -> pd.DataFrame:
    """Of the rows of a comparison those that `accuracy_rows` describes; see `current`."""
    rows = current(rows, reference)
    if which.preview:
        rows = tables.one_machine(rows, machine)
    return one_a_seed(rows, which.title, store.table_path(name), machine)


def one_a_seed(
    rows: pd.DataFrame, title: str, path: Path, machine: str | None = None
) -> pd.DataFrame:
    """The rows of one comparison with one row an arm and seed, as `accuracy_rows` says."""
    double = rows[rows.duplicated(["arm", "seed", "machine"])]
    if len(double):
        arm, seed = double["arm"].iloc[0], double["seed"].iloc[0]
        raise StoreError(
            f"{title}: {arm} has two rows of seed {seed} on one machine, with different keys; "
            f"remove one from {path}"
        )
    done = tables.ok(rows)
    sizes = done.groupby(["seed", "machine"]).size().to_dict()
    size = [sizes.get(pair, 0) for pair in zip(rows["seed"], rows["machine"], strict=True)]
    order = rows.assign(_done=rows.index.isin(done.index), _size=size)
    order = order.assign(_here=rows["machine"] == (machine or ""))
    order = order.sort_values(["_done", "_size", "_here", "measured_at"], kind="stable")
    best = order.drop_duplicates(["arm", "seed"], keep="last").sort_index()
    return best.drop(columns=["_done", "_size", "_here"])


def paired_differences(
    rows: pd.DataFrame, value: str = "top1", reference: str = "none"
) -> dict[str, list[float]]:
    """Arm minus reference for every seed that both finished, arm by arm."""
    wide = tables.ok(rows).pivot(index="seed", columns="arm", values=value)
    if reference not in wide:
        return {}
    others = [name for name in wide if name != reference]
    differences = {name: (wide[name] - wide[reference]).dropna() for name in others}
    return {str(n): [float(d) for d in column] for n, column in differences.items() if len(column)}


def crossed(rows: pd.DataFrame, reference: str = "none") -> int:
    """How many pairs have their two runs on different machines."""
    done = tables.ok(rows)
    machines = done[done["arm"] == reference].set_index("seed")["machine"]
    theirs = done["seed"].map(machines)
    return int((theirs.notna() & (theirs != done["machine"])).sum())


@lru_cache(maxsize=64)
def _paired(differences: tuple[tuple[str, tuple[float, ...]], ...]) -> dict[str, stats.Paired]:
    return stats.paired(dict(differences))


def verdicts_of(differences: Mapping[str, Sequence[float]]) -> dict[str, stats.Paired]:
    """`stats.paired` of the arms in the order of the tables; equal differences are judged once."""
    return _paired(tuple((n, tuple(differences[n])) for n in tables.in_order(differences)))


def accuracy_table(store: Store, which: Comparison, machine: str | None = None) -> pd.DataFrame:
    """One row an arm: seeds, failures, mean and deviation of top1, paired difference, verdict.

    ``low`` and ``high`` are the ends of Student's interval, given from `FEWEST_FOR_INTERVAL` pairs
    on, as ``bca_low`` and ``bca_high`` are; ``ahead`` and ``could_show`` are those of ``power``.
    ``gap`` is the word in place of a difference that is not there, ``no_value`` that in place of a
    missing mean.
    """
    return judged(accuracy_rows(store, which, machine))


def judged(
    rows: pd.DataFrame,
    value: str = "top1",
    expected: Sequence[str] = MODULES,
    reference: str = "none",
) -> pd.DataFrame:
    """`accuracy_table` of the rows of one comparison and any of their columns.

    Mean and deviation stay ``top1`` and ``top1_sd`` whatever the column is. An arm of ``expected``
    that has no rows has a line all the same. ``reference`` is the arm that the others are less.
    """
    differences = paired_differences(rows, value, reference)
    verdicts = verdicts_of(differences)
    table = []
    for name in tables.in_order([*expected, *rows["arm"]]):
        mine = rows[rows["arm"] == name]
        done, failed = tables.ok(mine), tables.failed(mine)
        words = ", ".join(sorted(set(failed["status"]))) or display.MISSING
        entry: dict[str, Any] = {
            "arm": name,
            "seeds": len(done),
            "failed": len(failed),
            "no_value": words,
            "gap": "no seed in common" if len(done) else words,
            "top1": done[value].mean() if len(done) else None,
            "top1_sd": done[value].std() if len(done) > 1 else None,
            "params": done["params"].iloc[0] if len(done) else None,
        }
        if name in verdicts:
            paired = verdicts[name]
            entry |= {"pairs": paired.n, "difference": paired.mean, "p_holm": paired.p_holm}
            entry |= {"verdict": paired.verdict, "ahead": power.ahead(differences[name])}
            entry |= {"could_show": power.could_show(differences[name], len(verdicts))}
            if paired.n >= FEWEST_FOR_INTERVAL:
                entry |= {"low": paired.low, "high": paired.high}
                entry |= {"bca_low": paired.bca_low, "bca_high": paired.bca_high}
        table.append(entry)
    plain = ("arm", "seeds", "failed", "verdict", "gap", "no_value")
    numbers = ("top1", "top1_sd", "pairs", "difference", "low", "high", "bca_low", "bca_high")
    numbers += ("p_holm", "ahead", "could_show", "params")
    frame = pd.DataFrame(table, columns=[*plain, *numbers])
    return frame.astype(dict.fromkeys(numbers, "float64"))


def preview_words(table: pd.DataFrame, which: Comparison) -> str:
    """What a comparison that is no result has to begin with; "" for a result.

    ``table`` is its `accuracy_table`. A result has an arm with the paired seeds that one of so
    many arms needs for a verdict.
    """
    pairs = table["pairs"].dropna()
    fewest, most = (int(pairs.min()), int(pairs.max())) if len(pairs) else (0, 0)
    needed = stats.seeds_needed(max(len(pairs), 1))
    if most < needed:
        seeds = str(most) if fewest == most else f"{fewest} to {most}"
        return f"Preview, not a result: {seeds} of {needed} paired seeds"
    return "Preview, not a result: so few epochs" if which.preview else ""


def leaderboard(store: Store, which: Comparison, machine: str | None = None) -> pd.DataFrame:
    """``accuracy_table`` with what the arm adds in parameters, multiply-adds and time.

    ``cost_backbone`` and ``latency_backbone`` name where the last two were measured: the
    comparison's own backbone if it has rows, else the first of `tables.references` that has.
    """
    table = accuracy_table(store, which, machine)
    bare = table.loc[table["arm"] == "none", "params"]
    table["params_added"] = table["params"] - (bare.iloc[0] if len(bare) else pd.NA)
    backbone = tables.reference(tables.cost_rows(store), which.backbone)
    cost = tables.cost_table(store, backbone).rename(columns={"status": "cost_status"})
    table["cost_backbone"], table["cost_size"] = backbone, tables.pixels(cost)
    table = table.merge(cost[["arm", "macs", "macs_added", "cost_status"]], "left", "arm")
    setting = latency_setting(store, which, machine)
    table["latency_setting"] = tables.setting_words(setting) if setting else ""
    table["latency_backbone"] = setting["backbone"] if setting else which.backbone
    wanted = setting or {"backbone": which.backbone, "device": which.device}
    times = tables.latency_table(store, wanted)
    times = times.rename(columns={"verdict": "latency_verdict", "status": "latency_status"})
    kept = ["arm", "ratio", "ratio_low", "ratio_high", "latency_verdict", "latency_status"]
    return table.merge(times[kept], "left", "arm")


def latency_setting(
    store: Store, which: Comparison, machine: str | None = None
) -> dict[str, Any] | None:
    """The setting of a comparison's times: fewest threads, or on a GPU as it was trained.

    None if there are no times.
    """
    found = tables.latency_settings(store, machine, which.device)
    backbones = [setting["backbone"] for setting in found]
    wanted = (which.backbone, *tables.references(which.backbone), *backbones)
    backbone = next((b for b in wanted if b in backbones), None)
    mine = [s for s in found if s["backbone"] == backbone]
    trained = (which.precision, which.layout)
    mine.sort(key=lambda s: ((s["precision"], s["layout"]) != trained, s["threads"]))
    return mine[0] if mine else None
