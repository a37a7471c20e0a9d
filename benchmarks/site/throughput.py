"""Tables of training speed: the suite's loop beside the bare one, and beside timm's script."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd

from benchmarks import display, tables
from benchmarks.site.html import Entry, Head, absent, estimate, table, value
from benchmarks.site.origin import origin
from benchmarks.store import Store
from benchmarks.throughput import BARE, LOOP
from benchmarks.whole_machine import EACH, ONE, SCRIPT, SCRIPT_PLAIN, SUITE

NAMES = {
    LOOP: "suite",
    BARE: "bare loop",
    SUITE: "suite",
    SCRIPT: "timm's script",
    SCRIPT_PLAIN: "timm's script, no augmentation",
}
TITLES = {ONE: "One training on the machine", EACH: "One training a core"}


def throughput(store: Store) -> str:
    """Both comparisons, of one machine, a table a backbone; the commands of timm's script."""
    rows = tables.one_machine(store.table("throughput"))
    if rows.empty:
        return absent("Training speed")
    beside_bare = rows["recipe"].isin([LOOP, BARE])
    inside, machine = rows[beside_bare], rows[~beside_bare]
    parts = ["\n## Beside the bare loop\n", *_tables(store, inside, _inside)]
    parts.append("\n## Beside timm's training script\n")
    for comparison in TITLES:
        mine = machine[machine["recipe"].str.contains(f", {comparison}", regex=False)]
        parts += _tables(store, mine, _machine)
    return "\n".join([*parts, _commands(machine)])


def _tables(store: Store, rows: pd.DataFrame, make: Any) -> list[str]:
    if rows.empty:
        return [absent("This comparison")]
    return [make(store, str(name), mine) for name, mine in rows.groupby("backbone")]


def _inside(store: Store, backbone: str, rows: pd.DataFrame) -> str:
    heads = (
        Head("Program", number=False),
        Head("Speed over the bare loop's", "[nominal 95 %]"),
        Head("Images a second"),
        Head("Threads"),
        Head("Layout", "and precision", number=False),
    )
    order = rows.sort_values(["layout", "precision", "threads", "recipe"], kind="stable")
    body = [
        (
            Entry(NAMES[row.recipe]),
            _ratio(row, "its second copy" if row.recipe == BARE else ""),
            value(display.whole, row.images_per_second, row.status),
            value(display.whole, row.threads),
            Entry(f"{row.layout}, {row.precision}"),
        )
        for row in tables.records(order)
    ]
    note = f"{backbone}; one process that runs both by turns, in random order"
    return table("One training loop", note, heads, body, origin(store, rows, "throughput"))


def _machine(store: Store, backbone: str, rows: pd.DataFrame) -> str:
    """One of the two comparisons with the script."""
    (title,) = {words for name, words in TITLES.items() if f", {name}" in rows["recipe"].iloc[0]}
    heads = (
        Head("Program", number=False),
        Head("Speed over the script's", "fastest of its setting [95 %]"),
        Head("Images a second", "all processes"),
        Head("Processes"),
        Head("Threads", "in each"),
        Head("Loaders", "processes for each"),
        Head("Layout", "and precision", number=False),
    )
    order = rows.sort_values(
        ["layout", "precision", "ratio"], ascending=[True, True, False], kind="stable"
    )
    body = [
        (
            Entry(_program(row.recipe)),
            _ratio(row, ""),
            value(display.whole, row.images_per_second, row.status),
            value(display.whole, row.processes, row.status),
            value(display.whole, row.threads),
            value(display.whole, row.workers, row.status),
            Entry(f"{row.layout}, {row.precision}"),
        )
        for row in tables.records(order)
    ]
    note = f"{backbone}; every program by turns, the interval over the turns"
    return table(title, note, heads, body, origin(store, rows, "throughput"))


def _program(recipe: str) -> str:
    """``timm script, no augmentation, one training, 2 workers`` without its last words."""
    program = max(
        (name for name in (SUITE, SCRIPT, SCRIPT_PLAIN) if recipe.startswith(name)), key=len
    )
    return NAMES[program]


def _ratio(row: Any, word: str) -> Entry:
    return estimate(display.ratio, row.ratio, row.ratio_low, row.ratio_high, word, row.status)


def _commands(rows: pd.DataFrame) -> str:
    """The command lines that ran, as a reader may run them."""
    order = ["layout", "precision", "threads"]
    ran = rows[rows["command"] != ""].sort_values(order, kind="stable")
    if ran.empty:
        return ""
    lines = [
        f"OMP_NUM_THREADS={row.threads} {row.command} --data-dir DATA --output OUTPUT"
        for row in tables.records(ran)
    ]
    release, installed = (escape(", ".join(sorted(set(ran[name])))) for name in ("script", "timm"))
    unique = list(dict.fromkeys(lines))
    text, count = escape("\n".join(unique)), display.many(len(unique), "command")
    return (
        f"<p>The script is that of timm's release {release}, and timm {installed} is installed. "
        "Where the table says a training a core, one of these ran on each core at once.</p>\n"
        f'<details class="note"><summary>{count} that ran</summary>\n'
        f'<pre class="wrapped" tabindex="0"><code>{text}</code></pre>\n</details>\n'
    )
