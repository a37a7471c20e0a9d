"""Wide or deep networks for the same budget, as tables and a chart."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from benchmarks import depth, display, stats, tables
from benchmarks.site import paired
from benchmarks.site.charts import EVEN_PADDING, Figure, axis, nominal, panels, shaped
from benchmarks.site.html import Entry, Head, absent, table, value
from benchmarks.site.origin import origin
from benchmarks.site.paired import rows_of
from benchmarks.store import Store


def budgets(store: Store) -> str:
    """One table a budget: accuracy by depth, against the network of one layer."""
    rows = rows_of(store, "depth")
    rows = rows[rows["recipe"].isin((depth.REFERENCE, *depth.BUDGETS))]
    rows = rows[rows["backbone"].isin(depth.KINDS)]
    made = [_budget(store, rows, b) for b in depth.BUDGETS if (rows["recipe"] == b).any()]
    return "\n".join(made) if made else absent("Wider or deeper")


def _budget(store: Store, rows: pd.DataFrame, budget: str) -> str:
    reference = rows[rows["recipe"] == depth.REFERENCE]
    mine = rows[rows["recipe"] == budget]
    heads = (
        Head("Hidden layers"),
        Head("Test accuracy", "%, mean [95 %]"),
        Head("Against one layer", "points, paired by seed [95 %], verdict"),
        Head("Training accuracy", "%, mean [95 %]"),
        Head("Gradient, first over last", "log10, untrained"),
        Head("Units a layer"),
        Head("Parameters"),
        Head("Steps", "mean"),
        Head("Rate"),
    )
    arms = _arms(mine)
    verdicts = _family(arms, reference)
    body = [_line("1", reference, Entry(display.REFERENCE))] if len(reference) else []
    for name, arm in arms.items():
        if len(arm):
            against = paired.change(arm, reference, "accuracy")
            word = verdicts[name].verdict if against.sort is not None else ""
            body.append(_line(name, arm, replace(against, word=word)))
    note = f"Fashion-MNIST, {depth.IMAGES:,} images, {reference['seed'].nunique()} seeds"
    note += f"; {paired.ADJUSTED}"
    return table(budget.capitalize(), note, heads, body, origin(store, mine, "depth"))


def families(store: Store) -> list[int]:
    """How many verdicts each table of `budgets` has; each is a family of its own."""
    rows = rows_of(store, "depth")
    reference = rows[rows["recipe"] == depth.REFERENCE]
    made = [rows[rows["recipe"] == budget] for budget in depth.BUDGETS]
    found = [_family(_arms(mine), reference).values() for mine in made if len(mine)]
    return [sum(line.n > 0 for line in lines) for lines in found]


def _arms(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The networks of a budget by their name."""
    return {
        f"{layers}, {kind}": _of_depth(rows, layers, kind)
        for layers in depth.DEPTHS[1:]
        for kind in depth.KINDS
    }


def _family(arms: dict[str, pd.DataFrame], reference: pd.DataFrame) -> dict[str, stats.Paired]:
    return stats.paired(
        {name: paired.differences(arm, reference, "accuracy") for name, arm in arms.items()}
    )


def pieces(store: Store) -> str:
    """How many straight pieces the same number of units draws, by depth."""
    rows = tables.ok(rows_of(store, "depth"))
    rows = rows[rows["backbone"] == depth.FOLDS]
    if rows.empty:
        return absent("Pieces of a sawtooth")
    heads = (Head("Hidden layers"), Head("Units a layer"), Head("Straight pieces"))
    body = []
    for layers in depth.DEPTHS:
        mine = rows[rows["variant"] == depth.layers(layers)]
        numbers = (value(display.whole, mine[name].max()) for name in ("width", "pieces"))
        body.append((Entry(str(layers)), *numbers))
    note = f"{depth.FOLDED} units, weights by formula, nothing trained"
    return table("Pieces of a sawtooth", note, heads, body, origin(store, rows, "depth"))


def _of_depth(rows: pd.DataFrame, layers: int, kind: str) -> pd.DataFrame:
    return rows[(rows["variant"] == depth.layers(layers)) & (rows["backbone"] == kind)]


def _line(name: str, rows: pd.DataFrame, against: Entry) -> tuple[Entry, ...]:
    return (
        Entry(name, int(name.partition(",")[0])),
        paired.percent(rows),
        against,
        paired.percent(rows, "train_accuracy"),
        value(paired.power_of_ten, rows["gradient"].mean()),
        value(display.whole, rows["width"].max()),
        value(display.whole, rows["params"].max()),
        value(display.rounded, rows["steps"].mean()),
        paired.rate_and_seeds(rows)[0],
    )


def figure(store: Store) -> Figure:
    """Test accuracy by depth, a panel a budget."""
    rows = tables.ok(rows_of(store, "depth"))
    rows = rows[rows["backbone"].isin(depth.KINDS)]
    values = []
    for budget in depth.BUDGETS:
        for kind in depth.KINDS if (rows["recipe"] == budget).any() else ():
            for layers in depth.DEPTHS:
                mine = rows[rows["recipe"] == (depth.REFERENCE if layers == 1 else budget)]
                found = _of_depth(mine, layers, "plain" if layers == 1 else kind)["accuracy"]
                if len(found):
                    words = {"budget": budget, "kind": kind, "depth": layers}
                    values.append({**words, **paired.ends(found.tolist())})
    encoding = {
        "x": axis("depth", "hidden layers", "ordinal", axis={"labelAngle": 0}),
        "y": axis("mean", "test accuracy, %", scale={"zero": False}),
        "color": nominal("kind", depth.KINDS),
    }
    line = {"mark": {"type": "line", "strokeWidth": 2}, "encoding": encoding}
    layers = [line, *paired.marks(shaped(encoding), "y")]
    titles = [b for b in depth.BUDGETS if any(v["budget"] == b for v in values)]
    size = panels("budget", 2, 230, 200, titles, padding=EVEN_PADDING)
    caption = (
        "Test accuracy by depth: what all networks of a panel have in common with the network of "
        "one hidden layer is written above it. Mean and 95 % interval over the seeds."
    )
    alt = "; ".join(
        f"{v['budget']}, {v['depth']} hidden, {v['kind']}: {display.percent(v['mean'])} %"
        for v in values
    )
    return Figure("depth", caption, alt, values, layers, size)
