"""Latencies session after session: how far they are apart, and how often an interval holds."""

from __future__ import annotations

import pandas as pd

from benchmarks import display, retimed, tables
from benchmarks.site.html import Entry, Head, absent, estimate, table, value
from benchmarks.site.origin import origin, processors
from benchmarks.site.words import listed
from benchmarks.store import Store


def rows_of(store: Store) -> pd.DataFrame:
    """The rows with a value, of one machine, with the arm's name."""
    return tables.with_arm(tables.ok(tables.timed(store, "retimed")))


def by_backbone(store: Store) -> dict[str, pd.DataFrame]:
    """`retimed.between` of each backbone with two sessions or more."""
    by_name = rows_of(store).groupby("backbone", sort=False)
    found = {str(backbone): retimed.between(rows) for backbone, rows in by_name}
    return {backbone: lines for backbone, lines in found.items() if len(lines)}


def sessions(store: Store) -> str:
    """One table a backbone: a line an arm."""
    rows = rows_of(store)
    made = [
        _table(store, rows[rows["backbone"] == backbone], backbone, lines)
        for backbone, lines in by_backbone(store).items()
    ]
    return "\n".join(made) or absent("Session after session")


def _table(store: Store, rows: pd.DataFrame, backbone: str, lines: pd.DataFrame) -> str:
    heads = (
        Head("Module", number=False),
        Head("Times none", "mean of the sessions [least, most]"),
        Head("One interval", "± %, median"),
        Head("Two sessions apart", "%, median"),
        Head("At most apart", "%"),
        Head("Intervals that hold", "the mean of the others"),
        Head("Told apart", "pairs of sessions"),
        Head("Verdicts", "sessions", number=False),
    )
    body = [
        (
            Entry(line.arm),
            estimate(display.ratio, line.ratio, line.least, line.most, None),
            *(
                value(display.percent, number)
                for number in (line.half_width, line.apart, line.apart_most)
            ),
            Entry(f"{line.held} of {line.sessions}", line.held),
            Entry(f"{line.told} of {line.pairs}", line.told),
            Entry(line.verdicts),
        )
        for line in tables.records(lines)
    ]
    first = rows.iloc[0]
    note = (
        f"{display.many(rows['seed'].nunique(), 'session')}; one thread, batch "
        f"{first['batch_size']}, {first['image_size']} px; none is the second copy over the first"
    )
    return table(f"Session after session, {backbone}", note, heads, body, _origin(store, rows))


def _origin(store: Store, rows: pd.DataFrame) -> str:
    """Where the rows come from, and over how long the sessions went."""
    times = pd.to_datetime(rows["measured_at"])
    hours = (times.max() - times.min()).total_seconds() / 3600
    return f"The last session ended {hours:.1f} h after the first. {origin(store, rows, 'retimed')}"


def facts(store: Store) -> dict[str, str]:
    """What the pages say of the sessions; each a part of a sentence."""
    found = by_backbone(store)
    lines = [
        (f"{line.arm} in {backbone}", line)
        for backbone, table in found.items()
        for line in tables.records(table[table["arm"] != "none"])
    ]
    names = ("what", "held", "shown", "told", "of", "apart", "modules", "verdicts")
    if not lines:
        return {f"retimed.{name}": display.MISSING for name in names}
    rows = rows_of(store)
    (processor,) = processors(store, rows).values()
    counts = {b: rows[rows["backbone"] == b]["seed"].nunique() for b in found}
    sessions = [f"{display.many(n, 'session')} of {b}" for b, n in counts.items()]
    total, held, told, pairs = (
        sum(getattr(line, name) for _, line in lines)
        for name in ("sessions", "held", "told", "pairs")
    )
    name, most = max(lines, key=lambda pair: pair[1].apart_most)
    apart, of_two = (
        pd.Series([gap for backbone in found for gap in each(rows[rows["backbone"] == backbone])])
        for each in (retimed.gaps, retimed.of_two_modules)
    )
    shown = [
        held for backbone, lines in found.items() for held in _shown(store, rows, lines, backbone)
    ]
    one_word = sum(", " not in line.verdicts for _, line in lines)
    return {
        "retimed.what": f"{listed(sessions)} on {processor}",
        "retimed.held": f"{held} of {total}",
        "retimed.shown": f"{sum(shown)} of {len(shown)}" if shown else display.MISSING,
        "retimed.told": f"{told} of {pairs}",
        "retimed.of": listed(sessions),
        "retimed.apart": (
            f"{display.percent(apart.median())} % (median over modules and pairs of sessions; "
            f"the most is {display.percent(most.apart_most)} %, {name})"
        ),
        "retimed.modules": f"{display.percent(of_two.median())} %",
        "retimed.verdicts": f"{one_word} of {len(lines)}",
    }


def _shown(store: Store, rows: pd.DataFrame, lines: pd.DataFrame, backbone: str) -> list[bool]:
    """Of the table of latencies, whose session is none of these, which intervals hold their mean.

    Of the modules of one backbone, on the machine and in the setting of the sessions.
    """
    first = rows[rows["backbone"] == backbone].iloc[0]
    setting = {name: first[name] for name in (*tables.SETTING, "machine")}
    table = tables.by_arm(tables.latency_table(store, setting))
    modules = [line for line in tables.records(lines) if line.arm != "none"]
    pairs = [(line.ratio, table[line.arm]) for line in modules if line.arm in table]
    return [r.ratio_low <= mean <= r.ratio_high for mean, r in pairs if display.given(r.ratio_low)]
