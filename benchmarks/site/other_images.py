"""Differences over seeds alone, and over seeds and test images."""

from __future__ import annotations

from benchmarks import compare, display, other_images, pairing
from benchmarks.other_images import Crossed
from benchmarks.site.accuracy import about
from benchmarks.site.html import Entry, Head, absent, table
from benchmarks.site.origin import origin
from benchmarks.store import Store


def seeds_and_images(store: Store) -> str:
    """A table of the first comparison."""
    found = compare.main_first(store)[:1]
    heads = (
        Head("Module", number=False),
        Head("Difference to none", "top-1, points"),
        Head("Other seeds", "[95 %]"),
        Head("Other seeds and images", "[95 %]"),
        Head("One right, one wrong", "% of the test images, in a pair of runs"),
    )
    for which in found:
        rows = pairing.accuracy_rows(store, which)
        body = [
            (
                Entry(arm),
                Entry(display.points(one.mean), one.mean),
                _ends(one, one.by_seeds),
                _ends(one, one.by_both),
                Entry(display.percent(one.disagree), one.disagree),
            )
            for arm, one in other_images.against_none(rows).items()
        ]
        if body:
            title = f"Seeds and images: {which.title}"
            return table(title, about(store, which), heads, body, origin(store, rows, "accuracy"))
    return absent("Seeds and images")


def _ends(one: Crossed, error: float) -> Entry:
    low, high = one.interval(error)
    return Entry(f"[{display.points(low)}, {display.points(high)}]", error)


def facts(store: Store) -> dict[str, str]:
    """How much wider intervals are that let the images vary too."""
    for which in compare.main_first(store)[:1]:
        found = other_images.against_none(pairing.accuracy_rows(store, which))
        wider = [one.by_both / one.by_seeds for one in found.values() if one.by_seeds]
        if wider:
            return {"images.wider": f"{display.span(wider, display.hundredth)} times as wide"}
    return {"images.wider": display.MISSING}
