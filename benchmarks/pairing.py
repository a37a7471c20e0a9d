"""Which training runs may be paired: rows alike in everything but module and seed.

A comparison holds rows of one data set, backbone, recipe and way of computing, each arm by its
newest code. ``name`` is that of the table, which has the columns of ``accuracy``. `compare` says
what the pairs show.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from benchmarks import imagenet, mechanism, segmentation, tables
from benchmarks.accuracy import PLANS
from benchmarks.recipes import RECIPES
from benchmarks.store import Store, StoreError
from benchmarks.widths import WIDTHS


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
PLANNED = ("data", "backbone", "recipe", "precision", "layout")
"""The fields of a comparison that a suite's plan names."""

TRAINED = {
    (runs.data, backbone, runs.recipe, runs.precision, runs.layout): runs.seeds
    for plan in PLANS.values()
    for runs in plan
    for backbone in runs.backbones
}
"""The seeds of what `accuracy` plans, by `PLANNED`, in the order of the suites and their lines."""


def recipes(suite: str) -> set[str]:
    """The training recipes of a suite."""
    return {runs.recipe for runs in PLANS[suite]}


def comparisons(store: Store, suite: str | None = None, name: str = "accuracy") -> list[Comparison]:
    """The comparisons that have rows, those of one suite or all, as `ranked`.

    The bare backbone at another width is none of its own: `equal_cost` compares with it.
    """
    rows = store.table(name)
    rows = rows[~rows["backbone"].isin(list(WIDTHS)) | (rows["module"] != "none")]
    if suite is not None:
        rows = rows[rows["recipe"].isin(recipes(suite))]
    return ranked(among(rows))


def planned_seeds(which: Comparison) -> int | None:
    """How many seeds of each arm the suites plan; None of a comparison that no suite trains."""
    if which.backbone == mechanism.BACKBONE and which.recipe in (mechanism.RECIPE, mechanism.LONG):
        return mechanism.SEEDS
    if (which.data, which.recipe) == (imagenet.DATA, imagenet.RECIPE):
        return imagenet.SEEDS
    for start, seeds in segmentation.PLANS.values():
        if all(getattr(which, field) == getattr(start, field) for field in PLANNED):
            return seeds
    return TRAINED.get(tuple(getattr(which, field) for field in PLANNED))


def retired(which: Comparison) -> bool:
    """Whether the recipe is an earlier one, which no suite trains any more."""
    trained = {imagenet.RECIPE, *(recipe for _, _, recipe, *_ in TRAINED)}
    return which.recipe not in trained


def among(rows: pd.DataFrame) -> list[Comparison]:
    """The comparisons that rows are of."""
    found: list[list[Any]] = rows[FIELDS].drop_duplicates().astype(object).values.tolist()
    plain: list[list[Any]] = [[None if pd.isna(v) else v for v in values] for values in found]
    return [Comparison(*values) for values in plain]


def ranked(found: Iterable[Comparison]) -> list[Comparison]:
    """Results before previews, what a suite still trains before what one did, processors first.

    What the suites still train is in the order of their plans.
    """
    planned = [line[:3] for line in TRAINED]

    def place(c: Comparison) -> tuple[Any, ...]:
        line = (c.data, c.backbone, c.recipe)
        order = planned.index(line) if line in planned else len(planned)
        return c.preview, line not in planned, c.device != "cpu", order, c.data, c.backbone

    return sorted(found, key=place)


def named_rows(store: Store, name: str) -> pd.DataFrame:
    """The rows of `Store.by_code` with their arm."""
    return tables.with_arm(store.by_code(name))


def every_row(store: Store, which: Comparison, name: str = "accuracy") -> pd.DataFrame:
    """The rows of a comparison, those of older code and of every machine included."""
    return of(named_rows(store, name), which)


def of(rows: pd.DataFrame, which: Comparison) -> pd.DataFrame:
    """Those of some rows that are of a comparison."""
    for field in FIELDS:
        value = getattr(which, field)
        rows = rows[rows[field].isna() if value is None else (rows[field] == value).fillna(False)]
    return rows


def beside(
    store: Store, shared: str, name: str, arms: Collection[str], own: Collection[str]
) -> pd.DataFrame:
    """Rows of ``arms``: those that are a table's ``own`` from it alone, others from ``shared``.

    A reader may have trained one of its own arms for the shared table too.
    """
    parts = [named_rows(store, table) for table in (shared, name)]
    wanted = [set(arms) - set(own), set(arms) & set(own)]
    kept = [rows[rows["arm"].isin(arm)] for rows, arm in zip(parts, wanted, strict=True)]
    return pd.concat(kept, ignore_index=True)


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


def left_out(rows: pd.DataFrame, reference: str = "none") -> int:
    """How many of the rows of a comparison are of older code."""
    return len(rows) - len(current(rows, reference))


def accuracy_rows(
    store: Store, which: Comparison, machine: str | None = None, name: str = "accuracy"
) -> pd.DataFrame:
    """The rows of one comparison, one an arm and seed, by the newest code of each arm.

    A preview is of one machine only. Elsewhere a seed's rows come from the machine that has most
    of them, so that pairs are of one machine where they can be. Raises StoreError for two rows
    of one arm, seed and machine.
    """
    return chosen(store, every_row(store, which, name), which, machine)


def chosen(
    store: Store,
    rows: pd.DataFrame,
    which: Comparison,
    machine: str | None = None,
    reference: str = "none",
) -> pd.DataFrame:
    """Of the rows of a comparison those that `accuracy_rows` describes; see `current`."""
    rows = current(rows, reference)
    if which.preview:
        rows = tables.one_machine(rows, machine)
    return one_a_seed(store, rows, which.title, machine)


def one_a_seed(
    store: Store, rows: pd.DataFrame, title: str, machine: str | None = None
) -> pd.DataFrame:
    """The rows of one comparison with one row an arm and seed, as `accuracy_rows` says."""
    double = rows[rows.duplicated(["arm", "seed", "machine"])]
    if len(double):
        arm, seed, name = double[["arm", "seed", "benchmark"]].iloc[0]
        raise StoreError(
            f"{title}: {arm} has two rows of seed {seed} on one machine, with different keys; "
            f"remove one from {store.table_path(name)}"
        )
    done = tables.ok(rows)
    sizes = done.groupby(["seed", "machine"]).size().to_dict()
    size = [sizes.get(pair, 0) for pair in zip(rows["seed"], rows["machine"], strict=True)]
    order = rows.assign(_done=rows.index.isin(done.index), _size=size)
    order = order.assign(_here=rows["machine"] == (machine or ""))
    order = order.sort_values(["_done", "_size", "_here", "measured_at"], kind="stable")
    best = order.drop_duplicates(["arm", "seed"], keep="last").sort_index()
    return best.drop(columns=["_done", "_size", "_here"])


def runs_of(store: Store, name: str, title: str, **same: Any) -> pd.DataFrame:
    """Runs of the table ``name`` that have these values of its columns, one an arm and seed.

    They are those of the newest code, see `current`.
    """
    rows = named_rows(store, name)
    for column, wanted in same.items():
        rows = rows[rows[column] == wanted]
    return one_a_seed(store, current(rows), title)


def task_rows(store: Store, task: str, recipe: str = mechanism.RECIPE) -> pd.DataFrame:
    """The rows of one task of `mechanism`, one an arm and seed; if there are none, a preview's.

    There is a preview of `mechanism.RECIPE` alone.
    """
    rows = named_rows(store, "mechanism")
    rows = rows[rows["data"] == task]
    full = rows[rows["recipe"] == recipe]
    if full.empty and recipe == mechanism.RECIPE:
        full = tables.one_machine(rows[rows["recipe"] == mechanism.PREVIEW])
    return one_a_seed(store, current(full), task)


def crossed(rows: pd.DataFrame, reference: str = "none", by: str = "machine") -> int:
    """How many pairs have two runs of different machines, or of different ``environment``."""
    done = tables.ok(rows)
    places = done[done["arm"] == reference].set_index("seed")[by]
    theirs = done["seed"].map(places)
    return int((theirs.notna() & (theirs != done[by])).sum())
