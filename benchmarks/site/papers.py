"""Tables of what papers print beside what their recipes give, and beside published reruns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from benchmarks import display, tables
from benchmarks.papers.recipes import recipes
from benchmarks.papers.reported import PAPERS, SIZES, Printed, printed
from benchmarks.papers.verdicts import WORDS
from benchmarks.site.html import Entry, Head, absent, table
from benchmarks.site.origin import all_rows, origin
from benchmarks.site.words import after
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


STRIDES = ("first 1x1 convolution (Caffe)", "3x3 convolution (torchvision)")
"""The lines of the table of choices about ResNet-50's stride: on the first 1x1, on the 3x3."""


@dataclass(frozen=True)
class Kind:
    """One kind of size, and the metrics that are of it."""

    title: str
    metrics: tuple[str, ...]


KINDS = (
    Kind("Parameters", ("params", "extra_params", "module_params_formula")),
    Kind("Operations", ("FLOPs", "extra_FLOPs")),
)
MAP = "position attention's map"
"""Sizes of the benchmark that are no paper's table, and have one of their own (`choices`)."""

METRICS = {
    "top1_err": ("Top-1 error", "%"),
    "top5_err": ("Top-5 error", "%"),
    "top1_acc": ("Top-1", "%"),
    "top5_acc": ("Top-5", "%"),
    "top1_err_224": ("Top-1 error", "%, crop of 224"),
    "top1_err_320": ("Top-1 error", "%, crop of 320"),
    "mIoU": ("mIoU", "%"),
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
    """The rows of the benchmark in the order of the recipes."""
    latest = tables.ok(tables.counted(store, "paper"))
    order = {line: place for place, line in enumerate(recipes())}
    lines = zip(*(latest[name] for name in ("paper", "table", *LINE)), strict=True)
    places = [order.get(line, len(order)) for line in lines]
    return latest.assign(place=places).sort_values("place", kind="stable")


def paper(store: Store, module: str) -> str:
    """Every table of one paper: sizes printed and computed, and what else is reported."""
    measured = rows(store)
    sources = [name for name, page in PAPERS.items() if page == module]
    parts = []
    for source in sources:
        mine = measured[measured["paper"] == source]
        given = list(dict.fromkeys(v.table for v in printed() if v.paper == source))
        own = [name for name in dict.fromkeys(mine["table"]) if name not in (*given, MAP)]
        names = own + given
        if names:
            parts.append(f"\n## {source}\n")
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
    found = {v.metric for v in values} | set(measured["metric"])
    kinds = [kind for kind in KINDS if found & set(kind.metrics)]
    others = list(dict.fromkeys(v.metric for v in values if v.metric not in SIZES))
    heads = [Head("Line", number=False)]
    columns = {
        kind: ("printed", "computed")[not any(v.metric in kind.metrics for v in values) :]
        for kind in kinds
    }
    units = {kind: _one_unit(by_line.values(), kind.metrics) for kind in kinds}
    heads += [
        Head(kind.title, f"{note}, {units[kind]}" if units[kind] and note == "printed" else note)
        for kind, notes in columns.items()
        for note in notes
    ]
    heads += [Head(*_reported_head(metric)) for metric in others]
    body = []
    for line, cells in by_line.items():
        entries = [Entry(_line_name(line, by_line))]
        for kind, notes in columns.items():
            entries += _sizes(cells, kind.metrics, units[kind])[-len(notes) :]
        entries += [_reported(cells.get(metric)) for metric in others]
        body.append(entries)
    note = "sizes computed here" if kinds else "reported, not ours"
    note += ", the rest is reported" if kinds and others else ""
    data = list(dict.fromkeys(v.dataset for v in values if v.dataset))
    note = after(", ".join(data), note)
    places = origin(store, measured, "paper") if len(measured) else all_rows(store, "reported")
    made = table(f"{name[0].upper()}{name[1:]}", note, heads, body, places)
    return made + (_recipes(store, name, measured, by_line) if len(measured) else "")


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


def _one_unit(lines: Iterable[dict[str, Any]], metrics: Sequence[str]) -> str:
    """The unit that all printed sizes of a column have, "" if they have several or none."""
    units = {_prefix(cells[m].unit) for cells in lines for m in metrics if m in cells}
    return units.pop() if len(units) == 1 else ""


def _sizes(cells: dict[str, Any], metrics: Sequence[str], unit: str) -> tuple[Entry, Entry]:
    """A size as printed and as computed, with its verdict; ``unit`` stands above the column."""
    for metric in metrics:
        row, given = cells.get(f"{metric} computed"), cells.get(metric)
        if row is None and given is None:
            continue
        said = Entry("not printed")
        if given:
            said = Entry(given.value if unit else _with_unit(given), _number(given.value))
        if row is None:
            return said, Entry(display.MISSING)
        if not display.given(row.computed):
            return said, Entry("", word=row.verdict)
        shown = f"{row.shown} {'' if unit else _prefix(row.unit)}".strip() if row.shown else ""
        if given and row.shown == given.value:
            shown = ""  # the word says that they are the same
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


def _recipes(store: Store, name: str, measured: pd.DataFrame, lines: Iterable[Line]) -> str:
    """The recipes of a table's sizes, folded away."""
    body = []
    for line, mine in measured.groupby(list(LINE), sort=False):
        found = tables.records(mine)
        first = found[0]
        built = any(display.given(row.computed) for row in found)
        counted = dict.fromkeys(row.counted for row in found if row.counted)
        why = dict.fromkeys(row.why for row in found if row.why and row.why != row.note)
        body.append(
            [
                Entry(_line_name(tuple(map(str, line)), lines)),
                Entry(f"{first.built}, {first.input_size} px" if built else "–"),
                Entry(first.plugged.rpartition(":")[2] or "–"),
                Entry(first.placed or "–"),
                Entry("; ".join(counted) if built else "–"),
                Entry(first.basis or "–"),
                Entry(first.note or "–"),
                Entry(display.with_minus("; ".join(why)) or "–"),
            ]
        )
    made = table(f"Recipes: {name}", "", RECIPE_HEADS, body, all_rows(store, "paper"))
    title = f"<summary>Recipes of {escape(name)}</summary>"
    return f'<details class="recipes">{title}\n{made}</details>\n'


def counts(store: Store) -> str:
    """How many printed sizes of each paper are reproduced, by verdict."""
    measured = rows(store)
    if measured.empty:
        return absent("Papers")
    heads = [Head("Paper", number=False), *(Head(word.capitalize()) for word in WORDS[:-1])]
    heads.insert(2, Head("Of these inferred", "exact by a recipe chosen for it"))
    heads += [Head("Formulas", "that give the code's count")]
    heads += [Head("Not printed", "our sizes of what is compared"), Head("All")]
    found = [(name, measured[measured["paper"] == name]) for name in PAPERS]
    found = [(name, mine) for name, mine in found if len(mine)]
    found.append(("All papers", measured[measured["paper"].isin(PAPERS)]))
    body = []
    for name, mine in found:
        given, formula = _printed(mine)
        numbers = [int((mine.loc[given, "verdict"] == word).sum()) for word in WORDS[:-1]]
        exact = given & (mine["verdict"] == "exact")
        numbers.insert(1, int((exact & (mine["basis"] == "inferred")).sum()))
        holds = int((formula & (mine["verdict"] == "exact")).sum())
        others = f"of {formula.sum()}" if holds < formula.sum() else ""
        rest = int((~given & ~formula).sum()), len(mine)
        cells = [Entry(str(n), n) for n in (*numbers, holds, *rest)]
        cells[len(numbers)] = Entry(str(holds), holds, word=others)
        body.append([Entry(name), *cells])
    places = origin(store, measured[measured["paper"].isin(PAPERS)], "paper")
    return table("Printed sizes by verdict", "parameters and operations", heads, body, places)


def _printed(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Which rows have a printed number, and which a printed formula instead."""
    given = rows["printed"].map(display.given).astype(bool)
    formula = rows["unit"] == "formula"
    return given & ~formula, given & formula


def differing(store: Store) -> str:
    """Every printed size that is not reproduced to the last digit, with what is known."""
    measured = rows(store)
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
            Entry(display.with_minus(row.why) or "–"),
        )
        for word in ("differs", "last digit")
        for row in tables.records(measured[measured["verdict"] == word])
    ]
    if len(measured) and not body:
        return '<p class="absent">Every printed size is reproduced.</p>\n'
    note = f"{len(body)} values"
    places = origin(store, measured, "paper")
    return table("Not reproduced", note, heads, body, places, prose=True)


def facts(store: Store) -> dict[str, str]:
    """Counts by verdict of each paper, and the time of a full run."""
    measured = rows(store)
    found = {}
    for page in (*NAMES, "all"):
        sources = [name for name, where in PAPERS.items() if page in (where, "all")]
        mine = measured[measured["paper"].isin(sources)]
        given, formula = _printed(mine)
        if page in ("eca", "all"):  # no other paper prints any
            holds = f"{(formula & (mine['verdict'] == 'exact')).sum()} of {formula.sum()}"
            found[f"paper.{page}.formulas"] = holds if len(measured) else display.MISSING
        mine = mine[given]
        for word in WORDS[:-1]:
            number = display.whole((mine["verdict"] == word).sum())
            key = f"paper.{page}.{word.replace(' ', '_')}"
            found[key] = number if len(measured) else display.MISSING
        exact = mine[mine["verdict"] == "exact"]
        counted = {"printed": len(mine), "exact.inferred": (exact["basis"] == "inferred").sum()}
        counted["exact.stated"] = len(exact) - counted["exact.inferred"]
        for key, number in counted.items():
            words = display.whole(number) if len(measured) else display.MISSING
            found[f"paper.{page}.{key}"] = words
    seconds = measured["seconds"].sum()
    found["paper.seconds"] = display.whole(round(seconds)) if len(measured) else display.MISSING
    return found | _choice_facts(measured)


ECA_CHOICES = {
    "default": "the default of the code",
    "down": "the formula, ties down (Eq. 12)",
    "up": "the formula, ties up (Fig. 3)",
    "released": "the released checkpoint",
}
"""The lines of the table of choices about ECA's kernel size, by the key of their fact."""


def _choice_facts(measured: pd.DataFrame) -> dict[str, str]:
    """Parameters that each choice of ECA's k adds, and what the place of the stride saves."""
    mine = measured[measured["paper"] == "Choices"]

    def computed(table: str, variant: str, metric: str) -> Any:
        here = (mine["table"] == table) & (mine["printed_variant"] == variant)
        found = mine.loc[here & (mine["metric"] == metric), "computed"]
        return found.iloc[0] if len(found) else None

    found = {
        f"choice.eca.{key}": display.shown(display.whole, computed("ECA: which k", words, "params"))
        for key, words in ECA_CHOICES.items()
    }
    place = "ResNet-50: where the stride sits"
    first, third = (computed(place, words, "FLOPs") for words in STRIDES)
    share = 100 * (1 - first / third) if first and third else None
    found["choice.stride.saves"] = display.shown(lambda n: f"{n:.1f} %", share)
    return found
