"""The way from LeNet-5 to AlexNet as tables and charts, and what dropout and data do."""

from __future__ import annotations

import math

import pandas as pd

from benchmarks import alexnet, display, tables
from benchmarks.site import paired
from benchmarks.site.charts import EVEN_PADDING, Figure, axis, dashed, nominal, shaped
from benchmarks.site.html import Entry, Head, absent, table, value
from benchmarks.site.origin import origin
from benchmarks.site.paired import rows_of
from benchmarks.store import Store

STEPS = (
    "LeNet-5: two convolutions, scaled tanh, average pooling",
    "and three more convolutions",
    "and ReLU for the scaled tanh",
    "and He's initial values for Xavier's",
    "and maximum pooling that overlaps",
    "and dropout",
    "and eight times the images, once each",
)
"""What each arm of `alexnet.PATH` adds to the one before it."""

ACTIVATIONS = {"tanh": "scaled tanh", "logistic": "logistic", "relu": "ReLU"}
INITIAL = {
    "xavier": "Xavier",
    "default": "PyTorch's default",
    "xavier*4": "Xavier, four times as large",
    "he": "He",
}


def of_arm(rows: pd.DataFrame, arm: alexnet.Arm) -> pd.DataFrame:
    """The rows of one arm of `alexnet`."""
    cell = arm.cell(0)
    same = (rows["backbone"] == cell.backbone) & (rows["variant"] == cell.variant)
    return rows[same & (rows["recipe"] == cell.recipe)]


def path(store: Store) -> str:
    """From LeNet-5 to AlexNet: what each change does to the one before."""
    rows = rows_of(store, "alexnet")
    steps = [of_arm(rows, arm) for arm in alexnet.PATH]
    if all(mine.empty for mine in steps):
        return absent("From LeNet-5 to AlexNet")
    heads = (
        Head("Network", number=False),
        Head("Test accuracy", "%, mean [95 %]"),
        Head("Change", "points, paired by seed [95 %]"),
        Head("Training accuracy", "%, mean [95 %]"),
        Head("Rate"),
        Head("Seeds"),
    )
    body = []
    for i, (words, mine) in enumerate(zip(STEPS, steps, strict=True)):
        by = paired.change(mine, steps[i - 1], "accuracy") if i else Entry("start")
        body.append(
            (
                Entry(words),
                paired.percent(mine),
                by,
                paired.percent(mine, "train_accuracy"),
                *paired.rate_and_seeds(mine),
            )
        )
    note = "each line adds one change to the line above; the same number of steps"
    return table("From LeNet-5 to AlexNet", note, heads, body, origin(store, rows, "alexnet"))


def grid(store: Store) -> str:
    """Activation and initial values, with two convolutions and with five."""
    rows = rows_of(store, "alexnet")
    arms = [arm for arm in alexnet.GRID if len(of_arm(rows, arm))]
    heads = (
        Head("Network", number=False),
        Head("Test accuracy", "%, mean [95 %]"),
        Head("Lowest"),
        Head("Steps to a training error of a quarter", "median"),
        Head("Gradient, first over last layer", "log10, untrained"),
        Head("Rate"),
        Head("Seeds"),
    )
    body = []
    for arm in sorted(arms, key=lambda a: (list(ACTIVATIONS).index(a.activation), a.initial)):
        mine = of_arm(rows, arm)
        words = f"{ACTIVATIONS[arm.activation]}, {INITIAL[arm.initial]}, {arm.convolutions}"
        body.append(
            (
                Entry(f"{words} convolutions"),
                paired.percent(mine),
                value(display.percent, tables.ok(mine)["accuracy"].min()),
                _reached(tables.ok(mine)["reached"]),
                value(paired.power_of_ten, mine["gradient"].mean()),
                *paired.rate_and_seeds(mine),
            )
        )
    note = f"average pooling, {alexnet.SOME:,} images, {alexnet.STEPS} steps"
    places = origin(store, rows, "alexnet")
    return table("Depth, activation and initial values", note, heads, body, places)


def _reached(found: pd.Series) -> Entry:
    """The median number of steps; a word where some seeds never get there."""
    never = int(found.isna().sum())
    if never == len(found):
        return Entry("never" if never else display.MISSING)
    median = float(found.astype("float64").fillna(math.inf).median())
    word = f"never: {never} of {len(found)}" if never else ""
    if math.isinf(median):
        return Entry("never", None, "", word)
    return Entry(f"{median:.0f}", median, "", word)


def data(store: Store) -> str:
    """LeNet-5 and AlexNet, without dropout and with it, by the number of images."""
    rows = rows_of(store, "alexnet")
    heads = (
        Head("Images"),
        Head("LeNet-5", "test %, mean [95 %]"),
        Head("AlexNet", "no dropout, test %"),
        Head("AlexNet", "dropout, test %"),
        Head("Dropout", "test, points, paired [95 %]"),
        Head("Dropout", "training, points, paired [95 %]"),
        Head("Training accuracy", "no dropout, %"),
    )
    body = []
    for arm, without, dropped in _pairs(rows):
        lenet = of_arm(rows, arm)
        body.append(
            (
                Entry(_times(arm), arm.images),
                paired.percent(lenet),
                paired.percent(without),
                paired.percent(dropped),
                paired.change(dropped, without, "accuracy"),
                paired.change(dropped, without, "train_accuracy"),
                paired.percent(without, "train_accuracy"),
            )
        )
    note = f"{alexnet.STEPS} steps of {alexnet.BATCH} images, {alexnet.LONG} with the fewest images"
    places = origin(store, rows, "alexnet")
    return table("Dropout and the number of images", note, heads, body, places)


def _pairs(rows: pd.DataFrame) -> list[tuple[alexnet.Arm, pd.DataFrame, pd.DataFrame]]:
    """LeNet-5's arm, and AlexNet's rows without dropout and with it, by the number of images."""
    arms = zip(alexnet.LENET, alexnet.DROPOUT[::2], alexnet.DROPOUT[1::2], strict=True)
    found = [(lenet, of_arm(rows, one), of_arm(rows, other)) for lenet, one, other in arms]
    return [one for one in found if len(one[1]) and len(one[2])]


def _times(arm: alexnet.Arm) -> str:
    often = "once" if arm.passes == 1 else f"{arm.passes} times"
    return f"{arm.images:,}, each seen {often}"


def facts(store: Store) -> dict[str, str]:
    """The rates that any network tried, and how many of them each tried, from the rows."""
    tried = tables.ok(rows_of(store, "alexnet"))["tried"]
    searches = [[float(one.partition(":")[0]) for one in text.split(";")] for text in tried if text]
    rates = sorted({rate for rates in searches for rate in rates})
    return {
        "alexnet.rates": ", ".join(f"{rate:g}" for rate in rates) or display.MISSING,
        "alexnet.tried": display.span(map(len, searches)),
    }


def figures(store: Store) -> list[Figure]:
    """Every chart of this file."""
    return [path_figure(store), dropout_figure(store)]


def path_figure(store: Store) -> Figure:
    """Test accuracy along the way from LeNet-5 to AlexNet."""
    rows = rows_of(store, "alexnet")
    values = []
    for words, arm in zip(STEPS, alexnet.PATH, strict=True):
        found = tables.ok(of_arm(rows, arm))["accuracy"].dropna().tolist()
        if found:
            values.append({"network": words.partition(":")[0], **paired.ends(found)})
    names = [v["network"] for v in values]
    y = axis("network", None, "nominal", sort=names, axis={"labelLimit": 400})
    x = axis("mean", "test accuracy, %", scale={"zero": False})
    layers = paired.marks({"y": y, "x": x})
    caption = (
        "Test accuracy from LeNet-5 to AlexNet, each network with one change more than the one "
        "above: mean and 95 % interval over the seeds."
    )
    alt = "; ".join(f"{v['network']}: {display.percent(v['mean'])} %" for v in values)
    size = {"width": 330, "height": {"step": 26}, "padding": {**EVEN_PADDING, "left": 60}}
    return Figure("alexnet-path", caption, alt, values, layers, size)


def dropout_figure(store: Store) -> Figure:
    """What dropout adds to the test and to the training accuracy, by the number of images."""
    columns = {"accuracy": "test images", "train_accuracy": "training images"}
    values = []
    for arm, without, dropped in _pairs(rows_of(store, "alexnet")):
        for column, words in columns.items():
            found = paired.differences(dropped, without, column)
            if found:
                values.append({"images": _times(arm), "what": words, **paired.ends(found)})
    names = list(dict.fromkeys(v["images"] for v in values))
    encoding = {
        "y": axis("images", None, "nominal", sort=names, axis={"labelLimit": 300}),
        "yOffset": {"field": "what", "type": "nominal", "sort": list(columns.values())},
        "x": axis("mean", "accuracy with dropout less without, points"),
        "color": nominal("what", columns.values()),
    }
    layers = [dashed("x", datum=0), *paired.marks(shaped(encoding))]
    caption = (
        "What dropout does to AlexNet, on the test images and on the images it learned from: mean "
        "difference and 95 % interval, paired by seed."
    )
    alt = "; ".join(
        f"{v['images']}, {v['what']}: {display.points(v['mean'])} points" for v in values
    )
    size = {"width": 400, "height": {"step": 18}, "padding": EVEN_PADDING}
    return Figure("alexnet-dropout", caption, alt, values, layers, size)
