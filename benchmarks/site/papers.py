"""Tables of what papers print beside what their recipes give, and beside published reruns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import pandas as pd

from benchmarks import display, tables
from benchmarks.papers.reported import PAPERS, Printed, printed
from benchmarks.papers.verdicts import WORDS
from benchmarks.site.html import Entry, Head, absent, table, value
from benchmarks.site.origin import origin
from benchmarks.store import Store

NAMES = {
    "se": "SENet",
    "cbam": "CBAM",
    "sk": "SKNet",
    "danet": "DANet",
    "eca": "ECA-Net",
    "coord": "Coordinate attention",
}
"""The papers by the name of their page."""

PARAMETERS = ("params", "extra_params", "module_params_formula")
OPERATIONS = ("FLOPs", "extra_FLOPs")
SIZE_METRICS = (*PARAMETERS, *OPERATIONS)

METRICS = {
    "top1_err": ("Top-1 error", "%"),
    "top5_err": ("Top-5 error", "%"),
    "top1_acc": ("Top-1", "%"),
    "top5_acc": ("Top-5", "%"),
    "top1_err_224": ("Top-1 error", "%, crop of 224"),
    "top1_err_320": ("Top-1 error", "%, crop of 320"),
    "train_speed": ("Training speed", "images/s"),
    "infer_speed": ("Inference speed", "images/s"),
    "latency_pixel4": ("Latency", "ms, Pixel 4"),
    "caffemodel_size": ("File", "MB"),
    "time": ("Time", "ms"),
}
"""How a reported metric is called; others keep their own name."""

Line = tuple[str, ...]
LINE = ("network", "printed_module", "printed_variant", "dataset")


def rows(store: Store) -> pd.DataFrame:
    """The rows of the benchmark, one for each size; the latest where machines differ."""
    found = tables.ok(store.table("paper"))
    latest = found.sort_values("measured_at", kind="stable")
    return latest.drop_duplicates("key", keep="last").sort_index()


def paper(store: Store, module: str) -> str:
    """Every table of one paper: sizes printed and computed, and what else is reported."""
    measured = rows(store)
    sources = [name for name, page in PAPERS.items() if page == module]
    parts = []
    for source in sources:
        mine = measured[measured["paper"] == source]
        names = list(dict.fromkeys(v.table for v in printed() if v.paper == source))
        names += [name for name in dict.fromkeys(mine["table"]) if name not in names]
        if names:
            parts.append(f"\n### {source}\n")
        for name in names:
            values = [v for v in printed() if (v.paper, v.table) == (source, name)]
            parts.append(_printed_table(store, name, values, mine[mine["table"] == name]))
    return "\n".join(parts) or absent("Papers")


def _printed_table(
    store: Store, name: str, values: Sequence[Printed], measured: pd.DataFrame
) -> str:
    """One printed table, and under it the recipes of its sizes."""
    by_line: dict[Line, dict[str, Any]] = {}
    for v in values:
        by_line.setdefault((v.backbone, v.module, v.variant, v.dataset), {})[v.metric] = v
    for row in tables.records(measured):
        line = tuple(getattr(row, field) for field in LINE)
        by_line.setdefault(line, {})[f"{row.metric} computed"] = row
    sized = any(v.metric in SIZE_METRICS for v in values) or len(measured) > 0
    others = list(dict.fromkeys(v.metric for v in values if v.metric not in SIZE_METRICS))
    heads = [Head("Line", number=False)]
    if sized:
        heads += [Head("Parameters", "printed"), Head("Parameters", "computed")]
        heads += [Head("Operations", "printed"), Head("Operations", "computed")]
    heads += [Head(*_reported_head(metric)) for metric in others]
    body = []
    for line, cells in by_line.items():
        entries = [Entry(_line_name(line, by_line))]
        if sized:
            entries += [*_sizes(cells, PARAMETERS), *_sizes(cells, OPERATIONS)]
        entries += [_reported(cells.get(metric)) for metric in others]
        body.append(entries)
    kinds = ["sizes computed here" if sized else "", "the rest is reported" if others else ""]
    note = ", ".join(kind for kind in kinds if kind) if sized else "reported, not ours"
    places = origin(store, measured, "paper") if len(measured) else "All rows: reported.csv."
    made = table(name, note, heads, body, places)
    return made + (_recipes(name, measured, by_line) if len(measured) else "")


def _reported_head(metric: str) -> tuple[str, str]:
    title, unit = METRICS.get(metric, (metric, ""))
    return title, f"reported{', ' if unit else ''}{unit}"


def _line_name(line: Line, lines: Iterable[Line]) -> str:
    """A line in words; the data set only where the table has several."""
    network, module, variant, dataset = line
    words = [network, "" if module in ("none", network) else module, variant]
    if len({other[3] for other in lines}) > 1:
        words.append(dataset)
    return " · ".join(dict.fromkeys(word for word in words if word))


def _sizes(cells: dict[str, Any], metrics: Sequence[str]) -> tuple[Entry, Entry]:
    """A size as printed and as computed, with its verdict."""
    for metric in metrics:
        row, given = cells.get(f"{metric} computed"), cells.get(metric)
        if row is None and given is None:
            continue
        said = Entry(_with_unit(given), _number(given.value)) if given else Entry("not printed")
        if row is None:
            return said, Entry(display.MISSING)
        if not display.given(row.computed):
            return said, Entry("", word=row.verdict)
        shown = f"{row.shown} {_prefix(row.unit)}".strip() if row.shown else ""
        word = row.verdict if given else ""
        return said, Entry(display.whole(row.computed), row.computed, shown, word)
    return Entry("–"), Entry("–")


def _with_unit(given: Printed) -> str:
    return f"{given.value} {_prefix(given.unit)}".strip()


def _prefix(unit: str) -> str:
    return unit if unit[:1] in ("M", "G") else ""


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _reported(given: Printed | None) -> Entry:
    return Entry("–") if given is None else Entry(given.value, _number(given.value))


RECIPE_HEADS = (
    Head("Line", number=False),
    Head("Built", number=False),
    Head("Module", number=False),
    Head("Placed", number=False),
    Head("Counted", number=False),
    Head("From", number=False),
    Head("Note", number=False),
    Head("Why it differs", number=False),
)


def _recipes(name: str, measured: pd.DataFrame, lines: Iterable[Line]) -> str:
    """The recipes of a table's sizes, folded away."""
    body = []
    for line, mine in measured.groupby(list(LINE), sort=False):
        found = tables.records(mine)
        first = found[0]
        built = any(display.given(row.computed) for row in found)
        arm = tables.arm(first.module.rpartition(":")[2], first.variant)
        counted = dict.fromkeys(row.counted for row in found if row.counted)
        why = dict.fromkeys(row.why for row in found if row.why and row.why != row.note)
        body.append(
            [
                Entry(_line_name(tuple(map(str, line)), lines)),
                Entry(f"{first.backbone}, {first.image_size} px" if built else "–"),
                Entry(arm if built and arm != "none" else "–"),
                Entry(first.placed or "–"),
                Entry("; ".join(counted) if built else "–"),
                Entry(first.basis or "–"),
                Entry(first.note or "–"),
                Entry("; ".join(why) or "–"),
            ]
        )
    made = table(f"Recipes: {name}", "", RECIPE_HEADS, body, "All rows: paper.csv.")
    return f"<details><summary>Recipes of {escape(name)}</summary>\n{made}</details>\n"


def counts(store: Store) -> str:
    """How many printed sizes of each paper are reproduced, by verdict."""
    measured = rows(store)
    if measured.empty:
        return absent("Papers")
    heads = [Head("Paper", number=False), *(Head(word.capitalize()) for word in WORDS[:-1])]
    heads += [Head("Not printed", "our sizes of what is compared"), Head("All")]
    found = [(name, measured[measured["paper"] == name]) for name in PAPERS]
    found = [(name, mine) for name, mine in found if len(mine)]
    found.append(("All papers", measured[measured["paper"].isin(PAPERS)]))
    body = []
    for name, mine in found:
        given = mine["printed"].map(display.given).astype(bool)
        numbers = [int((mine.loc[given, "verdict"] == word).sum()) for word in WORDS[:-1]]
        numbers += [int((~given).sum()), len(mine)]
        body.append([Entry(name), *(Entry(str(n), n) for n in numbers)])
    places = origin(store, measured, "paper")
    return table("Printed sizes by verdict", "parameters and operations", heads, body, places)


def differing(store: Store) -> str:
    """Every printed size that is not reproduced to the last digit, with what is known."""
    measured = rows(store)
    if measured.empty:
        return absent("Papers")
    heads = (
        Head("Line", number=False),
        Head("Table", number=False),
        Head("Printed"),
        Head("Computed"),
        Head("What is known", number=False),
    )
    body = [
        (
            Entry(_line_name(tuple(getattr(row, field) for field in LINE), ())),
            Entry(f"{row.paper}, {row.table}"),
            Entry(f"{row.printed} {_prefix(row.unit)}".strip(), _number(row.printed)),
            Entry(f"{row.shown} {_prefix(row.unit)}".strip(), row.computed, word=row.verdict),
            Entry(row.why or "–"),
        )
        for word in ("differs", "last digit")
        for row in tables.records(measured[measured["verdict"] == word])
    ]
    note = f"{len(body)} values"
    return table("Not reproduced", note, heads, body, origin(store, measured, "paper"))


def choices(store: Store) -> str:
    """What each disagreement between a paper and its code changes in size."""
    measured = rows(store)
    mine = measured[measured["paper"] == "Choices"]
    if mine.empty:
        return absent("Choices")
    heads = (
        Head("Choice", number=False),
        Head("Network and module", number=False),
        Head("Parameters"),
        Head("Multiply-adds"),
        Head("Said by", number=False),
        Head("Note", number=False),
    )
    parts = []
    for name, group in mine.groupby("table", sort=False):
        body = []
        for _, both in group.groupby(["network", "printed_module", "printed_variant"], sort=False):
            found = {row.metric: row for row in tables.records(both)}
            first = next(iter(found.values()))
            numbers = [_count(found.get(metric)) for metric in ("params", "FLOPs")]
            where = f"{first.network} {first.printed_module}".strip()
            said = [Entry(first.basis or "–"), Entry(first.note or "–")]
            body.append([Entry(first.printed_variant), Entry(where), *numbers, *said])
        added = any(str(text).startswith("added") for text in group["counted"])
        note = "added to the bare network" if added else "whole network"
        parts.append(table(str(name), note, heads, body, origin(store, group, "paper")))
    return "\n".join(parts)


def _count(row: Any) -> Entry:
    return Entry("–") if row is None else value(display.whole, row.computed)


def effects(store: Store) -> str:
    """How far the functions of paper and code are apart, over the seeds."""
    measured = tables.ok(store.table("effects"))
    if measured.empty:
        return absent("The effect of the form")
    heads = (
        Head("Module", number=False),
        Head("Change of the output", "times what the module adds, mean"),
        Head("Direction", "cosine, mean"),
        Head("Seeds"),
    )
    body = []
    for module, mine in measured.groupby("module", sort=False):
        numbers = [_spread(mine[name]) for name in ("change", "cosine")]
        body.append((Entry(str(module)), *numbers, Entry(str(len(mine)), len(mine))))
    note = "form='code' against form='paper', equal random weights, nothing trained"
    places = origin(store, measured, "effects")
    return table("The function, code against paper", note, heads, body, places)


def _spread(values: pd.Series) -> Entry:
    """The mean, with the smallest and the largest below."""
    ends = f"[{values.min():.2f}, {values.max():.2f}]"
    return Entry(f"{values.mean():.2f}", values.mean(), ends)


def attention_map(store: Store) -> str:
    """How the memory of position attention's map grows with the crop."""
    measured = rows(store)
    mine = measured[measured["table"] == "position attention's map"]
    if mine.empty:
        return absent("The map of position attention")
    heads = (
        Head("Crop", number=False),
        Head("Positions", "output stride 8"),
        Head("Elements of the map", "counted"),
        Head("Memory", "MiB an image, float32"),
        Head("Memory", "MiB an image, float16"),
    )
    body = [
        (
            Entry(row.printed_variant),
            value(display.whole, row.image_size**2),
            value(display.whole, row.computed),
            value(_mebibytes, row.computed * 4),
            value(_mebibytes, row.computed * 2),
        )
        for row in tables.records(mine.sort_values("image_size"))
    ]
    note = "one softmax of one image; training keeps it for the backward pass"
    return table("Position attention's map", note, heads, body, origin(store, mine, "paper"))


def _mebibytes(number: Any) -> str:
    return f"{float(number) / 2**20:,.1f}"


def facts(store: Store) -> dict[str, str]:
    """Counts by verdict of each paper, and the time of a full run."""
    measured = rows(store)
    found = {}
    for page in (*NAMES, "all"):
        sources = [name for name, where in PAPERS.items() if page in (where, "all")]
        mine = measured[measured["paper"].isin(sources)]
        mine = mine[mine["printed"].map(display.given).astype(bool)]
        for word in WORDS[:-1]:
            number = display.whole((mine["verdict"] == word).sum())
            key = f"paper.{page}.{word.replace(' ', '_')}"
            found[key] = number if len(measured) else display.MISSING
        found[f"paper.{page}.printed"] = (
            display.whole(len(mine)) if len(measured) else display.MISSING
        )
    seconds = measured["seconds"].sum()
    found["paper.seconds"] = display.whole(round(seconds)) if len(measured) else display.MISSING
    return found
