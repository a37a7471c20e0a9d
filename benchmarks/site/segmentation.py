"""Heads with and without attention on segmentation: tables, a chart and facts."""

from __future__ import annotations

import pandas as pd

from benchmarks import compare, display, scenery, tables
from benchmarks.compare import Pairs
from benchmarks.heads import BRANCHES, CONTROLS, NAMES, PAIRS, comparisons, pairs_of, rows_of
from benchmarks.pairing import Comparison
from benchmarks.site import paired
from benchmarks.site.charts import Figure, with_verdicts
from benchmarks.site.html import Entry, Head, absent, runs, table, value
from benchmarks.site.judged import of_pairs
from benchmarks.site.origin import origin
from benchmarks.site.words import after, comparison, of_arm
from benchmarks.store import Store

MEASURES = {"miou": "mIoU", "pixel_accuracy": "pixel accuracy"}


def judge(rows: pd.DataFrame, pairs: Pairs, measure: str = "miou") -> pd.DataFrame:
    """One line a pair of heads: Holm's family is all of them."""
    return compare.judge(rows, pairs, NAMES, measure)


def preview(judged: pd.DataFrame, which: Comparison) -> str:
    """What a table of `judge` has to begin with; a reader's own modules have no part in it."""
    ours = judged[judged["key"].isin([*PAIRS, *CONTROLS])]
    return compare.preview_words(ours, which, ours["arm"])


def about(rows: pd.DataFrame, which: Comparison, pairs: Pairs) -> str:
    """How the heads of a comparison were trained, and which ``pairs`` are of two machines.

    A preview begins with the word.
    """
    words = [f"recipe {which.recipe}", which.device]
    done = tables.ok(rows)
    if len(done):
        first = done.iloc[0]
        words.insert(1, display.many(int(first["epochs"]), "epoch"))
        words += [f"{display.whole(first['train_images'])} training images"]
        words += [f"{display.whole(first['test_images'])} test images, the same for every seed"]
    words += paired.across(rows, pairs.values())
    return after(preview(judge(rows, pairs), which), ", ".join(words))


def segmentation(store: Store) -> str:
    """Every comparison: what attention changes in mIoU, then in pixel accuracy."""
    parts = []
    for which in comparisons(store):
        rows = rows_of(store, which)
        parts.append(f"\n### {which.title}\n")
        for measure, words in MEASURES.items():
            caption = f"{words[0].upper()}{words[1:]}" if measure != "miou" else words
            parts.append(_table(store, caption, rows, which, pairs_of(rows), measure))
    missing = [] if store.table("segmentation")["data"].eq("voc2012").any() else ["VOC 2012"]
    if not parts:
        missing.insert(0, "Scenes of clothes")
    return "\n".join([*parts, *(absent(what) for what in missing)])


def controls(store: Store) -> str:
    """Attention beside the mean of the map, in mIoU, for every comparison that has such a head."""
    parts = []
    for which in comparisons(store):
        rows = rows_of(store, which)
        if rows["arm"].isin([CONTROLS["mean"][0], CONTROLS["branches_mean"][0]]).any():
            title = f"The mean of the map: {which.title}"
            parts.append(_table(store, title, rows, which, CONTROLS))
    return "\n".join(parts) or absent("The mean of the map in place of attention")


def _table(
    store: Store,
    title: str,
    rows: pd.DataFrame,
    which: Comparison,
    pairs: Pairs,
    measure: str = "miou",
) -> str:
    frame, words = judge(rows, pairs, measure), ("Heads", MEASURES[measure])
    places = origin(store, rows[rows["arm"].isin(sum(pairs.values(), ()))], "segmentation")
    return of_pairs(title, about(rows, which, pairs), frame, words, places)


def heads(store: Store) -> str:
    """What each head reaches, what its attention weighs and what it has in parameters."""
    titles = (
        Head("Head", number=False),
        Head("mIoU", "%, mean [95 %]"),
        Head("Pixel accuracy", "%, mean [95 %]"),
        Head("Training loss", "last epoch"),
        Head("Weight of PAM", "mean size [from, to]"),
        Head("Weight of CAM", "mean size [from, to]"),
        Head("Weight of the mean", "mean size [from, to]"),
        Head("Parameters", "with the backbone"),
        Head("Seeds"),
    )
    parts = []
    for which in comparisons(store):
        rows = rows_of(store, which)
        body = []
        for arm in dict.fromkeys((*NAMES, *tables.in_order(rows["arm"]))):
            mine = rows[rows["arm"] == arm]
            done = tables.ok(mine)
            numbers = (paired.mean(mine, name, display.percent) for name in MEASURES)
            loss = value(lambda loss: f"{loss:.3f}", done["train_loss"].mean())
            weights = (weight(done["gammas"], name) for name in ("position", "channel", "mean"))
            size = value(display.whole, done["params"].max() if len(done) else None)
            seeds = runs(len(done), len(mine) - len(done))
            body.append((Entry(NAMES.get(arm, arm)), *numbers, loss, *weights, size, seeds))
        places = origin(store, rows, "segmentation")
        note = about(rows, which, pairs_of(rows))
        parts.append(table(which.title, note, titles, body, places))
    return "\n".join(parts) or absent("Heads")


def weight(gammas: pd.Series, name: str) -> Entry:
    """Mean size of one attention's weight over the seeds, with the lowest and the highest.

    That of PAM may have either sign, as the convolution of its values may. A word for a head that
    has none.
    """
    found = [
        float(part.removeprefix(f"{name} "))
        for text in gammas
        for part in text.split("; ")
        if part.startswith(f"{name} ")
    ]
    if not found:
        return Entry("none" if len(gammas) else display.MISSING)
    mean = sum(map(abs, found)) / len(found)
    ends = (display.signed(f"{end:+.3f}") for end in (min(found), max(found)))
    return Entry(f"{mean:.3f}", mean, f"[{', '.join(ends)}]")


def classes(store: Store) -> str:
    """Intersection over union of each class by head, mean over the seeds."""
    parts = []
    for which in comparisons(store):
        rows = tables.ok(rows_of(store, which))
        arms = [arm for arm in dict.fromkeys((*NAMES, *rows["arm"])) if (rows["arm"] == arm).any()]
        means = {
            arm: rows[rows["arm"] == arm]["ious"].str.split(expand=True).astype(float).mean()
            for arm in arms
        }
        names = scenery.CLASSES.get(which.data, ())
        body = [
            (Entry(name), *(value(display.percent, means[arm][i]) for arm in arms))
            for i, name in enumerate(names)
        ]
        titles = (
            Head("Class", number=False),
            *(Head(NAMES.get(arm, arm), "IoU, %") for arm in arms),
        )
        places = origin(store, rows, "segmentation")
        note = about(rows, which, pairs_of(rows))
        parts.append(table(f"IoU by class: {which.title}", note, titles, body, places))
    return "\n".join(parts) or absent("Classes")


def figure(store: Store) -> Figure:
    """Differences in mIoU with intervals, in the first comparison."""
    caption, values, unfinished = "Difference in mIoU between two heads.", [], ""
    found = comparisons(store)
    if found:
        rows = rows_of(store, found[0])
        frame = judge(rows, pairs_of(rows))
        unfinished = preview(frame, found[0])
        caption = (
            f"Difference in mIoU between two heads, {found[0].title}: mean of the paired seeds "
            "with its 95 % interval where there are enough, and the verdict. "
            f"{paired.ADJUSTED_MARKS}"
        )
        values = paired.drawn(frame)
    alt = f"In points: {'; '.join(map(paired.said, values))}"
    caption, alt = (after(unfinished, text, ". ") for text in (caption, alt))
    axis, sort = "difference in mIoU, percentage points", [v["arm"] for v in values]
    return with_verdicts("segmentation", caption, alt, values, axis, sort)


def facts(store: Store) -> dict[str, str]:
    """What the scenes are, and the verdicts of the pairs of heads, in words."""
    keys = ("what", "short", *PAIRS, *CONTROLS)
    found = {f"segmentation.{key}": display.MISSING for key in keys}
    found |= scenes()
    ranked = comparisons(store)
    if not ranked:
        return found
    rows = rows_of(store, ranked[0])
    found["segmentation.what"] = ranked[0].title
    done = tables.ok(rows[rows["arm"] == BRANCHES])
    if len(done):
        epochs = display.many(int(done["epochs"].iloc[0]), "epoch")
        level = display.percent(done["miou"].mean())
        found["segmentation.short"] = f"trained for {epochs} (which reaches {level} % mIoU)"
    for pairs in (pairs_of(rows), CONTROLS):
        judged = judge(rows, pairs)
        start = preview(judged, ranked[0]) and display.PREVIEW
        for row in tables.records(judged[judged["key"].isin(keys)]):
            found[f"segmentation.{row.key}"] = of_arm(start, comparison(row))
    return found


def scenes() -> dict[str, str]:
    """What scenes are made of, as facts of the page."""
    grey = (100 * share for share in scenery.BRIGHTNESS)
    return {
        "scenes.side": str(scenery.SIDE),
        "scenes.seed": str(scenery.SEED),
        "scenes.train": display.whole(scenery.TRAIN_SCENES),
        "scenes.test": display.whole(scenery.TEST_SCENES),
        "scenes.pieces": " to ".join(map(str, scenery.OBJECTS)),
        "scenes.kinds": str(scenery.KINDS),
        "scenes.sizes": " to ".join(map(str, scenery.SIZES)),
        "scenes.ink": str(scenery.INK),
        "scenes.brightness": " to ".join(f"{share:.0f} %" for share in grey),
        "scenes.noise": f"{scenery.NOISE:g}",
        "scenes.classes": str(len(scenery.CLOTHES)),
        "scenes.names": ", ".join(f"{i} {name}" for i, name in enumerate(scenery.CLOTHES)),
    }
