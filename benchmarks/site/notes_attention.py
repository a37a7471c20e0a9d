"""Tables of the exact properties of modules: what a gate sees, which channels reach it, sizes."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from benchmarks import display, tables
from benchmarks.site.html import Entry, Head, absent, table
from benchmarks.site.notes import ends, number
from benchmarks.site.origin import origin
from benchmarks.store import Store

SHUFFLES = ("pixels", "rows", "columns", "channels")
KERNELS = ("kernel size", "kernel size, linear")

BY_SHUFFLE = {
    "gate changes": "What a gate sees",
    "output follows": "What the output follows",
}
"""Properties that are asked of every shuffle, and the captions of their tables."""

LISTED = {
    "links": ("rank", "links"),
    "parts": (
        *("outer product", "lowest gate", "weights sum", "weights sigmoid", "start", "order"),
        "dissimilar",
    ),
    "sizes": ("parameters", "branch", "reach", "width of z", "not nearest odd"),
}
"""Properties with a line each, by the table that has them."""

CAPTIONS = {
    "links": "Which channels reach which gate",
    "parts": "Parts of the modules",
    "sizes": "Sizes",
}

DRAWN = "random weights and maps, 64 channels, float64"


def fragments(store: Store) -> dict[str, str]:
    """Every table of this file by name."""
    made = {f"properties-{kind}": listed(store, kind) for kind in LISTED}
    made["properties-sees"] = "\n".join(by_shuffle(store, recipe) for recipe in BY_SHUFFLE)
    made["properties-sizes"] += f"\n{kernels(store)}"
    return made


def by_shuffle(store: Store, recipe: str) -> str:
    """A line a module, a column a shuffle."""
    rows = _rows(store, (recipe,))
    if rows.empty:
        return absent(BY_SHUFFLE[recipe])
    found = set(rows["data"])
    across = [name for name in SHUFFLES if name in found] + sorted(found - set(SHUFFLES))
    heads = [Head("Module", number=False), *(Head(name.capitalize()) for name in across)]
    body = []
    for arm in tables.in_order(rows["arm"]):
        mine = rows[rows["arm"] == arm]
        each = (mine[mine["data"] == name] for name in across)
        body.append((Entry(arm), *(_largest(found, "{:.2g}".format) for found in each)))
    seeds = display.span(rows.groupby(["arm", "data"])["seed"].count())
    note = f"{rows['what'].iloc[0]}; of {seeds} seeds, the least below it; {DRAWN}"
    return table(BY_SHUFFLE[recipe], note, heads, body, origin(store, rows, "properties"))


def kernels(store: Store) -> str:
    """The kernel size of ECA by two rules, a line a number of channels."""
    rows = _rows(store, KERNELS)
    heads, columns, rules = [Head("Channels")], [], []
    for recipe in KERNELS:
        mine = rows[rows["recipe"] == recipe]
        heads.append(Head(recipe.capitalize()))
        rules.append(f"{recipe}: {''.join(mine['what'].iloc[:1])}")
        columns.append(mine.set_index("data"))
    widths = sorted(set(rows["data"]), key=lambda data: int(data.removeprefix("C=")))
    body = [
        (Entry(width.removeprefix("C=")), *(_largest(column.loc[[width]]) for column in columns))
        for width in widths
    ]
    note = "; ".join(rules)
    return table("Kernel sizes of ECA", note, heads, body, origin(store, rows, "properties"))


def listed(store: Store, kind: str) -> str:
    """A line a property, module and what it is asked of."""
    rows = _rows(store, LISTED[kind])
    what = (Head("Module", number=False), Head("What", number=False))
    drawn = bool(rows["seed"].notna().any())
    values = (Head("Largest"), Head("Smallest"), Head("Seeds")) if drawn else (Head("Value"),)
    keys = ["recipe", "data", "arm"]
    order = {name: i for i, name in enumerate(LISTED[kind])}
    groups = sorted(rows.groupby(keys, sort=False), key=lambda group: order[group[0][0]])
    body = [
        (
            Entry(str(arm)),
            Entry(f"{mine['what'].iloc[0]}{f': {data}' * bool(data)}"),
            *ends(mine)[: len(values)],
        )
        for (_, data, arm), mine in groups
    ]
    note = DRAWN if drawn else "nothing in them is random"
    if kind == "parts":
        note += "; where C = N, 36 channels"
    return table(CAPTIONS[kind], note, (*what, *values), body, origin(store, rows, "properties"))


def _rows(store: Store, recipes: tuple[str, ...]) -> pd.DataFrame:
    """The rows of these properties, of one machine for each property of an arm."""
    rows = tables.with_arm(tables.ok(store.table("properties")))
    rows = rows[rows["recipe"].isin(recipes)]
    chosen = [tables.one_machine(mine) for _, mine in rows.groupby(["recipe", "arm"], sort=False)]
    return pd.concat(chosen) if chosen else rows


def _largest(rows: pd.DataFrame, form: Callable[[float], str] = number) -> Entry:
    """The largest value over the seeds, the least below it where it differs."""
    if rows.empty:
        return Entry(display.MISSING)
    most, least = form(rows["value"].max()), form(rows["value"].min())
    return Entry(most, rows["value"].max(), f"least {least}" if least != most else "")
