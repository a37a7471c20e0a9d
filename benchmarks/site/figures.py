"""The charts of accuracy and time, and the list of every chart of the site."""

from __future__ import annotations

from typing import Any

from benchmarks import compare, display, stats, tables
from benchmarks.cells import MODULES
from benchmarks.site import (
    attention_figures,
    clock,
    equal_cost_figure,
    mechanism,
    notes_alexnet,
    notes_depth,
    notes_figures,
    notes_formulas,
    notes_gradients,
    notes_optimisers,
    notes_trajectories,
    paired,
    segmentation,
)
from benchmarks.site.charts import Figure, intervals, panels, with_verdicts
from benchmarks.site.words import after
from benchmarks.store import Store

ENDS = {"ratio": "", "low": "_low", "high": "_high"}


def accuracy(store: Store) -> Figure:
    """Differences to the bare backbone with intervals, in the first comparison."""
    values: list[dict[str, Any]] = []
    caption, preview = "Difference in test accuracy to the bare backbone, by module.", ""
    found = compare.main_first(store)
    if found:
        which = found[0]
        frame = compare.accuracy_table(store, which)
        # The README keeps this drawing: only what can be seen should make it stale.
        values = paired.drawn(frame, digits=4)
        what, marks = "mean", paired.HOLLOW
        if any("low" in v for v in values):
            what, marks = "mean and 95 % interval", paired.ADJUSTED_MARKS
        preview = compare.preview_words(frame, which)
        caption = (
            f"Difference in test accuracy to the bare backbone, {which.title}: {what} of "
            f"{display.span(frame['pairs'])} paired seeds, and the verdict. {marks}"
        )
    alt = f"Difference in points: {'; '.join(map(paired.said, values))}"
    caption, alt = (after(preview, text, ". ") for text in (caption, alt))
    axis, sort = "difference in top-1, percentage points", tables.in_order(v["arm"] for v in values)
    title = f"{preview}." if preview else ""
    return with_verdicts("accuracy", caption, alt, values, axis, sort, title)


def latency(store: Store) -> Figure:
    """Latency ratios with intervals on one thread of a processor, a panel a backbone."""
    values: list[dict[str, Any]] = []
    absent: dict[tuple[str, str], list[str]] = {}
    for setting in tables.latency_settings(store, device="cpu", threads=1):
        backbone = setting["backbone"]
        panel = f"{backbone}, batch {setting['batch_size']}, {setting['image_size']} px"
        for row in tables.latency_table(store, setting).to_dict("records"):
            arm, name = row["arm"], row["arm"].split()[0]
            if name == "none" or name not in MODULES or not display.given(row["status"]):
                continue
            word = row["verdict"] if row["status"] == "ok" else row["status"]
            if row["status"] != "ok" or word == stats.NOISY:
                absent.setdefault((backbone, word), []).append(arm)
                continue
            numbers = {k: row[f"ratio{end}"] for k, end in ENDS.items()}
            words = {"arm": arm, "module": name, "backbone": backbone, "panel": panel}
            values.append({**words, "verdict": word, **display.cleaned(numbers)})
    sort = tables.in_order(v["arm"] for v in values)
    layers = intervals("ratio", "latency, times the bare backbone", 1.0, sort)
    size = panels("panel", 2, 250, {"step": 22})
    caption = (
        "Latency of a forward pass over that of the bare backbone, one thread of a processor, "
        f"with 95 % intervals, of one session each. Hollow marks: {stats.SAME}. The noise floors "
        "stand in the table."
    )
    groups = [f"{', '.join(a)} in {net} ({word})" for (net, word), a in absent.items()]
    left_out = f"Not drawn: {'; '.join(groups)}."
    gap = left_out if absent else Figure.gap
    if absent:
        caption += f" {left_out}"
    alt = "; ".join(
        f"{v['backbone']} with {v['arm']} {display.ratio(v['ratio'])}, {v['verdict']}"
        for v in values
    )
    alt = f"Times the bare backbone: {alt}"
    return Figure("latency", caption, alt, values, layers, size, gap)


def figures(store: Store) -> list[Figure]:
    """Every chart of the site."""
    drawn = [accuracy(store), latency(store), clock.figure(store)]
    drawn += [
        equal_cost_figure.figure(store),
        *mechanism.figures(store),
        segmentation.figure(store),
    ]
    notes = [
        *notes_formulas.figures(),
        *notes_figures.figures(store),
        *notes_alexnet.figures(store),
        notes_depth.figure(store),
        *notes_gradients.figures(store),
        *notes_trajectories.figures(store),
        *notes_optimisers.figures(store),
    ]
    return [*drawn, *attention_figures.figures(store), *notes]
