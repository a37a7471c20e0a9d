"""Tables of training speed: the suite's loop beside the bare one, and beside timm's script."""

from __future__ import annotations

from html import escape
from typing import Any

from benchmarks import display, tables
from benchmarks.site.html import Entry, Head, absent, estimate, table, value
from benchmarks.site.origin import origin
from benchmarks.store import Store
from benchmarks.throughput import BARE, LOOP, MACHINE, SCRIPT, SCRIPT_PLAIN

NAMES = {
    LOOP: "the suite's loop",
    BARE: "the bare loop",
    MACHINE: "the suite's loop",
    SCRIPT: "timm's script",
    SCRIPT_PLAIN: "timm's script, no augmentation",
}


def throughput(store: Store) -> str:
    """Both comparisons, of one machine; and the command lines of timm's script."""
    rows = tables.one_machine(store.table("throughput"))
    if rows.empty:
        return absent("Training speed")
    inside = rows[rows["recipe"].isin([LOOP, BARE])]
    machine = rows[~rows["recipe"].isin([LOOP, BARE])]
    parts = []
    if len(inside):
        note = "one process; a sample is one epoch of so many batches, in turns in random order"
        parts += ["\n## Beside the bare loop\n", _table(store, "One training loop", note, inside)]
    if len(machine):
        note = "all cores; each program's fastest epoch but the first"
        parts += ["\n## Beside timm's training script\n"]
        parts += [_table(store, "Training on the whole machine", note, machine)]
        parts += [_commands(machine)]
    return "\n".join(parts)


def _table(store: Store, caption: str, note: str, rows: Any) -> str:
    heads = (
        Head("Program", number=False),
        Head("Backbone", number=False),
        Head("Layout", number=False),
        Head("Processes"),
        Head("Threads", "in each"),
        Head("Workers", "that load images"),
        Head("Images a second"),
        Head("Ratio", "of rates [95 %]"),
        Head("Compared with", number=False),
    )
    body = [
        (
            Entry(NAMES[row.recipe]),
            Entry(row.backbone),
            Entry(row.layout),
            value(display.whole, row.processes, row.status),
            value(display.whole, row.threads),
            value(display.whole, row.workers, row.status),
            value(display.whole, row.images_per_second, row.status),
            estimate(display.ratio, row.ratio, row.ratio_low, row.ratio_high, "", row.status),
            Entry(_against(row)),
        )
        for row in tables.records(rows)
    ]
    return table(caption, note, heads, body, origin(store, rows, "throughput"))


def _against(row: Any) -> str:
    if row.status != "ok":
        return display.MISSING
    return "a second copy of itself" if row.recipe == BARE else row.against


def _commands(rows: Any) -> str:
    """The command lines that ran, as a reader may run them."""
    ran = rows[rows["command"] != ""].sort_values("threads", kind="stable")
    lines = [
        f"OMP_NUM_THREADS={row.threads} {row.command} --data-dir DATA --output OUTPUT"
        for row in tables.records(ran)
    ]
    if not lines:
        return ""
    release = ", ".join(sorted(set(ran["script"])))
    text = escape("\n".join(dict.fromkeys(lines)))
    return (
        f"<p>The script is that of timm's release {escape(release)}:</p>\n"
        f'<pre tabindex="0"><code>{text}</code></pre>\n'
    )
