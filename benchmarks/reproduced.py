"""Which code gives the same values as other code: what `verify --stale` has found.

The table lies beside those of the benchmarks. A row of it says that a stale row was measured again
and that every value came out equal, to the bit. It stands for the rows that differ from that one by
their seed alone and were measured by the same code on the same machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.cells import CELL_COLUMNS, Column
from benchmarks.schema import typed

FILE = "reproduced.csv"

TITLE = "Older rows that newer code measured again, with equal values"

COLUMNS = (
    *CELL_COLUMNS,
    Column("before", "string", "", "fingerprint of the code that had measured it"),
    Column("after", "string", "", "fingerprint of the code that measured it again"),
    Column("values", "integer", "", "values of the row that were compared, all of them equal"),
    Column("measured_at", "string", "UTC", "when it was measured again (ISO 8601)"),
    Column("commit", "string", "", "commit of the code that measured it again"),
    Column("dirty", "boolean", "", "whether the code differed from that commit"),
    Column("machine", "string", "", "record in machines/; of both measurements"),
    Column("environment", "string", "", "record in environments/; of the second measurement"),
)

_ALIKE = [*(column.name for column in CELL_COLUMNS if column.name != "seed"), "machine"]

Kind = tuple[str, ...]
"""What a row is of and where it was measured, its seed apart."""


def read(root: Path) -> pd.DataFrame:
    """The table in a folder of results, in the order of measurement; empty if there is none.

    Raises ValueError for one that can't be read.
    """
    path = root / FILE
    if not path.exists():
        return typed(pd.DataFrame(), COLUMNS)
    with open(path, encoding="utf-8") as file:
        require_merged(file)
    frame = pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""])
    missing = [column.name for column in COLUMNS if column.name not in frame]
    if missing:
        raise ValueError(f"it lacks the columns {', '.join(missing)}")
    broken = frame.index[frame[["before", "after", "machine"]].isna().any(axis=1)]
    if len(broken):
        raise ValueError(f"row {broken[0] + 1} lacks one of its codes or its machine")
    return typed(frame, COLUMNS)


def require_merged(lines: Iterable[str]) -> None:
    """ValueError for a table in which git left the marks of a conflict."""
    for number, line in enumerate(lines, 1):
        if line.startswith(("<<<<<<<", "=======", ">>>>>>>")):
            raise ValueError(f"line {number} is a mark of a merge conflict: {line[:20].strip()}")


class Codes:
    """Fingerprints of code that is known to give equal values, by the kind of what it measured."""

    def __init__(self, found: pd.DataFrame) -> None:
        self._names: dict[tuple[Kind, str], str] = {}
        self._commits: dict[tuple[Kind, str], list[str]] = {}
        rows = _records(found)
        for row in rows:
            kind = _kind(row)
            kept, other = (self.name(kind, one) for one in (row.after, row.before))
            self._names[kind, row.before] = self._names[kind, row.after] = kept
            for (where, code), name in self._names.items():
                if where == kind and name == other:
                    self._names[where, code] = kept
        for row in rows:
            if pd.notna(row.dirty) and not row.dirty:
                name = self.name(_kind(row), row.after)
                self._commits.setdefault((_kind(row), name), []).append(row.commit)

    def name(self, kind: Kind, fingerprint: str) -> str:
        """One fingerprint for all that are equal to this one: that of the last measured again."""
        return self._names.get((kind, fingerprint), fingerprint)

    def code(self, row: Any) -> str:
        """One fingerprint for all code that is known to give the values of a row."""
        return self.name(_kind(row), row.fingerprint) if self._names else row.fingerprint

    def gives(self, row: Any, fingerprint: str) -> bool:
        """Whether the code of a fingerprint is that of a row, or known to give its values."""
        kind = _kind(row) if self._names else ()
        return self.name(kind, row.fingerprint) == self.name(kind, fingerprint)

    def named(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows with equal fingerprints where their code is known to give equal values.

        It is that of the kind's newest row, on whatever machine, if that is one of them: rows of
        other machines carry it too.
        """
        if not self._names or rows.empty:
            return rows
        ordered = _records(rows.sort_values("measured_at", kind="stable"))
        newest = {_kind(row)[:-1]: row.fingerprint for row in ordered}  # the machine comes last
        names = []
        for row in _records(rows):
            code = newest[_kind(row)[:-1]]
            names.append(code if self.gives(row, code) else self.code(row))
        return rows.assign(fingerprint=pd.Series(names, rows.index, "string"))

    def commits(self, row: Any) -> list[str]:
        """The commits at which the values of a row, or of its other seeds, came out again."""
        if not self._commits:
            return []
        kind = _kind(row)
        return self._commits.get((kind, self.name(kind, row.fingerprint)), [])


def _records(rows: pd.DataFrame) -> list[Any]:
    return list(rows.itertuples())


def _kind(row: Any) -> Kind:
    values = (getattr(row, name) for name in _ALIKE)
    return tuple("" if pd.isna(value) else str(value) for value in values)
