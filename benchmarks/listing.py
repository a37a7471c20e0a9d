"""A table in the terminal: what people can read of its columns, and where a row comes from."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from benchmarks import display
from benchmarks.cells import CELL_COLUMNS, benchmarks, choose
from benchmarks.store import Store, read_record

PROVENANCE = {"fingerprint", "key", "machine", "environment", "commit", "dirty", "measured_at"}

LONGEST = 250
"""Most characters of a text that is shown."""

LONGEST_WORD = 60
"""A longer word is no word: bytes in base64."""

LONGEST_LIST = 40
"""Most characters of a text that is little but numbers."""


def encoded(text: str) -> bool:
    """Whether nobody reads it in a line: base64, a long list of numbers, or a text without end."""
    if len(text) > LONGEST or max(map(len, text.split()), default=0) > LONGEST_WORD:
        return True
    numeric = sum(sign.isdigit() or sign in " ;:,.+-" for sign in text)
    return len(text) > LONGEST_LIST and numeric > 0.9 * len(text)


def listed(rows: pd.DataFrame, wanted: Sequence[str] | None) -> str:
    """The rows with the columns ``wanted``, or with those that say something and can be read.

    The last lines name what was left out. Raises ValueError for an unknown column.
    """
    for name in wanted or ():
        choose(name, list(rows.columns), "column")
    if rows.empty:
        return "this table has no rows; `python -m benchmarks plan` says what would be measured"
    if wanted is not None:
        return rows[list(wanted)].to_string(index=False)
    filled = [c for c in rows.columns if rows[c].notna().any() and (rows[c] != "").any()]
    several = rows["machine"].nunique() > 1  # else two of them look alike
    kept = [c for c in filled if c not in PROVENANCE or (several and c == "machine")]
    hidden = [c for c in kept if rows[c].dtype == "string" and rows[c].map(encoded).any()]
    text = rows[[c for c in kept if c not in hidden]].to_string(index=False)
    origin = ", ".join(c for c in filled if c in PROVENANCE and c not in kept)
    text += f"\n\nnot shown, as it says where a row comes from: {origin}; --csv shows everything"
    if hidden:
        text += (
            f"\nnot shown, because long or encoded: {', '.join(hidden)}; "
            f"--columns {' '.join(hidden)} shows them alone"
        )
    return text


def commits(store: Store) -> list[str]:
    """Every commit that rows of a table were measured at, table by table, with how many."""
    lines = []
    for name in benchmarks():
        rows = store.table(name)
        changed = rows["dirty"].fillna(False).astype(bool)
        for (commit, dirty), mine in rows.groupby(["commit", changed]):
            words = f"{commit} with changes" if dirty else commit
            lines.append(f"{name}: {words}, {display.many(len(mine), 'row')}")
    return lines


def origin(store: Store, key: str) -> str:
    """Where the rows with a key come from: cell, machine, versions, commit.

    Raises ValueError if no table has one.
    """
    said = []
    for name in benchmarks():
        rows = store.table(name)
        for row in rows[rows["key"] == key].to_dict("records"):
            named = {c.name: row[c.name] for c in CELL_COLUMNS if display.given(row[c.name])}
            reason = f" ({row['reason']})" if display.given(row["reason"]) else ""
            changed = " with changes that it lacks" if row["dirty"] else ""
            lines = [
                ", ".join(f"{column} {value}" for column, value in named.items()),
                f"status {row['status']}{reason}, measured at {row['measured_at']}",
                f"commit {row['commit']}{changed}, code {row['fingerprint']}",
                _record(store, "machines", row["machine"]),
                _record(store, "environments", row["environment"]),
            ]
            said.append("\n  ".join(lines))
    if not said:
        raise ValueError(
            f"no table in {store.root} has a row with the key {key!r}; the column key of a table "
            "has them: python -m benchmarks table latency --csv"
        )
    return "\n".join(said)


def _record(store: Store, folder: str, digest: str) -> str:
    """What a row names in ``machines`` or ``environments``, in words."""
    path = store.root / folder / f"{digest}.json"
    if not path.exists():
        return f"{folder}/{digest}.json, which is not there"
    found = read_record(path).items()
    words = [f"{name} {value}" for name, value in found if value not in (None, [], "")]
    return f"{folder}/{digest}.json: {', '.join(words)}"
