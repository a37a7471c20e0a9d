"""Where rows come from, in words: machine, versions, commit, dates; and links to their files."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from html import escape
from typing import Any

import pandas as pd

from benchmarks import display
from benchmarks.cells import benchmarks
from benchmarks.site import history
from benchmarks.site.macros import UP, file_html
from benchmarks.store import Store, read_record
from benchmarks.tables import records, timing_first

WHAT_OLDER_IS = f"{UP}measure/#what-a-row-carries"


def record(store: Store, kind: str, name: str) -> dict[str, Any]:
    """A machine or environment record, empty if it is not in the checkout."""
    return read_record(store.root / kind / f"{name}.json")


def processors(store: Store, rows: pd.DataFrame) -> dict[str, str]:
    """What the processors are called that rows are of, by machine, see `tables.timing_first`.

    Without marks of trade; where two have one name, with the record of the machine.
    """
    names = {}
    for machine in timing_first(store, rows):
        name = str(record(store, "machines", machine).get("processor", machine))
        names[machine] = " ".join(re.sub(r"\((?:R|TM)\)|\bProcessor\b", " ", name).split())
    often = Counter(names.values())
    return {m: f"{name} ({m})" if often[name] > 1 else name for m, name in names.items()}


def origin(store: Store, rows: pd.DataFrame, *tables: str) -> str:
    """Where rows come from, as HTML; ``tables`` are those that have them all.

    Machine, threads, torch, commit, dates, how many rows are of older code, the files.
    """
    rows = rows[rows["machine"].map(display.given).astype(bool)]
    if rows.empty:
        return f"No row yet in {' or '.join(f'<code>{name}.csv</code>' for name in tables)}."
    places = []
    for name, mine in rows.groupby("machine"):
        machine = record(store, "machines", str(name))
        words = [escape(str(machine.get("processor", "a machine without a record")))]
        if "cores" in machine:
            words.append(f"{machine['cores']} cores")
        if machine.get("gpus") and mine.get("device", pd.Series()).eq("cuda").any():
            words = [escape(machine["gpus"][0])]
        link = _record_link(store, "machines", str(name))
        places.append(f"{', '.join(words)} (record {link}, {display.many(len(mine), 'row')})")
    days = sorted({str(day)[:10] for day in rows["measured_at"]})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    facts = ["; ".join(places), f"torch {_versions(store, rows)}", f"commit {commits(rows)}", when]
    return " ".join(
        [f"Measured on {'; '.join(facts)}.", *_older(store, rows), all_rows(store, *tables)]
    )


def _versions(store: Store, rows: pd.DataFrame) -> str:
    """The versions of torch, each with the records that have the other libraries too."""
    records: dict[str, list[str]] = {}
    for name in sorted(map(str, rows["environment"].unique())):
        torch = record(store, "environments", name).get("torch")
        if torch:
            records.setdefault(torch, []).append(_record_link(store, "environments", name))
    found = [f"{escape(v)} (record {' and '.join(links)})" for v, links in sorted(records.items())]
    return ", ".join(found) or "not recorded"


def _record_link(store: Store, kind: str, name: str) -> str:
    return file_html(store.root, f"{kind}/{name}.json", UP, name)


NAMED_COMMITS = 3
"""So many commits are named beneath a table, those with most rows."""


def commits(rows: pd.DataFrame) -> str:
    """The commits that most rows are of, short, with how many, and how many others there are."""
    groups = rows.groupby(["commit", "dirty"])["measured_at"].agg(["size", "max"]).reset_index()
    ranked = records(groups.sort_values(["size", "max"], ascending=False))
    words = [
        f"<code>{escape(str(one.commit)[: history.SHORT])}</code>"
        + " with changes" * bool(one.dirty)
        + f" ({display.many(one.size, 'row')})" * (len(ranked) > 1)
        for one in ranked[:NAMED_COMMITS]
    ]
    if others := ranked[NAMED_COMMITS:]:
        rest = display.many(sum(one.size for one in others), "row")
        words.append(f"{display.many(len(others), 'other')} ({rest})")
    return ", ".join(words)


def _older(store: Store, rows: pd.DataFrame) -> list[str]:
    """How many rows are of code that has changed since, and of how many nobody knows.

    Rows that the present code is known to give again (`verify`) are counted apart.
    """
    known = benchmarks()
    codes = {str(name): store.codes(str(name)) for name in rows["benchmark"].unique()}

    @cache
    def since(name: str, module: str, commit: str) -> bool | None:
        return history.older(known[name], module, commit)

    older = unknown = equal = 0
    for row in records(rows):
        of = row.benchmark, row.module
        changed = None if row.dirty else since(*of, row.commit)
        if changed is False:
            continue
        if any(since(*of, commit) is False for commit in codes[row.benchmark].commits(row)):
            equal += 1
        elif changed:
            older += 1
        else:
            unknown += 1
    found = (
        (older, "Of older code"),
        (unknown, "Of code that cannot be compared"),
        (equal, "Of older code, of which a run that was made again had equal values"),
    )
    return [
        f'<a href="{WHAT_OLDER_IS}">{what}</a>: {n} of {display.many(len(rows), "row")}.'
        for n, what in found
        if n
    ]


def all_rows(store: Store, *tables: str) -> str:
    """Links to the files that have all rows, and to what their columns mean.

    The columns of a file beside others are only linked where there is one.
    """
    links = " and ".join(file_html(store.root, f"{name}.csv", UP) for name in tables)
    there = [name for name in tables if len(tables) == 1 or store.table_path(name).exists()]
    columns = [(f"{UP}results/columns/#{name}", name) for name in there]
    if len(tables) == 1:
        return f'All rows: {links} (<a href="{columns[0][0]}">its columns</a>).'
    named = " and ".join(f'<a href="{href}">{name}</a>' for href, name in columns)
    return f"All rows: {links} (columns of {named})." if named else f"All rows: {links}."
