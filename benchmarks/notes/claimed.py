"""The notes' claims: `claims.csv` beside this file, with what must hold for each verdict to stand.

The file is typed and holds no measured number. `condition` is an expression over the tables and
`evidence` a sentence with such expressions in braces; `benchmarks.claims` evaluates both. A claim
that no table can decide says why in `unmeasured`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.cells import Column

PATH = Path(__file__).with_name("claims.csv")

TITLE = "The notes' claims, with verdicts and the conditions that tables must meet"

VERDICTS = ("right", "incomplete", "wrong", "depends")

RESULT = "claims.csv"
"""The table in ``results/`` that has the claims beside what the tables say of them."""

COLUMNS = (
    Column("id", "string", "", "name of the claim"),
    Column("page", "string", "", "page of the site that explains it"),
    Column("quote", "string", "", "the notes' words; empty where they only imply it"),
    Column("claim", "string", "", "the claim in English"),
    Column("verdict", "string", "", "right, incomplete, wrong, or depends on what is left open"),
    Column("precisely", "string", "", "what is right"),
    Column("experiment", "string", "", "benchmark whose table decides it"),
    Column("condition", "string", "", "what the tables must meet for the verdict to stand"),
    Column("evidence", "string", "", "a sentence; what stands in braces is read from the tables"),
    Column("unmeasured", "string", "", "why no table can decide it"),
)

RESULT_COLUMNS = (
    *(c for c in COLUMNS if c.name != "evidence"),
    Column("status", "string", "", "whether the tables meet the condition today"),
    Column("evidence", "string", "", "what the tables say, with 95 % intervals in brackets"),
)


@dataclass(frozen=True)
class Claim:
    """One claim; the fields are those of `COLUMNS`."""

    id: str
    page: str
    quote: str
    claim: str
    verdict: str
    precisely: str
    experiment: str
    condition: str
    evidence: str
    unmeasured: str


@cache
def claims(path: Path = PATH) -> tuple[Claim, ...]:
    """All claims in the order of the file. ValueError for one that can't be checked."""
    with open(path, encoding="utf-8", newline="") as file:
        found = tuple(Claim(**row) for row in csv.DictReader(file))
    for claim in found:
        if claim.verdict not in VERDICTS:
            raise ValueError(
                f"claim {claim.id} has the verdict {claim.verdict!r}; allowed: {VERDICTS}"
            )
        if bool(claim.condition) == bool(claim.unmeasured):
            raise ValueError(f"claim {claim.id}: give a condition, or say why it has none")
    return found
