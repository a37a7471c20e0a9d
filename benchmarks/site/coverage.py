"""Tables of coverage: the share of timm's architectures that take a module, and why not."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from benchmarks import display, tables
from benchmarks.coverage import EXCLUDED
from benchmarks.site.html import Entry, Head, absent, table
from benchmarks.site.origin import origin
from benchmarks.store import Store


def _entry(counts: dict[tuple[str, str], tuple[int, int]], where: str, arm: str) -> Entry:
    if (where, arm) not in counts:
        return Entry(display.MISSING)
    good, total = counts[(where, arm)]
    return Entry(display.share(good, total), good / total, f"{good} of {total}")


def _counts(store: Store, by: str) -> dict[tuple[str, str], tuple[int, int]]:
    frame = tables.coverage_table(store, by)
    keys = zip(frame[by], frame["arm"], strict=True)
    return dict(zip(keys, zip(frame["good"], frame["all"], strict=True), strict=True))


def by_module(store: Store) -> str:
    """One row a module: its share of the convolutional architectures and of the hybrids."""
    counts = _counts(store, "kind")
    if not counts:
        return absent("Coverage")
    arms = [*tables.in_order(arm for _, arm in counts if arm != "all"), "all"]
    kinds = ("convolutional", "hybrid")
    body = [
        (Entry("every module" if arm == "all" else arm), *(_entry(counts, k, arm) for k in kinds))
        for arm in arms
    ]
    heads = [Head("Module", number=False), *(Head(k.capitalize(), "architectures") for k in kinds)]
    note = "share of timm's architectures in which the module is placed and runs"
    rows = tables.coverage_rows(store)
    return table("Coverage by module", note, heads, body, origin(store, rows, "coverage"))


def by_family(store: Store) -> str:
    """One row a file of timm: the share of its convolutional architectures, by module."""
    counts = _counts(store, "family")
    arms = tables.in_order(arm for _, arm in counts if arm != "all")
    families = sorted({family for family, _ in counts})
    body = [
        (
            Entry(family),
            Entry(str(counts[(family, "all")][1]), counts[(family, "all")][1]),
            *(_entry(counts, family, arm) for arm in ("all", *arms)),
        )
        for family in families
    ]
    heads = [Head("Family", number=False), Head("Architectures"), Head("Every module")]
    heads += [Head(arm) for arm in arms]
    rows = tables.coverage_rows(store)
    return table(
        "Coverage by family", "convolutional", heads, body, origin(store, rows, "coverage")
    )


def reasons(store: Store) -> str:
    """Why a module did not go in: each reason once, with the architectures it stands for."""
    rows: pd.DataFrame = tables.failed(tables.coverage_rows(store))
    if rows.empty:
        return "<p>No row of coverage is without a value.</p>\n"
    body: list[list[Entry]] = []
    plain = [_plain(row.reason, row.backbone) for row in tables.records(rows)]
    grouped: Any = rows.assign(reason=plain).groupby(["family", "kind", "reason"], sort=True)
    for (family, kind, reason), mine in grouped:
        names = sorted(set(mine["backbone"]))
        arms = ", ".join(tables.in_order(mine["arm"]))
        listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        count = Entry(str(len(names)), len(names))
        body.append([Entry(family), count, Entry(arms), Entry(reason), Entry(kind), Entry(listed)])
    heads = [Head("Family", number=False), Head("Architectures")]
    heads += [Head(t, number=False) for t in ("Modules", "Reason", "Kind", "Which")]
    note = f"{len(rows)} rows without a value"
    places = origin(store, rows, "coverage")
    return table("Where a module does not go", note, heads, body, places, prose=True)


SPECIFIC = (
    (r"^ValueError: ", ""),
    (r"\bbackbone it\b", "it"),
    (r"module '\w+' in it, \S+ \(\d+ channels\)", "a slot of it"),
    (r"module '\w+'", "the module"),
    (r"channels=\d+", "its channels"),
    (r"give a reduction from 1 to \d+", "give a smaller one"),
    (r"gives \(1(?:, \d+)+\), channels", "gives maps with channels"),
)
"""What a reason says of one architecture and module, and what all of the kind have in common."""


def _plain(reason: Any, backbone: str) -> str:
    """A reason without what is of one architecture alone."""
    text = str(reason).replace(backbone, "it")
    for pattern, common in SPECIFIC:
        text = re.sub(pattern, common, text)
    return text


def left_out(store: Store) -> str:
    """The files of timm that coverage leaves out, and why; the same for every store."""
    heads = [Head("File of timm", number=False), Head("Why", number=False)]
    body = [[Entry(name), Entry(why)] for name, why in sorted(EXCLUDED.items())]
    return table("Left out", f"{len(body)} files", heads, body, "A choice, not a measurement.")
