"""A table in the terminal: what people can read of its columns, and the names of the others."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from benchmarks.cells import choose

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

    The last line names what was left out. Raises ValueError for an unknown column.
    """
    for name in wanted or ():
        choose(name, list(rows.columns), "column")
    if rows.empty:
        return "this table has no rows; `python -m benchmarks plan` says what would be measured"
    if wanted is not None:
        return rows[list(wanted)].to_string(index=False)
    filled = [c for c in rows.columns if rows[c].notna().any() and (rows[c] != "").any()]
    kept = [c for c in filled if c not in PROVENANCE]
    hidden = [c for c in kept if rows[c].dtype == "string" and rows[c].map(encoded).any()]
    text = rows[[c for c in kept if c not in hidden]].to_string(index=False)
    if hidden:
        text += (
            f"\n\nnot shown, because long or encoded: {', '.join(hidden)}; "
            f"--columns {' '.join(hidden)} shows them alone, --csv everything"
        )
    return text
