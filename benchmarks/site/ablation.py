"""Options of the modules: what each changes here, beside what papers print for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pandas as pd

from benchmarks import ablated, compare, display, pairing, power, tables
from benchmarks.ablation import FAMILIES, SHUFFLED, Family
from benchmarks.pairing import Comparison
from benchmarks.papers.reported import PAPERS, Printed, printed
from benchmarks.site import paired
from benchmarks.site.html import Entry, Head, table, value
from benchmarks.site.judged import how, older, seeds, tested, top1
from benchmarks.site.origin import all_rows, origin
from benchmarks.site.paired import difference
from benchmarks.site.papers import METRICS, NAMES
from benchmarks.site.reruns import accuracy
from benchmarks.site.words import after, verdict_counts
from benchmarks.store import Store

WORDS = {SHUFFLED: "eca, channels in a fixed random order"}
"""Arms whose name says too little."""

NOTHING = Entry("–")


@dataclass(frozen=True)
class Line:
    """A printed line of an option, and that of the default in the same table."""

    paper: str
    table: str
    network: str
    module: str
    variant: str
    default: tuple[str, str]


def _longer(words: str) -> str:
    return f"{words}, no FC bias, ~300-epoch plateau schedule + label smoothing"


_SE10 = partial(
    Line, "SENet TPAMI/arXiv-v4", "Table 10", "ResNet-50", default=("SE", _longer("r=16"))
)
_CBAM = partial(Line, "CBAM ECCV2018")
_CBAM1 = partial(
    _CBAM,
    "Table 1 (channel attention)",
    "ResNet-50",
    default=("CBAM-channel", "AvgPool & MaxPool"),
)
_CBAM2 = partial(
    _CBAM,
    "Table 2 (spatial attention)",
    "ResNet-50",
    default=("CBAM", "channel + spatial (avg&max, k=7)"),
)
_CBAM3 = partial(_CBAM, "Table 3 (arrangement)", "ResNet-50", default=("CBAM", "channel + spatial"))
_ECA2 = partial(Line, "ECA-Net CVPR2020", "Table 2", "ResNet-50", default=("ECA", "ECA k=3"))
_ECA2_SE = partial(_ECA2, default=("SE", "SE"))
_ECA4 = partial(
    Line, "ECA-Net CVPR2020", "Figure 4 (kernel size)", "ResNet-50", default=("ECA", "k=3")
)
_CA = partial(Line, "CoordAttention CVPR2021")
_CA1 = partial(_CA, "Table 1 (ablation)", "MobileNetV2-1.0", default=("Coord. Attention", "r=32"))
_CA4 = partial(_CA, "Table 4 (reduction ratio)", "MobileNetV2-1.0", default=("CA", "r=32"))
_SK = partial(Line, "SKNet CVPR2019")
_SK6 = partial(
    _SK,
    "Table 6 (2nd branch D,G)",
    "SKNet-50",
    default=("SK", "2nd branch kernel=3x3 D=2 G=32 (resulted 5x5)"),
)
_SK7 = partial(_SK, "Table 7 (kernel combos)", "SKNet-50", default=("SK", "K3+K5 SK"))

PRINTED: dict[str, dict[str, Line]] = {
    "se-reduction": {
        "none": _SE10("none", "plateau schedule + label smoothing"),
        "se": _SE10("SE", _longer("r=16")),
        "se reduction=4": _SE10("SE", _longer("r=4")),
        "se reduction=8": _SE10("SE", _longer("r=8")),
        "se min_channels=1 reduction=32": _SE10("SE", _longer("r=32")),
    },
    "se-excitation": {
        "none": _ECA2_SE("Vanilla", "Vanilla"),
        "se": _ECA2_SE("SE", "SE"),
        "se_var1": _ECA2_SE("SE-Var1", "SE-Var1 sigma(y)"),
        "se_var2": _ECA2_SE("SE-Var2", "SE-Var2 sigma(w.y)"),
        "se_var3": _ECA2_SE("SE-Var3", "SE-Var3 sigma(Wy)"),
        "se_gc": _ECA2_SE("SE-GC1", "SE-GC1 (16 groups)"),
    },
    "cbam": {
        "none": _CBAM1("none", "baseline"),
        "cbam": _CBAM2("CBAM", "channel + spatial (avg&max, k=7)"),
        "cbam order='spatial_first'": _CBAM3("CBAM", "spatial + channel"),
        "cbam order='parallel'": _CBAM3("CBAM", "channel & spatial in parallel"),
        "cbam pool='avg'": _CBAM1("CBAM-channel", "AvgPool (SE)"),
        "cbam pool='max'": _CBAM1("CBAM-channel", "MaxPool"),
        "cbam spatial=None": _CBAM2("CBAM", "channel"),
    },
    "eca": {
        "none": _ECA2("Vanilla", "Vanilla"),
        "eca": _ECA4("ECA", "k=3"),
        "eca kernel_size=5": _ECA4("ECA", "k=5"),
        "eca kernel_size=7": _ECA4("ECA", "k=7"),
        "eca kernel_size=9": _ECA4("ECA", "k=9"),
        "eca kernel_size='adaptive'": _ECA4("ECA", "adaptive"),
        "eca_ns": _ECA2("ECA-NS", "ECA-NS"),
    },
    "coord": {
        "none": _CA1("none", ""),
        "coord": _CA1("Coord. Attention", "r=32"),
        "coord min_channels=1 reduction=16": _CA4("CA", "r=16"),
        "coord axes='height'": _CA1("X Attention", "r=24"),
        "coord axes='width'": _CA1("Y Attention", "r=24"),
    },
    "sk": {
        "none": _SK7("none", "K3"),
        "sk": _SK7("SK", "K3+K5 SK"),
        "sk branches=((3,1),(3,1))": _SK6("SK", "2nd branch kernel=3x3 D=1 G=32 (resulted 3x3)"),
        "sk branches=((3,1),(5,1))": _SK6("SK", "2nd branch kernel=5x5 D=1 G=64 (resulted 5x5)"),
        "sk branches=((3,1),(3,3))": _SK7("SK", "K3+K7 SK"),
        "sk branches=((3,2),(3,3))": _SK7("SK", "K5+K7 SK"),
        "sk branches=((3,1),(3,2),(3,3))": _SK7("SK", "K3+K5+K7 SK"),
    },
}
"""Which printed line is of an arm, by family; an arm that no paper prints has none."""

SIZES = ("params", "module_params_formula")
FORMULA = "formula"
"""Unit of the sizes that are printed as a formula in the module's channels."""
TOP1 = ("top1_err", "top1_acc")


def line_value(line: Line, metrics: tuple[str, ...]) -> Printed | None:
    """What a line prints of the first metric that it has."""
    place = (line.paper, line.table, line.network, line.module, line.variant)
    found = {
        v.metric: v
        for v in printed()
        if (v.paper, v.table, v.backbone, v.module, v.variant) == place
    }
    return next((found[metric] for metric in metrics if metric in found), None)


def line_top1(line: Line) -> Printed:
    """The top-1 that a line prints, right or wrong. ValueError if it prints none."""
    found = line_value(line, TOP1)
    if found is None:
        raise ValueError(f"{line.paper}, {line.table}: no top-1 of {line.module} {line.variant}")
    return found


def printed_difference(line: Line) -> float:
    """Points of top-1 between a printed line and its default: mostly one run each."""
    return round(accuracy(line_top1(line)) - accuracy(line_top1(default_of(line))), 4)


def default_of(line: Line) -> Line:
    """The line of the default in the table of a printed line."""
    return replace(line, module=line.default[0], variant=line.default[1])


def name_of(arm: str) -> str:
    """An arm as people read it."""
    return WORDS.get(arm, arm)


def family(store: Store, name: str) -> str:
    """A family's arms in every comparison, what the suite would train if there is none; sources."""
    found = ablated.comparisons(store) or [ablated.planned()]
    return "\n".join([*(_table(store, which, name) for which in found), sources(store, name)])


def sources(store: Store, name: str) -> str:
    """Which printed line stands beside each arm of a family, folded away."""
    heads = [Head(word, number=False) for word in ("Option", "Printed in", "Network", "Line")]
    body = []
    for arm in ("none", FAMILIES[name].module, *FAMILIES[name].names):
        line = PRINTED[name].get(arm)
        words = (Entry("not printed"), NOTHING, NOTHING)
        if line:
            place = f"{NAMES[PAPERS[line.paper]]}, {line.table}"
            words = (Entry(place), Entry(line.network), Entry(line.variant or line.module))
        body.append((Entry(name_of(arm)), *words))
    title = f"Printed lines: {FAMILIES[name].title}"
    made = table(title, "", heads, body, all_rows(store, "reported"))
    title = "<summary>Where the printed values are</summary>"
    return f'<details class="recipes">{title}\n{made}</details>\n'


def _table(store: Store, which: Comparison, name: str) -> str:
    chosen = FAMILIES[name]
    rows = ablated.rows(store, which, chosen)
    to_default = tables.by_arm(ablated.against_default(rows, chosen))
    metric = line_top1(PRINTED[name]["none"]).metric
    sizes = [line_value(line, SIZES) for line in PRINTED[name].values()]
    formulas = any(size and size.unit == FORMULA for size in sizes)
    alone = ablated.options(rows).empty
    tests = (
        Head("Bootstrap", "to default, BCa [95 %]"),
        Head("p", "to default, sign-flip, Holm"),
        Head("Seeds ahead", "of default, P(A > B)"),
        Head("Could show", f"to default, points, {power.OFTEN}"),
    )
    what, unit = METRICS[metric]
    heads = (
        Head("Option", number=False),
        Head("Difference to default", "top-1, points [95 %]"),
        Head("Printed difference", "points, no interval"),
        Head("Difference to none", "top-1, points [95 %]"),
        *(() if alone else tests),
        Head("Top-1", "%, mean"),
        Head("Seeds"),
        Head("Parameters", which.backbone),
        Head(f"Printed {what.lower()}", unit),
        Head("Its default", f"{unit}, in the same printed table"),
        Head("Printed parameters", "module" if formulas else "network", number=not formulas),
    )
    body = []
    for row in tables.records(ablated.against_none(rows, chosen)):
        less, line = to_default.get(row.arm), PRINTED[name].get(row.arm)
        body.append(
            (
                Entry(name_of(row.arm)),
                NOTHING if less is None else difference(less, chosen.module),
                _printed_difference(line, row.arm, chosen),
                difference(row),
                *(() if alone else _test(less, chosen)),
                top1(row),
                seeds(row),
                value(display.whole, row.params),
                *_printed(line),
            )
        )
    title = f"{chosen.title}, {which.title}"
    old = pairing.left_out(ablated.every_row(store, which, chosen), chosen.module)
    note = about(rows, which, chosen, old)
    return table(title, note, heads, body, origin(store, rows, "accuracy", "ablation"))


def standing(store: Store, which: Comparison) -> str:
    """How many options a comparison has all runs of, the page's first words; "" where of all."""
    enough = pairing.planned_seeds(which) or 1
    planned = measured = begun = 0
    for chosen in FAMILIES.values():
        runs = ablated.options(ablated.rows(store, which, chosen))["arm"].value_counts()
        planned, measured = planned + len(chosen.names), measured + int((runs >= enough).sum())
        begun += int((runs < enough).sum())
    if not measured + begun:
        return (
            f"**{display.MISSING.capitalize()} yet.** The tables name what will be trained, and "
            "have what the papers print for it."
        )
    more = f"; {begun} more {'is' if begun == 1 else 'are'} begun" if begun else ""
    return f"Measured so far: {measured} of {planned} options{more}." if measured < planned else ""


def facts(store: Store) -> dict[str, str]:
    """Verdicts of each family in its first comparison: against the default, and against none."""
    which = next(iter(ablated.comparisons(store)), ablated.planned())
    found = {"ablation.what": which.title, "ablation.standing": standing(store, which)}
    for name, family in FAMILIES.items():
        rows = ablated.rows(store, which, family)
        start = preview(rows, which, family)
        both = ablated.against_default(rows, family), ablated.against_none(rows, family)
        for key, other, judged in zip(
            ("default", "none"), (family.module, "none"), both, strict=True
        ):
            verdicts = judged["verdict"].dropna().tolist()
            counts = verdict_counts(verdicts, "option" if len(verdicts) == 1 else "options")
            apart = paired.across(rows, [(arm, other) for arm in family.names])
            text = after(start, " ".join([counts, *(f"{words}." for words in apart)]), ". ")
            measured = not ablated.options(rows).empty
            found[f"ablation.{name}.{key}"] = text if measured else display.MISSING
    return found


def preview(rows: pd.DataFrame, which: Comparison, chosen: Family) -> str:
    """What a family's table has to begin with; "" for a result."""
    if ablated.options(rows).empty:
        return display.MISSING.capitalize()
    frame = ablated.against_default(rows, chosen)
    bare = {"arm": "none", **compare.runs(rows[rows["arm"] == "none"])}
    frame = pd.concat([frame, pd.DataFrame([bare])], ignore_index=True)
    return compare.preview_words(frame, which, frame["arm"])


def about(rows: pd.DataFrame, which: Comparison, chosen: Family, old: int = 0) -> str:
    """How a family was trained; what is no result begins with the word.

    ``old`` rows of older code were left out.
    """
    to_default = [(arm, chosen.module) for arm in chosen.names]
    words = [*how(rows, which), *older(old)]
    words += paired.across(rows, [*paired.with_none(rows), *to_default])
    return after(preview(rows, which, chosen), ", ".join(words))


def _test(row: Any, chosen: Family) -> list[Entry]:
    return [NOTHING] * 4 if row is None or row.arm == chosen.module else tested(row)


def _printed_difference(line: Line | None, arm: str, chosen: Family) -> Entry:
    if arm == chosen.module:
        return Entry(display.REFERENCE, 0.0)
    if line is None or arm == "none":
        return NOTHING
    points = printed_difference(line)
    return Entry(display.points(points), points)


def _printed(line: Line | None) -> tuple[Entry, Entry, Entry]:
    """What a paper prints: accuracy, that of the default beside it, and size."""
    if line is None:
        return NOTHING, NOTHING, NOTHING
    both = [line_top1(one).value for one in (line, default_of(line))]
    size = line_value(line, SIZES)
    shown_size = NOTHING
    if size:
        of_module = size.unit == FORMULA
        words = size.value if of_module else f"{size.value} {size.unit}"
        shown_size = Entry(words, None if of_module else float(size.value))
    shown, default = (Entry(number, float(number)) for number in both)
    return shown, default, shown_size
