"""The columns of a table, and how a value looks in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.cells import CELL_COLUMNS, Benchmark, Column

ROW_COLUMNS = (
    Column("status", "string", "", "ok, failed, diverged, crashed or timeout"),
    Column("reason", "string", "", "why the status is not ok"),
    Column("seconds", "number", "s", "wall-clock time that the measurement took"),
    Column("measured_at", "string", "UTC", "when the row was finished (ISO 8601)"),
    Column("commit", "string", "", "commit of the code that measured"),
    Column("dirty", "boolean", "", "whether the code differed from that commit"),
    Column("machine", "string", "", "record in machines/"),
    Column("environment", "string", "", "record in environments/"),
    Column("fingerprint", "string", "", "hash of the code that decides the values"),
    Column("key", "string", "", "hash of the cell"),
)


def columns(benchmark: Benchmark) -> tuple[Column, ...]:
    """The columns of a benchmark's table: its cell, its values, its provenance."""
    return (*CELL_COLUMNS, *benchmark.columns, *ROW_COLUMNS)


def plain(value: Any) -> Any:
    """A value that JSON and CSV hold: a number out of its array, text with plain line ends."""
    if isinstance(value, str):
        lines = value.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
        return lines.encode("utf-8", "backslashreplace").decode()
    if hasattr(value, "item"):
        return value.item()
    if value is None or isinstance(value, bool | int | float):
        return value
    raise ValueError(f"a row holds plain values, not {type(value).__name__}")


def shortest(value: Any) -> str:
    """The shortest text that reads back as the same number."""
    return repr(float(value))


def _integer(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(f"{value!r} is not an integer")
    return int(value)


def _boolean(value: Any) -> bool:
    words = {"True": True, "False": False}
    if str(value) not in words:
        raise ValueError(f"{value!r} is neither True nor False")
    return words[str(value)]


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    return value


_DTYPES = {"string": "string", "integer": "Int64", "number": "float64", "boolean": "boolean"}
_CONVERT = {"string": _string, "integer": _integer, "number": float, "boolean": _boolean}


def require_types(row: dict[str, Any], schema: tuple[Column, ...]) -> None:
    """Raise ValueError, as `typed` does, for a plain value that is not of its column's type."""
    for column in schema:
        value = row.get(column.name)
        if value is not None and value == value:  # NaN, which differs from itself, is empty too
            _converted([value], column)


def require_known(frame: pd.DataFrame, schema: tuple[Column, ...]) -> None:
    """Raise ValueError for a column that the schema lacks and that holds something.

    Written back it would be lost.
    """
    known = {column.name for column in schema}
    held = [str(c) for c in frame if c not in known and frame[c].notna().any()]
    if held:
        raise ValueError(f"it has columns of another version of the suite: {', '.join(held)}")


def typed(frame: pd.DataFrame, schema: tuple[Column, ...]) -> pd.DataFrame:
    """The columns of the schema, each in its type. Raises ValueError for a value of another."""
    frame = frame.reindex(columns=[c.name for c in schema])
    result = {}
    for column in schema:
        given = frame[column.name]
        here = given.notna().to_numpy()
        values = np.full(len(given), None, dtype=object)
        values[here] = np.fromiter(_converted(given[here], column), dtype=object)
        result[column.name] = pd.Series(values, index=frame.index, dtype=_DTYPES[column.type])
        if column.type == "string":
            result[column.name] = result[column.name].fillna("")
    return pd.DataFrame(result)


def _converted(values: Iterable[Any], column: Column) -> list[Any]:
    convert = _CONVERT[column.type]
    try:
        return [convert(value) for value in values]
    except (ValueError, TypeError) as error:
        raise ValueError(f"column {column.name}: {error}") from error
