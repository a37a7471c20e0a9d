"""What the columns of the published files mean, from the description that lies beside them."""

from __future__ import annotations

from typing import Any

from benchmarks.cells import CELL_COLUMNS
from benchmarks.schema import ROW_COLUMNS
from benchmarks.site.html import Entry, Head, absent, table
from benchmarks.site.macros import UP, file_html
from benchmarks.store import Store, read_record

HEADS = tuple(Head(title, number=False) for title in ("Column", "Type", "Unit", "What it says"))

CELL = [column.name for column in CELL_COLUMNS]
ROW = [column.name for column in ROW_COLUMNS]


def columns(store: Store) -> str:
    """One table a CSV file; the columns that say what a row is of and where from come first, once.

    A file that no benchmark measured has neither.
    """
    resources = read_record(store.root / "datapackage.json").get("resources")
    if not resources:
        return absent("Columns")
    measured = next((fields for r in resources if _shared(fields := _fields(r))), None)
    parts = []
    if measured:
        parts.append("\n## In every file {: #shared }\n")
        for title, names in (("What was measured", CELL), ("How it went, and where", ROW)):
            mine = [field for field in measured if field["name"] in names]
            origin = "In every file whose rows this suite measured."
            parts.append(_table(title, mine, origin))
    for resource in resources:
        name, fields = resource["name"], _fields(resource)
        shared = _shared(fields)
        own = [f for f in fields if not shared or f["name"] not in (*CELL, *ROW)]
        parts.append(f"\n## {resource['path']} {{: #{name} }}\n")
        origin = f"Rows: {file_html(store.root, resource['path'], UP)}."
        if shared:
            origin += ' Beside these it has <a href="#shared">the columns of every file</a>.'
        parts.append(_table(resource["title"], own, origin))
    return "\n".join(parts)


def _fields(resource: dict[str, Any]) -> list[dict[str, str]]:
    return resource["schema"]["fields"]


def _shared(fields: list[dict[str, str]]) -> bool:
    """Whether a file has the columns of a measured row."""
    return {*CELL, *ROW} <= {field["name"] for field in fields}


def _table(title: str, fields: list[dict[str, str]], origin: str) -> str:
    body = [
        (
            Entry(field["name"]),
            Entry(field["type"]),
            Entry(field.get("unit", "–")),
            Entry(field["description"].removesuffix(f" [{field.get('unit')}]")),
        )
        for field in fields
    ]
    return table(title, "", HEADS, body, origin, prose=True)
