"""The suites, and how much of what `cpu` trains is there: runs with a row, of those planned."""

from __future__ import annotations

from benchmarks import display
from benchmarks.cells import SUITES, Cell, Selection, benchmarks
from benchmarks.site.html import Entry, Head, table, value
from benchmarks.site.origin import all_rows
from benchmarks.store import Store
from benchmarks.widths import WIDTHS

TRAINED = {
    "accuracy": "Accuracy",
    "mechanism": "Mechanism tasks",
    "headroom": "Mechanism tasks made easy",
    "segmentation": "Segmentation",
    "controls": "Controls",
    "learned": "What trained modules do",
    "task_controls": "Controls on mechanism tasks",
    "norm_control": "CBAM's norm on mechanism tasks",
    "ablation": "Ablations",
    "ladder": "Steps of the recipe",
    "rates": "Peaks of the learning rate",
}
"""The benchmarks that compare trained arms, as people call them."""


def suites(store: Store) -> str:
    """The suites by name; the same for every store."""
    heads = [Head(title, number=False) for title in ("Suite", "What it measures", "Device")]
    body = [[Entry(s.name), Entry(s.description), Entry(s.device)] for s in SUITES.values()]
    return table("Suites", "", heads, body, "Options add to a suite or narrow it, see below.")


def complete(store: Store) -> str:
    """A line a benchmark and network."""
    heads = (
        Head("What is trained", number=False),
        Head("Network", number=False),
        Head("Runs there"),
        Head("Planned"),
        Head("There", "%"),
    )
    body = []
    for name, words in TRAINED.items():
        there = set(store.table(name)["key"])
        for network, keys in planned(name).items():
            found = len(keys & there)
            body.append(
                (
                    Entry(words),
                    Entry(network),
                    value(display.whole, found),
                    value(display.whole, len(keys)),
                    value(display.whole, 100 * found // len(keys)),
                )
            )
    note = "a run that diverged is a run, and so is one of older code; on a processor"
    return table("What is complete", note, heads, body, all_rows(store, *TRAINED))


def planned(name: str) -> dict[str, set[str]]:
    """The keys of what the suite has planned, by network; the other widths are one."""
    found: dict[str, set[str]] = {}
    for cell in benchmarks()[name].cells(Selection("cpu")):
        found.setdefault(_network(cell), set()).add(cell.key)
    return found


def _network(cell: Cell) -> str:
    return f"the first at {len(WIDTHS)} other widths" if cell.backbone in WIDTHS else cell.backbone
