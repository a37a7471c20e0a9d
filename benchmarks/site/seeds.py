"""Tables about seeds: what they can show, what is left to run, how often verdicts are right."""

from __future__ import annotations

from benchmarks import budget, display, power, simulation, tables
from benchmarks.cells import MODULES
from benchmarks.site.html import Entry, Head, absent, table, value
from benchmarks.site.judged import smallest
from benchmarks.site.origin import origin
from benchmarks.store import Store

ARMS = (1, 4, len(MODULES) - 1, 20)
SEEDS = (5, 6, 8, 10, 12, 15, 20, 30, 50)


def planned(store: Store) -> str:
    """The smallest difference that so many seeds show, in deviations of the differences."""
    heads = [Head("Paired seeds")]
    heads += [Head(display.many(arms, "arm"), "in the table") for arms in ARMS]
    body = [
        [Entry(str(n), n), *(smallest(power.smallest_effect(n, arms)) for arms in ARMS)]
        for n in SEEDS
    ]
    note = f"in deviations of the paired differences, found {power.OFTEN}"
    return table("Smallest difference that seeds can show", note, heads, body, "Calculated.")


def budgets(store: Store) -> str:
    """What the main comparison still takes for a difference that matters."""
    first = next(budget.comparisons(store), None)
    return _budget(store, first) if first else absent("Pairs of seeds")


def other_budgets(store: Store) -> str:
    """The same of all other comparisons."""
    others = list(budget.comparisons(store))[1:]
    return "\n".join(_budget(store, one) for one in others) or absent("Other pairs of seeds")


def _budget(store: Store, family: budget.VerdictFamily) -> str:
    found = budget.lines(family)
    heads = (
        Head("Arms", number=False),
        Head("Seeds"),
        Head("Deviation", "of the differences, points"),
        Head("Could show", f"points, {power.OFTEN}"),
        Head("Seeds in all", f"for {family.wanted:g} points"),
        Head("Hours", "of one process"),
        Head("Verdict so far", number=False),
    )
    body = [
        (
            Entry(line.name),
            value(display.whole, line.seeds),
            value(display.percent, line.deviation),
            smallest(line.smallest),
            value(display.whole, line.needed),
            value(display.tenth, line.hours),
            Entry(line.verdict or display.REFERENCE),
        )
        for line in found
    ]
    note = f"what it takes to find a difference of {family.wanted:g} points; hours are those of "
    read = [line.name in family.judged for line in found if line.verdict]
    new = "all these seeds: verdicts have been read from the ones that are there, so they are new"
    missing = "the seeds that are not there yet"
    note += new if all(read) else missing
    if any(read) and not all(read):
        note += ", and of all seeds, new ones, where a verdict has been read from all planned ones"
    places = origin(store, family.rows, *dict.fromkeys(family.rows["benchmark"].astype(str)))
    return table(family.title, note, heads, body, places)


def simulated(store: Store) -> str:
    """Coverage, false verdicts and found differences of the simulated tables."""
    rows = tables.one_machine(tables.ok(store.table("simulation")))
    if rows.empty:
        return absent("Simulated tables")
    heads = (
        Head("Noise", number=False),
        Head("Seeds"),
        Head("Student's intervals", "that hold the truth, %"),
        Head("BCa intervals", "that hold the truth, %"),
        Head("False tables", "with Holm, %"),
        Head("False tables", "without Holm, %"),
        Head("Planted difference", "found, %"),
        Head("Planted difference", "called the wrong way, %"),
        Head("False beside it", "tables with Holm, %"),
    )
    kept = ("covered", "covered_bca", "false_tables", "false_uncorrected", "found", "reversed")
    kept += ("false_beside",)
    ordered = tables.sort_by(rows.sort_values("pairs"), {"data": simulation.NOISES})
    body = [
        [
            Entry(row.data),
            value(display.whole, row.pairs),
            *(value(display.tenth, getattr(row, name)) for name in kept),
        ]
        for row in tables.records(ordered)
    ]
    first = tables.records(rows)[0]
    note = (
        f"{display.whole(first.tables)} tables of {first.arms} arms a line; the planted difference "
        f"is {first.planted} deviations"
    )
    return table("Simulated tables", note, heads, body, origin(store, rows, "simulation"))
