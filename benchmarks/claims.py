"""Claims against tables: whether what a page says of a claim is what the tables still show.

An expression calls the functions of `Tables` and nothing else:

    lowest("spiral", "accuracy", variant="relu", recipe="sgd lr=1") > 0.98

Neither torch nor timm is imported.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import stats, tables
from benchmarks.notes import grids
from benchmarks.notes.claimed import RESULT_COLUMNS, Claim, claims
from benchmarks.papers import reported
from benchmarks.stats import Interval
from benchmarks.store import Store

HOLDS, FAILS, NOT_YET, NEVER = "holds", "fails", "not measured", "no table decides it"


@dataclass(frozen=True)
class Checked:
    """A claim beside what the tables say: ``holds``, ``fails``, or that they can't say."""

    claim: Claim
    status: str
    evidence: str


class Absent(LookupError):
    """The tables lack the rows that an expression asks for."""


class Tables:
    """What an expression may call. Each function reads the measured rows of one table and machine.

    ``where`` names columns and their values. Raises `Absent` where there is no such row.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.names: dict[str, Any] = {
            **{name: getattr(self, name) for name in _FUNCTIONS},
            **{f.__name__: f for f in (abs, max, min, round)},
            "at": dict,
        }

    def rows(self, table: str, /, **where: Any) -> pd.DataFrame:
        """The rows with those values, of the table's main machine or else of another."""
        main = tables.one_machine(tables.ok(self.store.table(table)))["machine"]
        return tables.one_machine(self._anywhere(table, **where), next(iter(main), None))

    def _anywhere(self, table: str, /, **where: Any) -> pd.DataFrame:
        rows = tables.ok(self.store.table(table))
        for name, value in where.items():
            if name not in rows:
                raise ValueError(
                    f"table {table} has no column {name!r}: {', '.join(map(str, rows))}"
                )
            rows = rows[(rows[name] == value).fillna(False)]
        if rows.empty:
            raise Absent(f"no row of {table} with {where}")
        return rows

    def values(self, table: str, column: str, /, **where: Any) -> np.ndarray:
        """The numbers of a column; with ``column.name`` those after a name in its texts.

        Such a text has several: ``position 0.5; channel 1.2``.
        """
        column, _, name = column.partition(".")
        found = self.rows(table, **where)[column].dropna()
        if name:
            pattern = rf"(?:^|; ){re.escape(name)} ([^;]+)"
            found = found.str.extract(pattern, expand=False).dropna()
        if not len(found):
            raise Absent(f"no {column} {name} in {table} with {where}")
        return found.to_numpy(float)

    def mean(self, table: str, column: str, /, **where: Any) -> float:
        """Their mean."""
        return float(self.values(table, column, **where).mean())

    def lowest(self, table: str, column: str, /, **where: Any) -> float:
        """The smallest of them."""
        return float(self.values(table, column, **where).min())

    def highest(self, table: str, column: str, /, **where: Any) -> float:
        """The largest of them."""
        return float(self.values(table, column, **where).max())

    def size(self, table: str, column: str, /, **where: Any) -> float:
        """The mean of their sizes, whatever their signs."""
        return float(np.abs(self.values(table, column, **where)).mean())

    def interval(self, table: str, column: str, /, **where: Any) -> Interval:
        """Their mean with its 95 % interval (Student's)."""
        found = list(self.values(table, column, **where))
        if len(found) < 2:
            raise Absent(f"one row of {table} with {where} has no interval")
        return stats.student_interval(found)

    def gap(self, table: str, column: str, one: dict, other: dict, /, **where: Any) -> Interval:
        """Mean of ``one`` less ``other``, paired by seed, with its 95 % interval (Student's)."""
        both = [
            self._anywhere(table, **where, **arm).set_index(["machine", "seed"])[column]
            for arm in (one, other)
        ]
        differences = (both[0].astype(float) - both[1].astype(float)).dropna()
        machines = differences.index.get_level_values("machine")
        if len(machines):
            differences = differences[machines == machines.value_counts().index[0]]
        if len(differences) < 2:
            raise Absent(f"fewer than two seeds of {table} have both {one} and {other}")
        return stats.student_interval(differences.tolist())

    def text(self, table: str, column: str, /, **where: Any) -> str:
        """The text of a column where it is the same in all rows, else all texts."""
        return " | ".join(dict.fromkeys(self.rows(table, **where)[column].astype(str)))

    def count(self, table: str, /, **where: Any) -> int:
        """How many rows."""
        return len(self.rows(table, **where))

    def has(self, number: int, table: str, /, **where: Any) -> bool:
        """True if there are so many rows; with fewer nothing can be said yet."""
        if self.count(table, **where) < number:
            raise Absent(f"fewer than {number} rows of {table} with {where}")
        return True

    def best(self, table: str, column: str, /, **where: Any) -> str:
        """The recipe with the highest mean of a column, as `notes.grids` chooses it."""
        return grids.best(self.rows(table, **where), column)

    def near(self, table: str, column: str, within: float, /, **where: Any) -> int:
        """How many recipes have a mean of a column at most ``within`` below the highest."""
        return grids.near(self.rows(table, **where), column, within)

    def printed(self, paper: str, metric: str, /, **where: str) -> Decimal:
        """A number as a paper prints it (`results/reported.csv`). ValueError if not just one."""
        found = {
            value.value
            for value in reported.printed()
            if (value.paper, value.metric) == (paper, metric)
            and all(getattr(value, name) == text for name, text in where.items())
        }
        if len(found) != 1:
            raise ValueError(f"{paper} prints {len(found)} values of {metric} with {where}")
        return Decimal(found.pop())

    def evaluate(self, expression: str) -> Any:
        """The value of an expression; it sees the functions above and nothing else."""
        return eval(expression, {"__builtins__": {}}, self.names)


_FUNCTIONS = (
    *("values", "mean", "lowest", "highest", "size", "interval", "gap", "text", "count", "has"),
    *("printed", "best", "near"),
)


def check(claim: Claim, known: Tables) -> Checked:
    """What the tables say about a claim, with its evidence in words."""
    if claim.unmeasured:
        return Checked(claim, NEVER, claim.unmeasured)
    try:
        holds = bool(known.evaluate(claim.condition))
        return Checked(claim, HOLDS if holds else FAILS, sentence(claim.evidence, known.evaluate))
    except Absent:
        return Checked(claim, NOT_YET, "")


def sentence(template: str, evaluate: Callable[[str], Any]) -> str:
    """A text with its expressions in braces replaced by their values."""
    return re.sub(r"\{(.+?)\}", lambda found: shown(evaluate(found[1])), template)


def shown(value: Any) -> str:
    """A value as evidence shows it: four digits, an interval in brackets."""
    if isinstance(value, Interval):
        if math.isnan(value.low):
            return shown(value.value)
        digits = 4 - len(f"{max(abs(value.low), abs(value.high)):.0f}")
        ends = (value.value, value.low, value.high)
        middle, low, high = (f"{end:.{max(digits, 0)}f}" for end in ends)
        return f"{middle} [{low}, {high}]"
    if isinstance(value, str | Decimal):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{float(value):.4g}"


def checked(store: Store) -> list[Checked]:
    """Every claim beside what the tables of a store say."""
    known = Tables(store)
    return [check(claim, known) for claim in claims()]


def result(store: Store) -> str:
    """The text of ``results/claims.csv``: every claim, whether it holds today, and the evidence."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [c.name for c in RESULT_COLUMNS], lineterminator="\n")
    writer.writeheader()
    for one in checked(store):
        evidence = "" if one.status == NEVER else one.evidence
        known = {**vars(one.claim), "status": one.status, "evidence": evidence}
        writer.writerow({c.name: known[c.name] for c in RESULT_COLUMNS})
    return text.getvalue()
