"""Store tables as frames that people read: one row an arm, differences paired, nothing hidden.

The frames hold numbers; ``text_summary`` and the site turn them into words with ``display``.
Neither torch nor timm is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd

from benchmarks import display, provenance, stats
from benchmarks.cells import MODULES, SUITES, Selection, benchmarks
from benchmarks.store import Store

REFERENCE_BACKBONES = ("resnet18", "resnet50", "mobilenetv2_100")
"""Where costs and latencies of an arm are read when its own backbone has none, in this order."""

SETTING = ("backbone", "device", "precision", "layout", "image_size", "batch_size", "threads")
"""What latencies have in common that may stand in one table, beside the machine."""


@dataclass(frozen=True)
class Comparison:
    """Training runs that may be compared: one data set, backbone, recipe and device."""

    data: str
    backbone: str
    recipe: str
    device: str = "cpu"

    @property
    def preview(self) -> bool:
        """Too short and too few to be a result."""
        return self.recipe == "preview"


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


def one_machine(rows: pd.DataFrame, prefer: str | None = None) -> pd.DataFrame:
    """The rows of one machine: ``prefer`` if it has any, else the one with most, then newest."""
    if rows.empty:
        return rows
    names = rows["machine"]
    if prefer is None or prefer not in set(names):
        ranked = rows.groupby("machine")["measured_at"].agg(["size", "max"])
        prefer = str(ranked.sort_values(["size", "max"]).index[-1])
    return rows[names == prefer]


def here() -> str:
    """The record of this machine, as rows name it."""
    return provenance.digest(provenance.machine())


def recipes(suite: str) -> set[str]:
    """The training recipes of a suite."""
    want = Selection(suite=suite, device=SUITES[suite].device)
    return {cell.recipe for cell in benchmarks()["accuracy"].cells(want)}


def comparisons(store: Store, suite: str | None = None) -> list[Comparison]:
    """The comparisons that have rows, those of one suite or all."""
    rows = store.table("accuracy")
    if suite is not None:
        rows = rows[rows["recipe"].isin(recipes(suite))]
    found = rows[["data", "backbone", "recipe", "device"]].drop_duplicates()
    return [Comparison(*row) for row in found.itertuples(index=False, name=None)]


def ranked(found: Iterable[Comparison]) -> list[Comparison]:
    """Results before previews, processors before GPUs."""
    return sorted(found, key=lambda c: (c.preview, c.device != "cpu", c.data, c.backbone))


def accuracy_rows(store: Store, which: Comparison, machine: str | None = None) -> pd.DataFrame:
    """The rows of one comparison, one an arm and seed. A preview is of one machine only."""
    rows = with_arm(store.table("accuracy"))
    for name in ("data", "backbone", "recipe", "device"):
        rows = rows[rows[name] == getattr(which, name)]
    if which.preview:
        return one_machine(rows, machine)
    rank = (rows["machine"] == (machine or "")).astype(int) + 2 * (rows["status"] == "ok").astype(
        int
    )
    best = rows.assign(rank=rank).sort_values("rank", kind="stable")
    return best.drop_duplicates("key", keep="last").drop(columns="rank").sort_index()


def paired_differences(rows: pd.DataFrame, value: str = "top1") -> dict[str, list[float]]:
    """Arm minus bare backbone for every seed that both finished, arm by arm."""
    wide = ok(rows).pivot_table(index="seed", columns="arm", values=value, aggfunc="last")
    if "none" not in wide:
        return {}
    differences = {name: (wide[name] - wide["none"]).dropna() for name in wide if name != "none"}
    return {str(n): [float(d) for d in column] for n, column in differences.items() if len(column)}


@lru_cache(maxsize=64)
def _verdicts(differences: tuple[tuple[str, tuple[float, ...]], ...]) -> dict[str, stats.Paired]:
    return stats.paired(dict(differences))


def accuracy_table(store: Store, which: Comparison, machine: str | None = None) -> pd.DataFrame:
    """One row an arm: seeds, failures, mean and deviation of top1, paired difference, verdict."""
    rows = accuracy_rows(store, which, machine)
    differences = paired_differences(rows)
    verdicts = _verdicts(tuple((n, tuple(differences[n])) for n in in_order(differences)))
    table = []
    for name in in_order([*MODULES, *rows["arm"]]):
        mine = rows[rows["arm"] == name]
        done = ok(mine)
        entry: dict[str, Any] = {
            "arm": name,
            "seeds": len(done),
            "failed": len(failed(mine)),
            "top1": done["top1"].mean() if len(done) else None,
            "top1_sd": done["top1"].std() if len(done) > 1 else None,
            "params": done["params"].iloc[0] if len(done) else None,
        }
        if name in verdicts:
            paired = verdicts[name]
            entry |= {"pairs": paired.n, "difference": paired.mean, "p_holm": paired.p_holm}
            entry |= {"low": paired.low, "high": paired.high, "verdict": paired.verdict}
        table.append(entry)
    columns = ("arm", "seeds", "failed", "top1", "top1_sd", "pairs", "difference", "low", "high")
    return _frame(table, (*columns, "p_holm", "verdict", "params"))


def cost_table(store: Store, backbone: str) -> pd.DataFrame:
    """One row an arm of a backbone: parameters, multiply-adds, element-wise work, fvcore."""
    rows = with_arm(store.table("cost"))
    rows = rows[rows["backbone"] == backbone]
    return _by_arm(rows, [c.name for c in benchmarks()["cost"].columns])


def latency_settings(
    store: Store, machine: str | None = None, device: str | None = None
) -> list[dict[str, Any]]:
    """The settings that have rows on one machine; equal settings may share a table."""
    rows = store.table("latency")
    rows = one_machine(rows if device is None else rows[rows["device"] == device], machine)
    found = rows[[*SETTING, "machine"]].drop_duplicates()
    return [dict(zip(found.columns, values, strict=True)) for values in found.itertuples(False)]


def setting_words(setting: dict[str, Any]) -> str:
    """A latency setting without its backbone: ``cpu, 1 thread, fp32, nchw, batch 1, 224 px``."""
    threads = setting["threads"]
    words = [setting["device"]]
    if setting["device"] == "cpu" and pd.notna(threads):
        words.append(f"{threads} thread{'' if threads == 1 else 's'}")
    words += [setting["precision"], setting["layout"], f"batch {setting['batch_size']}"]
    return ", ".join([*words, f"{setting['image_size']} px"])


def latency_table(store: Store, setting: dict[str, Any]) -> pd.DataFrame:
    """One row an arm of one setting on one machine: ratio, interval, floor, verdict."""
    rows = with_arm(store.table("latency"))
    for name, value in setting.items():
        rows = rows[(rows[name] == value).fillna(False) if pd.notna(value) else rows[name].isna()]
    return _by_arm(rows, [c.name for c in benchmarks()["latency"].columns])


def leaderboard(store: Store, which: Comparison, machine: str | None = None) -> pd.DataFrame:
    """``accuracy_table`` with what the arm adds in parameters, multiply-adds and time.

    ``cost_backbone`` and ``latency_backbone`` name where the last two were measured: the
    comparison's own backbone if it has rows, else the first of ``REFERENCE_BACKBONES`` that has.
    """
    table = accuracy_table(store, which, machine)
    bare = table.loc[table["arm"] == "none", "params"]
    table["params_added"] = table["params"] - (bare.iloc[0] if len(bare) else pd.NA)
    table["cost_backbone"] = _reference(store.table("cost"), which.backbone)
    cost = cost_table(store, str(table["cost_backbone"].iloc[0]))
    cost = cost.rename(columns={"status": "cost_status"})
    table = table.merge(cost[["arm", "macs", "macs_added", "cost_status"]], "left", "arm")
    setting = latency_setting(store, which, machine)
    table["latency_setting"] = setting_words(setting) if setting else ""
    table["latency_backbone"] = setting["backbone"] if setting else which.backbone
    times = latency_table(store, setting or {"backbone": which.backbone, "device": which.device})
    times = times.rename(columns={"verdict": "latency_verdict", "status": "latency_status"})
    kept = ["arm", "ratio", "ratio_low", "ratio_high", "latency_verdict", "latency_status"]
    return table.merge(times[kept], "left", "arm")


def latency_setting(
    store: Store, which: Comparison, machine: str | None = None
) -> dict[str, Any] | None:
    """The setting of a comparison's times: fewest threads, or on a GPU as it was trained.

    None if there are no times.
    """
    found = latency_settings(store, machine, which.device)
    backbones = [setting["backbone"] for setting in found]
    wanted = (which.backbone, *REFERENCE_BACKBONES, *backbones)
    backbone = next((b for b in wanted if b in backbones), None)
    mine = [s for s in found if s["backbone"] == backbone]
    trained = ("bf16", "nhwc") if which.device != "cpu" else ("fp32", "nchw")
    mine.sort(key=lambda s: ((s["precision"], s["layout"]) != trained, s["threads"]))
    return mine[0] if mine else None


def coverage_rows(store: Store) -> pd.DataFrame:
    """The rows of coverage; family and kind of a failed row come from its architecture's others.

    An architecture without a single good row counts as convolutional, as in ``coverage``.
    """
    rows = with_arm(store.table("coverage"))
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
    counted = both.groupby([by, "arm"], sort=False)["good"].agg(["sum", "size"])
    return counted.rename(columns={"sum": "good", "size": "all"}).reset_index()


def failures(store: Store, names: Sequence[str] = ("cost", "latency", "accuracy")) -> pd.DataFrame:
    """Every row whose status is not ok, with what it was and why, newest last."""
    kept = ["benchmark", "backbone", "arm", "data", "recipe", "seed", "threads"]
    kept += ["status", "reason"]
    found = [with_arm(failed(store.table(name))) for name in names]
    frames = [f[[*kept, "measured_at"]].astype(object) for f in found if len(f)]
    if not frames:
        return pd.DataFrame(columns=kept)
    rows = pd.concat(frames, ignore_index=True)
    return rows.sort_values("measured_at", kind="stable", ignore_index=True)[kept]


def text_summary(store: Store, suite: str) -> str:
    """The summary that a run ends with; see ``summary``."""
    from benchmarks import summary
    from benchmarks.snapshot import Snapshot

    return summary.text_summary(Snapshot(store.root), suite)


def _by_arm(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    order = in_order([*MODULES, *rows["arm"]])
    latest = rows.sort_values("measured_at", kind="stable").drop_duplicates("arm", keep="last")
    kept = ["backbone", *columns, "status", "reason", "measured_at", "machine", "environment"]
    table = latest.set_index("arm").reindex(order)[kept]
    return table.rename_axis("arm").reset_index()


def _reference(rows: pd.DataFrame, backbone: str) -> str:
    measured = set(rows["backbone"])
    return next((b for b in (backbone, *REFERENCE_BACKBONES) if b in measured), backbone)


def _frame(entries: list[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(entries, columns=list(columns)).astype(
        {name: "float64" for name in columns if name not in ("arm", "verdict", "seeds", "failed")}
    )
