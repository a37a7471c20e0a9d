"""What the files in ``results/`` are, as a Data Package (https://datapackage.org)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from benchmarks import reproduced
from benchmarks.cells import Column, benchmarks
from benchmarks.notes import claimed
from benchmarks.papers import reported
from benchmarks.schema import columns

NAME = "datapackage.json"

BESIDE = (
    (reported.PATH.name, reported.TITLE, reported.COLUMNS),
    (claimed.RESULT, claimed.TITLE, claimed.RESULT_COLUMNS),
    (reproduced.FILE, reproduced.TITLE, reproduced.COLUMNS),
)
"""Tables that no benchmark writes: their files, titles and columns."""


def text(root: Path) -> str:
    """The description of the tables in a folder, as JSON."""
    key = {"primaryKey": ["key", "machine"]}
    resources = [
        _resource(root / f"{name}.csv", benchmark.title, columns(benchmark), key)
        for name, benchmark in benchmarks().items()
        if (root / f"{name}.csv").exists()
    ]
    for name, title, schema in BESIDE:
        if (root / name).exists():
            resources.append(_resource(root / name, title, schema, {}))
    package = {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "attn-bench-results",
        "title": "Measured cost, coverage, latency and accuracy of visual attention modules",
        "licenses": [{"name": "CC-BY-4.0", "path": "https://creativecommons.org/licenses/by/4.0/"}],
        "resources": resources,
    }
    return json.dumps(package, indent=2) + "\n"


def _resource(
    path: Path, title: str, schema: tuple[Column, ...], key: dict[str, Any]
) -> dict[str, Any]:
    data = path.read_bytes()
    header = data.partition(b"\n")[0].decode().split(",")
    fields = {"fields": [described(c) for c in schema if c.name in header]}
    return {
        "name": path.stem,
        "title": title,
        "path": path.name,
        "format": "csv",
        "mediatype": "text/csv",
        "bytes": len(data),
        "hash": f"sha256:{hashlib.sha256(data).hexdigest()}",
        "schema": {**fields, **key, "missingValues": [""]},
    }


def described(column: Column) -> dict[str, str]:
    """A column as the package describes it."""
    unit = f" [{column.unit}]" if column.unit else ""
    field = {"name": column.name, "type": column.type, "description": column.description + unit}
    return {**field, **({"unit": column.unit} if column.unit else {})}
