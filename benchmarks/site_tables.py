"""The site's tables: what each page shows, from the frames of ``tables``, as HTML fragments."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

import pandas as pd

from benchmarks import display, stats, tables
from benchmarks.recipes import RECIPES
from benchmarks.site_html import Entry, Head, estimate, table, value
from benchmarks.store import Store
from benchmarks.summary import FEWEST_FOR_INTERVAL, floor
from benchmarks.tables import Comparison

NOTHING = '<p class="absent">{what}: not measured.</p>\n'

FAMILIES = {
    "se": ("se", "se_var1", "se_var2", "se_var3", "se_gc"),
    "cbam": ("cbam",),
    "sk": ("sk",),
    "danet": ("pam", "cam", "danet"),
    "eca": ("eca", "eca_ns"),
    "coord": ("coord",),
}
"""The modules that each page of a paper shows."""


def record(store: Store, kind: str, name: str) -> dict[str, Any]:
    """A machine or environment record, empty if it is not in the checkout."""
    path = store.root / kind / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def origin(store: Store, rows: pd.DataFrame, csv: str) -> str:
    """Where rows come from, as HTML: machine, threads, torch, dates, the file with all of them."""
    rows = rows[rows["machine"].map(display.given).astype(bool)]
    if rows.empty:
        return f"No row yet in <code>{csv}.csv</code>."
    places = []
    for name, mine in rows.groupby("machine"):
        machine = record(store, "machines", str(name))
        words = [escape(str(machine.get("processor", "a machine without a record")))]
        if "cores" in machine:
            words.append(f"{machine['cores']} cores")
        if machine.get("gpus") and mine.get("device", pd.Series()).eq("cuda").any():
            words = [escape(machine["gpus"][0])]
        places.append(f"{', '.join(words)} (record {name}, {len(mine)} rows)")
    torch = {record(store, "environments", e).get("torch") for e in rows["environment"].unique()}
    versions = ", ".join(sorted(str(v) for v in torch if v)) or "not recorded"
    days = sorted({str(day)[:10] for day in rows["measured_at"]})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"Measured on {'; '.join(places)}; torch {versions}; {when}. All rows: {csv}.csv."


def in_ranking(found: Iterable[Comparison]) -> list[Comparison]:
    """Results before previews, processors before GPUs."""
    return sorted(found, key=lambda c: (c.preview, c.device != "cpu", c.data, c.backbone))


def about(rows: pd.DataFrame, which: Comparison) -> str:
    """One line on how the runs of a comparison were trained."""
    done = tables.ok(rows)
    words = [f"recipe {which.recipe}", which.device]
    if which.recipe in RECIPES:
        words.insert(1, f"{RECIPES[which.recipe].epochs} epochs")
    if len(done):
        words.append(f"{display.whole(done['train_images'].iloc[0])} training images")
        words.append(f"{display.whole(done['test_images'].iloc[0])} test images")
    text = ", ".join(words)
    return f"Preview, not a result: {text}" if which.preview else text


def _difference(row: Any) -> Entry:
    if row.arm == "none":
        return Entry(display.REFERENCE, 0.0)
    low, high = (row.low, row.high) if row.pairs >= FEWEST_FOR_INTERVAL else (None, None)
    return estimate(display.points, row.difference, low, high, row.verdict)


def _seeds(row: Any) -> Entry:
    note = f"{row.failed} failed" if row.failed else ""
    return Entry(str(row.seeds), row.seeds, word=note and "failed: " + str(row.failed))


def _ratio(row: Any, verdict: str) -> Entry:
    if row.arm == "none":
        return Entry("1", 1.0) if display.given(row.ratio) else Entry(display.MISSING)
    return estimate(display.ratio, row.ratio, row.ratio_low, row.ratio_high, verdict)


def leaderboard(store: Store, which: Comparison) -> str:
    """Accuracy, size, operations and time of every arm in one table."""
    frame = tables.leaderboard(store, which)
    rows = tables.accuracy_rows(store, which)
    cost, times = frame["cost_backbone"].iloc[0], frame["latency_backbone"].iloc[0]
    heads = (
        Head("Module", number=False),
        Head("Difference to none", "top-1, points [95 %]"),
        Head("Top-1", "%, mean of the seeds"),
        Head("Seeds"),
        Head("Parameters added", which.backbone),
        Head("Multiply-adds added", f"{cost}, one image"),
        Head("Latency", f"{times}, times none [95 %]"),
    )
    body = [
        (
            Entry(row.arm),
            _difference(row),
            value(display.percent, row.top1),
            _seeds(row),
            value(display.added, row.params_added),
            value(display.added, row.macs_added),
            _ratio(row, row.latency_verdict),
        )
        for row in frame.itertuples()
    ]
    caption = f"{which.backbone} on {which.data}"
    return table(caption, about(rows, which), heads, body, origin(store, rows, "accuracy"))


def leaderboards(store: Store) -> str:
    """One leaderboard a comparison, results first."""
    found = in_ranking(tables.comparisons(store))
    return "\n".join(leaderboard(store, c) for c in found) or NOTHING.format(what="Accuracy")


def main_leaderboard(store: Store) -> str:
    """The leaderboard of the first comparison alone."""
    found = in_ranking(tables.comparisons(store))
    return leaderboard(store, found[0]) if found else NOTHING.format(what="Accuracy")


def accuracy(store: Store) -> str:
    """Every comparison: difference, interval, corrected p and verdict, and what failed."""
    heads = (
        Head("Module", number=False),
        Head("Difference to none", "top-1, points [95 %]"),
        Head("p", "sign-flip, Holm"),
        Head("Top-1", "%, mean"),
        Head("Deviation", "between seeds"),
        Head("Seeds"),
        Head("Parameters"),
    )
    parts = []
    for which in in_ranking(tables.comparisons(store)):
        rows = tables.accuracy_rows(store, which)
        body = [
            (
                Entry(row.arm),
                _difference(row),
                Entry(display.REFERENCE, 1.0) if row.arm == "none" else value(_p, row.p_holm),
                value(display.percent, row.top1),
                value(display.percent, row.top1_sd) if row.seeds != 1 else Entry("one run"),
                _seeds(row),
                value(display.whole, row.params),
            )
            for row in tables.accuracy_table(store, which).itertuples()
        ]
        title = f"{which.backbone} on {which.data}, {which.recipe}, {which.device}"
        note = about(rows, which)
        parts.append(f"\n### {title}\n")
        parts.append(table(title, note, heads, body, origin(store, rows, "accuracy")))
    absent = [NOTHING.format(what=what) for what in _unmeasured(store)]
    return "\n".join([*parts, *absent])


def _p(number: Any) -> str:
    return "below 0.001" if number < 0.001 else f"{number:.3f}"


def _unmeasured(store: Store) -> list[str]:
    rows = store.table("accuracy")
    on_gpu = rows["device"].ne("cpu").any()
    imagenet = rows["data"].str.contains("imagenet").any()
    missing = [] if on_gpu else ["Training on a GPU"]
    return missing if imagenet else [*missing, "ImageNet"]


def latency(store: Store) -> str:
    """One table a backbone and device; its columns are the settings, all of one machine."""
    parts = []
    for device, name in (("cpu", "Processor"), ("cuda", "GPU")):
        settings = tables.latency_settings(store, device=device)
        parts.append(f"\n## {name}\n")
        if not settings:
            parts.append(NOTHING.format(what=f"Latency on a {name if name == 'GPU' else 'CPU'}"))
        for backbone in dict.fromkeys(s["backbone"] for s in settings):
            mine = [s for s in settings if s["backbone"] == backbone]
            parts += [f"\n### {backbone}{' on a GPU' if device == 'cuda' else ''}\n"]
            parts.append(_latency(store, backbone, mine))
    return "\n".join(parts)


def _latency(store: Store, backbone: str, settings: list[dict[str, Any]]) -> str:
    frames = [tables.latency_table(store, setting) for setting in settings]
    heads = [Head("Module", number=False)]
    for setting, frame in zip(settings, frames, strict=True):
        heads.append(Head(f"Times none, {_short(setting)}", f"[95 %]; noise floor {floor(frame)}"))
    heads += [Head("Milliseconds", _short(setting)) for setting in settings]
    arms = tables.in_order(arm for frame in frames for arm in frame["arm"])
    columns = [{row.arm: row for row in frame.itertuples()} for frame in frames]
    body = [
        (
            Entry(arm),
            *(_time(column.get(arm)) for column in columns),
            *(_milliseconds(column.get(arm)) for column in columns),
        )
        for arm in arms
    ]
    first = settings[0]
    note = f"{first['device']}, batch {first['batch_size']}, {first['image_size']} px"
    rows = pd.concat(frames, ignore_index=True).assign(device=first["device"])
    return table(f"Latency of {backbone}", note, heads, body, origin(store, rows, "latency"))


def _short(setting: dict[str, Any]) -> str:
    if setting["device"] == "cpu":
        threads = setting["threads"]
        return f"{threads} thread{'' if threads == 1 else 's'}"
    return f"{setting['precision']} {setting['layout']}"


def _time(row: Any) -> Entry:
    if row is None:
        return Entry(display.MISSING)
    if row.arm == "none" and display.given(row.ratio):
        return Entry(display.REFERENCE, 1.0)
    ends = (row.ratio_low, row.ratio_high)
    return estimate(display.ratio, row.ratio, *ends, row.verdict, row.status)


def _milliseconds(row: Any) -> Entry:
    if row is None:
        return Entry(display.MISSING)
    return value(display.milliseconds, row.latency_ms, row.status)


def cost(store: Store) -> str:
    """What every arm adds on every backbone, then everything that was counted, by backbone."""
    rows = store.table("cost")
    backbones = list(dict.fromkeys(rows["backbone"]))
    if not backbones:
        return NOTHING.format(what="Cost")
    overviews = (("Parameters added", "params_added"), ("Multiply-adds added", "macs_added"))
    parts = ["\n## Every backbone\n"]
    for title, column in overviews:
        parts.append(_overview(store, rows, backbones, title, column))
    parts.append("\n## Everything counted\n")
    for backbone in backbones:
        parts += [f"\n### {backbone}\n", _cost(store, backbone)]
    return "\n".join(parts)


def _overview(
    store: Store, rows: pd.DataFrame, backbones: list[str], title: str, column: str
) -> str:
    frames = [tables.cost_table(store, b).set_index("arm") for b in backbones]
    plain = [arm for arm in tables.in_order(tables.with_arm(rows)["arm"]) if " " not in arm]
    body = [
        (
            Entry(arm),
            *(
                value(display.added, f.loc[arm, column], f.loc[arm, "status"])
                if arm in f.index
                else Entry(display.MISSING)
                for f in frames
            ),
        )
        for arm in plain
        if arm != "none"
    ]
    heads = [Head("Module", number=False), *(Head(b) for b in backbones)]
    note = "default options, one image of 224 px"
    return table(title, note, heads, body, origin(store, rows, "cost"))


COST_COLUMNS: tuple[tuple[Head, str, Callable[[Any], str]], ...] = (
    (Head("Parameters"), "params", display.whole),
    (Head("Added"), "params_added", display.added),
    (Head("Multiply-adds", "conv, matmul, attention"), "macs", display.count),
    (Head("Added"), "macs_added", display.added),
    (Head("Element-wise operations added"), "elementwise_ops_added", display.added),
    (Head("Element-wise bytes added"), "elementwise_bytes_added", display.added),
    (Head("Activations"), "activations", display.count),
    (Head("fvcore's total"), "fvcore_flops", display.count),
    (Head("fvcore did not count", number=False), "fvcore_uncounted", str),
    (Head("Placed", "modules"), "inserted", display.whole),
    (Head("Slot", number=False), "slot", str),
)


def _cost(store: Store, backbone: str) -> str:
    frame = tables.cost_table(store, backbone)
    body = []
    for row in frame.to_dict("records"):
        entries = [Entry(str(row["arm"]))]
        for head, column, form in COST_COLUMNS:
            done = display.given(row["status"])
            empty = done and not head.number and not display.given(row[column])
            entries.append(Entry("–") if empty else value(form, row[column], row["status"]))
        body.append(entries)
    heads = [Head("Module", number=False), *(head for head, _, _ in COST_COLUMNS)]
    note = "one image of 224 px, 1000 classes; the same on every machine"
    return table(f"Cost of {backbone}", note, heads, body, origin(store, frame, "cost"))


def module(store: Store, family: str) -> str:
    """The rows of one paper's modules: a line an arm and backbone, all that was measured."""
    members = FAMILIES[family]
    costs = tables.with_arm(store.table("cost"))
    costs = costs[costs["module"].isin(members)]
    heads = (
        Head("Module", number=False),
        Head("Backbone", number=False),
        Head("Parameters added"),
        Head("Multiply-adds added", "one image of 224 px"),
        Head("Latency", "CPU, 1 thread, times none [95 %]"),
    )
    times = {}
    for setting in tables.latency_settings(store, device="cpu"):
        if setting["threads"] == 1:
            for row in tables.latency_table(store, setting).itertuples():
                times[(row.arm, setting["backbone"])] = row
    order = {name: i for i, name in enumerate(tables.in_order(costs["arm"]))}
    ranked = sorted(costs.itertuples(), key=lambda row: (order[row.arm], row.backbone))
    body = [
        (
            Entry(row.arm),
            Entry(row.backbone, row.backbone),
            value(display.added, row.params_added, row.status),
            value(display.added, row.macs_added, row.status),
            _time(times.get((row.arm, row.backbone))),
        )
        for row in ranked
    ]
    if not body:
        return NOTHING.format(what="Cost and latency")
    return table("Cost and latency", "", heads, body, origin(store, costs, "cost"))


def module_accuracy(store: Store, family: str) -> str:
    """The accuracy of one paper's modules in every comparison."""
    heads = (
        Head("Module", number=False),
        Head("Compared on", number=False),
        Head("Difference to none", "top-1, points [95 %]"),
        Head("Top-1", "%, mean"),
        Head("Seeds"),
    )
    body, used = [], []
    for which in in_ranking(tables.comparisons(store)):
        frame = tables.accuracy_table(store, which)
        used.append(tables.accuracy_rows(store, which))
        where = f"{which.backbone}, {which.data}, {which.recipe}"
        for row in frame.itertuples():
            if row.arm.split()[0] in FAMILIES[family]:
                name = f"{where} (preview)" if which.preview else where
                top1 = value(display.percent, row.top1)
                body.append((Entry(row.arm), Entry(name), _difference(row), top1, _seeds(row)))
    if not body:
        return NOTHING.format(what="Accuracy")
    rows = pd.concat(used, ignore_index=True)
    return table("Accuracy", "", heads, body, origin(store, rows, "accuracy"))


def failures(store: Store) -> str:
    """Every row without a value, with the reason; coverage has a table of its own."""
    rows = tables.failures(store)
    if rows.empty:
        return "<p>No row of cost, latency or accuracy is without a value.</p>\n"
    titles = ("Benchmark", "Backbone", "Module", "Status", "Reason")
    heads = [Head(title, number=False) for title in titles]
    body = [
        [Entry(str(v)) for v in (r.benchmark, r.backbone, r.arm, r.status, r.reason)]
        for r in rows.itertuples()
    ]
    note = f"{len(rows)} rows"
    return table("Rows without a value", note, heads, body, "From all tables of results/.")


def seeds_needed(modules: int) -> int:
    """Paired seeds from which a comparison of so many modules can reach a verdict."""
    return stats.seeds_needed(modules)
