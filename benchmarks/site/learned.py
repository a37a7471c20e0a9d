"""What the modules of the main table do once they are trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from benchmarks import display, pairing, tables
from benchmarks.cells import MODULES
from benchmarks.site.html import Entry, Head, absent, runs, table, value
from benchmarks.site.origin import origin
from benchmarks.site.words import listed
from benchmarks.store import Store

KINDS = {
    "channel": "gate of each channel",
    "spatial": "gate of each pixel",
    "height": "gate of each channel and row",
    "width": "gate of each channel and column",
    "branch": "weight of each branch and channel",
    "residual": "what is added",
}
"""What a value is, as people read it."""

BRANCHES = ("position", "channel")
"""What DANet adds, in the order in which it is computed: PAM's and CAM's."""

HELD = "Trained modules whose gates no longer see the image"
GATES = "Gates after the training"


def held(store: Store) -> str:
    """A line a module: accuracy as trained, and with every gate at its mean."""
    rows = _rows(store)
    heads = (
        Head("Module", number=False),
        Head("Top-1", "%, mean"),
        Head("Gates held", "top-1, %, mean"),
        Head("Change", "points, mean; each run"),
        Head("Loss, change", "nat, mean"),
        Head("Runs"),
    )
    body = []
    for arm, mine in _by_arm(rows):
        done = tables.ok(mine)
        change = done["top1_held"] - done["top1"]
        body.append(
            (
                Entry(arm),
                value(display.percent, done["top1"].mean()),
                value(display.percent, done["top1_held"].mean()),
                Entry(display.points(change.mean()), change.mean(), word=_each(change))
                if len(done)
                else Entry(display.MISSING),
                value(_signed, (done["test_loss_held"] - done["test_loss"]).mean()),
                runs(len(done), len(mine) - len(done)),
            )
        )
    done = tables.ok(rows)
    if done.empty:
        return absent(HELD)
    note = (
        f"{pairing.among(rows)[0].title}; held at the mean over "
        f"{display.whole(done['looked_at'].iloc[0])} training images; no verdict: the runs are "
        "few, and a network misses what it was trained with, useful or not; ending as the run of "
        f"the main table that was made again: {_same(store, done)}"
    )
    return table(HELD, note, heads, body, origin(store, rows, "learned"))


def gates(store: Store) -> str:
    """A line a kind of value in a module: its size, and how far it varies, place by place."""
    rows = _rows(store)
    heads = (
        Head("Module", number=False),
        Head("What", number=False),
        Head("Mean, or share of the map", "place by place"),
        Head("Between channels, pixels or branches", "deviation, place by place"),
        Head("Between images", "deviation, place by place"),
        Head("Runs"),
    )
    body = []
    for arm, mine in _by_arm(rows):
        done = tables.ok(mine)
        for what, places in _values(done).groupby("what", sort=False):
            by_place = places.groupby("place")[["level", "entries", "images"]].mean()
            body.append(
                (
                    Entry(arm),
                    Entry(str(what)),
                    _along(display.hundredth, by_place["level"]),
                    _along(display.ratio, by_place["entries"]),
                    _along(display.ratio, by_place["images"]),
                    runs(len(done)),
                )
            )
    if not body:
        return absent(GATES)
    note = (
        "over training images as they are, mean of the runs, from the first place in the network "
        "to the last; what is added is a share of the map that it is added to, as root mean "
        "squares, and so are its deviations"
    )
    return table(GATES, note, heads, body, origin(store, rows, "learned"))


def facts(store: Store) -> dict[str, str]:
    """Module by module, what is lost without a look at the image and how far its gates vary."""
    rows = tables.ok(_rows(store))
    found = {f"learned.{arm}": display.MISSING for arm in MODULES[1:]}
    found["learned.same"] = _same(store, rows)
    return found | {f"learned.{arm}": _sentence(mine) for arm, mine in _by_arm(rows)}


def _rows(store: Store) -> pd.DataFrame:
    return pairing.current(pairing.named_rows(store, "learned"))


def _by_arm(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(arm, rows[rows["arm"] == arm]) for arm in MODULES if (rows["arm"] == arm).any()]


def _each(change: pd.Series) -> str:
    """The points of every run, or "" of a single one."""
    return "; ".join(map(display.points, change)) if len(change) > 1 else ""


def _signed(number: float) -> str:
    return display.signed(f"{number:+.3f}")


def _along(form: Callable[[Any], str], numbers: pd.Series) -> Entry:
    return Entry(", ".join(map(form, numbers)), numbers.mean())


def _values(done: pd.DataFrame) -> pd.DataFrame:
    """One row a run and value of a module; ``place`` counts those of a kind along the network."""
    found: list[dict[str, Any]] = []
    for row in tables.records(done):
        kinds = row.kinds.split()
        texts = (row.levels, row.between_entries, row.between_images)
        numbers = [map(float, text.split()) for text in texts]
        two = kinds.count("residual") == len(BRANCHES)
        for i, (kind, level, entries, images) in enumerate(zip(kinds, *numbers, strict=True)):
            what = f"{KINDS[kind]}, {BRANCHES[i]}" if two else KINDS[kind]
            place = 0 if two else kinds[:i].count(kind)
            one = {"what": what, "place": place, "level": level}
            found.append({**one, "entries": entries, "images": images})
    return pd.DataFrame(found, columns=["what", "place", "level", "entries", "images"])


def _sentence(mine: pd.DataFrame) -> str:
    """What a module loses, and how far it varies from image to image."""
    change = mine["top1_held"] - mine["top1"]
    runs = display.many(len(mine), "run")
    parts = []
    for what, places in _values(mine).groupby("what", sort=False):
        by_place = places.groupby("place")[["level", "images"]].mean()
        varies = listed([display.ratio(sd) for sd in by_place["images"]])
        if str(what).startswith(KINDS["residual"]):
            size = display.ratio(by_place["level"].mean())
            start = f"{what} has {size} of the map's size and"
        else:
            start = f"the {what}"
        parts.append(f"{start} deviates by {varies} from image to image")
    weights = [
        f"gamma ({name}) {display.span(gamma, display.hundredth)}"
        for name, gamma in _gammas(mine).items()
    ]
    lost = f"{display.points(change.mean())} points when held (mean of {runs})"
    return "; ".join([lost, *parts, *weights])


def _gammas(mine: pd.DataFrame) -> dict[str, list[float]]:
    """The weights of the runs, by branch."""
    found: dict[str, list[float]] = {}
    for text in filter(display.given, mine["gammas"]):
        for part in text.split("; "):
            name, number = part.split()
            found.setdefault(name, []).append(float(number))
    return found


def _same(store: Store, rows: pd.DataFrame) -> str:
    """How many runs end as those of the main table that they make again, on the same machine."""
    of = ["arm", "seed", "machine", "environment", *pairing.FIELDS]
    both = rows.merge(pairing.named_rows(store, "accuracy"), on=of, suffixes=("", "_main"))
    if both.empty:
        return display.MISSING
    same = (both["top1"] == both["top1_main"]) & (both["test_loss"] == both["test_loss_main"])
    return f"{int(same.sum())} of {display.many(len(both), 'run')}"
