"""Which code gives the same values as older code: what `run --reproduce` has found.

The table lies beside those of the benchmarks. A row of it says that a stale row was measured again
and that every value came out equal, to the bit. It stands for the rows that differ from that one by
their seed alone and were measured by the same code.
"""

from __future__ import annotations

from pathlib import Path

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

_ALIKE = [column.name for column in CELL_COLUMNS if column.name != "seed"]


def read(root: Path) -> pd.DataFrame:
    """The table in a folder of results, in the order of measurement; empty if there is none.

    Raises ValueError for one that can't be read.
    """
    path = root / FILE
    if not path.exists():
        return typed(pd.DataFrame(), COLUMNS)
    frame = pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""])
    missing = [column.name for column in COLUMNS if column.name not in frame]
    if missing:
        raise ValueError(f"it lacks the columns {', '.join(missing)}")
    return typed(frame, COLUMNS)


def kinds(rows: pd.DataFrame) -> list[tuple[str, ...]]:
    """What each row is of, its seed apart."""
    words = rows[_ALIKE].astype("string").fillna("")
    return list(words.itertuples(index=False, name=None))


def newest(found: pd.DataFrame) -> dict[tuple[tuple[str, ...], str], str]:
    """For kinds and older fingerprints the newest fingerprint of equal values, by this table.

    Code may also return to what it was: then the older one is the newest again.
    """
    steps = zip(kinds(found), found["before"], found["after"], strict=True)
    result: dict[tuple[tuple[str, ...], str], str] = {}
    for kind, before, after in steps:
        for older, newer in list(result.items()):
            if older[0] == kind and newer == before:
                result[older] = after
        result[kind, before] = after
    return result


def fingerprints(rows: pd.DataFrame, found: pd.DataFrame) -> list[str]:
    """The fingerprint of the newest code that is known to give the values of each row."""
    if found.empty:
        return list(rows["fingerprint"])
    known = newest(found)
    pairs = zip(kinds(rows), rows["fingerprint"], strict=True)
    return [known.get(pair, pair[1]) for pair in pairs]
