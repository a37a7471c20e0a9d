"""Store tables as frames that people read: one row an arm, one machine a table, nothing hidden.

The frames hold numbers; ``summary`` and the site turn them into words with ``display``.
Trained arms are compared in ``compare``.
Neither torch nor timm is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from benchmarks import display, provenance, stats
from benchmarks.cells import MODULES, Benchmark, Cell, benchmarks
from benchmarks.store import Store

REFERENCE_BACKBONES = ("resnet18", "resnet50", "mobilenetv2_100")
"""Where costs and latencies of an arm are read when its own backbone has none; see `references`."""

SETTING = ("backbone", "device", "precision", "layout", "image_size", "batch_size", "threads")
"""What latencies have in common that may stand in one table, beside the machine."""


def arm(module: str, variant: str) -> str:
    """The module with its options, as people read it."""
    return f"{module} {variant}".strip()


def with_arm(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with a column ``arm`` in front."""
    names = [arm(m, v) for m, v in zip(rows["module"], rows["variant"], strict=True)]
    return rows.drop(columns="arm", errors="ignore").assign(arm=names)


def records(rows: pd.DataFrame) -> list[Any]:
    """The rows as objects with the columns as attributes."""
    return list(rows.itertuples())


def by_arm(rows: pd.DataFrame) -> dict[str, Any]:
    """The records of rows that have each arm once, by arm."""
    return {row.arm: row for row in records(rows)}


def ok(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that were measured."""
    return rows[rows["status"] == "ok"]


def failed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that were tried and have no valid value."""
    return rows[rows["status"] != "ok"]


def in_order(arms: Iterable[str]) -> list[str]:
    """Each arm once: the bare backbone, the modules of the papers, then everything else."""
    found = set(arms)
    return [name for name in MODULES if name in found] + sorted(found - set(MODULES))


def sort_by(rows: pd.DataFrame, lists: Mapping[str, Iterable[Any]]) -> pd.DataFrame:
    """The rows by the place of each column's value in its list; values in none come last.

    Rows of equal places stay as they are.
    """

    def places(column: pd.Series) -> pd.Series:
        return column.map({v: i for i, v in enumerate(dict.fromkeys(lists[str(column.name)]))})

    return rows.sort_values(list(lists), key=places, kind="stable")


def one_machine(rows: pd.DataFrame, prefer: str | None = None) -> pd.DataFrame:
    """The rows of one machine: ``prefer`` if it has any, else the one with most, then newest."""
    if rows.empty:
        return rows
    names = rows["machine"]
    if prefer is None or prefer not in set(names):
        prefer = machines(rows)[0]
    return rows[names == prefer]


def counted(store: Store, name: str) -> pd.DataFrame:
    """The rows of a benchmark that counts, which any machine does alike: one a cell.

    Of a cell that several machines have counted it is the newest with a value.
    """
    rows = store.table(name)
    order = rows.assign(_ok=rows["status"] == "ok").sort_values(["_ok", "measured_at"])
    return rows.loc[order.drop_duplicates("key", keep="last").sort_index().index]


def machines(rows: pd.DataFrame) -> list[str]:
    """The machines that rows are of: those with most rows first, then the newest."""
    ranked = rows.groupby("machine")["measured_at"].agg(["size", "max"])
    return list(map(str, ranked.sort_values(["size", "max"], ascending=False).index))


def timing_first(store: Store, rows: pd.DataFrame) -> list[str]:
    """The machines that rows are of, `timing_machine` before the others."""
    first = timing_machine(store)
    return sorted(machines(rows), key=lambda machine: machine != first)


def timing_machine(store: Store) -> str | None:
    """The machine whose processor timed the most modules, for all tables of times; or None.

    Else two tables of a page could be of two processors, by which of them was measured last.
    """
    rows = ok(store.table("latency"))
    rows = rows[(rows["device"] == "cpu") & (rows["module"] != "none")]
    return next(iter(machines(rows)), None)


def timed(store: Store, name: str) -> pd.DataFrame:
    """The rows of a benchmark of times on a processor, of `timing_machine` if it has any."""
    rows = store.table(name)
    return one_machine(rows[rows["device"] == "cpu"], timing_machine(store))


def here() -> str:
    """The record of this machine, as rows name it."""
    return provenance.digest(provenance.machine())


class Rows:
    """The rows of a benchmark's table by cell."""

    def __init__(self, benchmark: Benchmark, store: Store) -> None:
        self.benchmark = benchmark
        self.table = store.table(benchmark.name)
        self.codes = store.codes(benchmark.name)
        self.here = here()
        self.by_place = {(r.key, r.machine): r for r in records(self.table)}
        best = sorted(self.by_place.values(), key=lambda r: (r.status == "ok", str(r.measured_at)))
        self.by_key = {row.key: row for row in best}

    def find(self, cell: Cell) -> Any:
        """The row of this machine, or of any where only values of this one do not count; None.

        Of other machines the newest row with a value comes first. What a GPU measures of itself,
        such as its memory, is of that GPU alone; what it trains is not.
        """
        row = self.by_place.get((cell.key, self.here))
        of_itself = cell.device.startswith("cuda") and not self.benchmark.trained
        if row is None and not of_itself and not self.benchmark.same_machine(cell):
            row = self.by_key.get(cell.key)
        return row


def cost_rows(store: Store) -> pd.DataFrame:
    """The rows of ``cost``, ``widths`` and ``nets``; of what two counted, not those of ``cost``."""
    *trained, rows = (with_arm(counted(store, name)) for name in ("widths", "nets", "cost"))
    small = pd.concat(trained, ignore_index=True)
    if small.empty:
        return rows
    there = pd.MultiIndex.from_frame(ok(small)[["backbone", "arm"]])
    again = pd.MultiIndex.from_frame(rows[["backbone", "arm"]]).isin(there)
    return pd.concat([rows[~again], small], ignore_index=True)


def cost_table(store: Store, backbone: str) -> pd.DataFrame:
    """One row an arm of a backbone: parameters, multiply-adds, element-wise work, fvcore."""
    rows = cost_rows(store)
    rows = rows[rows["backbone"] == backbone]
    return _every_arm(rows, ["image_size", *(c.name for c in benchmarks()["cost"].columns)])


def pixels(table: pd.DataFrame) -> str:
    """The image sizes of a cost table: ``224 px``; "" if nothing was counted."""
    sizes = sorted({int(size) for size in table["image_size"].dropna()})
    return f"{', '.join(map(str, sizes))} px" if sizes else ""


def references(backbone: str) -> list[str]:
    """``REFERENCE_BACKBONES``, those of the backbone's own family first."""
    return sorted(REFERENCE_BACKBONES, key=lambda other: family(other) != family(backbone))


def family(backbone: str) -> str:
    """The architecture of a timm name, without version, size and all else: ``mobilenetv``."""
    return backbone.partition("_")[0].rstrip("0123456789")


def reference(rows: pd.DataFrame, backbone: str) -> str:
    """The backbone if it has rows, else the first of `references` that has."""
    measured = set(rows["backbone"])
    return next((b for b in (backbone, *references(backbone)) if b in measured), backbone)


def latency_settings(
    store: Store,
    machine: str | None = None,
    device: str | None = None,
    threads: int | None = None,
) -> list[dict[str, Any]]:
    """The settings with a module that have rows on one machine; equal settings may share a table.

    The bare backbone alone is no comparison: `equal_cost` reads its other widths.
    """
    rows = store.table("latency")
    rows = rows[rows["module"] != "none"]
    if device is not None:
        rows = rows[rows["device"] == device]
    if machine is None and device == "cpu":
        machine = timing_machine(store)
    rows = one_machine(rows, machine)
    found = rows[[*SETTING, "machine"]].drop_duplicates()
    if threads is not None:
        found = found[found["threads"].eq(threads).fillna(False)]
    return [dict(zip(found.columns, values, strict=True)) for values in found.itertuples(False)]


def setting_words(setting: dict[str, Any]) -> str:
    """A latency setting without its backbone: ``cpu, 1 thread, fp32, nchw, batch 1, 224 px``."""
    threads = setting["threads"]
    words = [setting["device"]]
    if setting["device"] == "cpu" and pd.notna(threads):
        words.append(display.many(threads, "thread"))
    words += [setting["precision"], setting["layout"], f"batch {setting['batch_size']}"]
    return ", ".join([*words, f"{setting['image_size']} px"])


def latency_table(store: Store, setting: dict[str, Any]) -> pd.DataFrame:
    """One row an arm of one setting on one machine: ratio, interval, floor, verdict."""
    rows = with_arm(store.table("latency"))
    for name, value in setting.items():
        rows = rows[(rows[name] == value).fillna(False) if pd.notna(value) else rows[name].isna()]
    return _every_arm(rows, [c.name for c in benchmarks()["latency"].columns])


def noise_floor(table: pd.DataFrame) -> str:
    """The largest noise floor of a latency table's rows: ``1.2 %``, or ``not measured``.

    Rows of one table may come from several sessions, each with a floor of its own.
    """
    ends = table[["floor_low", "floor_high"]].dropna()
    if ends.empty:
        return display.MISSING
    pairs = ends.itertuples(index=False, name=None)
    largest = max(stats.floor_of(stats.Interval(1.0, low, high)) for low, high in pairs)
    return f"{100 * largest:.1f} %"


def coverage_rows(store: Store) -> pd.DataFrame:
    """The rows of coverage; family and kind of a failed row come from its architecture's others.

    An architecture without a single good row counts as convolutional, as in ``coverage``.
    """
    rows = with_arm(counted(store, "coverage"))
    for name, default in (("family", "unknown"), ("kind", "convolutional")):
        known = rows[rows[name].map(display.given).astype(bool)]
        by_backbone = dict(zip(known["backbone"], known[name], strict=True))
        rows[name] = [by_backbone.get(b, default) for b in rows["backbone"]]
    return rows


def coverage_table(store: Store, by: str) -> pd.DataFrame:
    """Architectures that take a module (``good``) of all (``all``), by ``by`` and arm.

    ``by`` is ``kind`` or ``family``; families are of convolutional architectures only. The arm
    ``all`` counts architectures that take every module.
    """
    rows = coverage_rows(store)
    if by == "family":
        rows = rows[rows["kind"] == "convolutional"]
    rows = rows.assign(good=rows["status"] == "ok")
    every = rows.groupby([by, "backbone"])["good"].all().reset_index().assign(arm="all")
    both = pd.concat([rows[[by, "arm", "good"]], every[[by, "arm", "good"]]], ignore_index=True)
    sums = both.groupby([by, "arm"], sort=False)["good"].agg(["sum", "size"])
    return sums.rename(columns={"sum": "good", "size": "all"}).reset_index()


def failures(store: Store) -> pd.DataFrame:
    """Every row whose status is not ok, with what it was and why, newest last.

    Those of coverage are left out: there a failure is the finding, and has a table of its own.
    """
    kept = ["benchmark", "backbone", "arm", "data", "recipe", "seed", "threads"]
    kept += ["status", "reason"]
    found = [with_arm(failed(store.table(name))) for name in benchmarks() if name != "coverage"]
    frames = [f[[*kept, "measured_at"]].astype(object) for f in found if len(f)]
    if not frames:
        return pd.DataFrame(columns=kept)
    rows = pd.concat(frames, ignore_index=True)
    return rows.sort_values("measured_at", kind="stable", ignore_index=True)[kept]


def _every_arm(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    order = in_order([*MODULES, *rows["arm"]])
    latest = rows.sort_values("measured_at", kind="stable").drop_duplicates("arm", keep="last")
    kept = ["benchmark", "backbone", "module", "device", *columns, "status", "reason"]
    kept += ["measured_at", "commit", "dirty", "machine", "environment"]
    table = latest.set_index("arm").reindex(order)[kept]
    return table.rename_axis("arm").reset_index()
