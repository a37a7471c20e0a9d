"""Tables of latency: ratios to the bare backbone, one machine a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from benchmarks import display, tables
from benchmarks.fresh import KEEPING
from benchmarks.ratios import with_floor
from benchmarks.site.html import Entry, Head, absent, estimate, table, value
from benchmarks.site.origin import origin
from benchmarks.store import Store

LARGER, SMALLER = "larger", "smaller"
"""How a ratio is to that of another session; see `told_apart`."""


def latency(store: Store) -> str:
    """One table a backbone and device; its columns are the settings, all of one machine."""
    parts = []
    for device, name in (("cpu", "Processor"), ("cuda", "GPU")):
        settings = tables.latency_settings(store, device=device)
        parts.append(f"\n## {name}\n")
        if not settings:
            parts.append(absent(f"Latency on a {name if name == 'GPU' else 'CPU'}"))
        for backbone in dict.fromkeys(s["backbone"] for s in settings):
            mine = [s for s in settings if s["backbone"] == backbone]
            parts += [f"\n### {backbone}{' on a GPU' if device == 'cuda' else ''}\n"]
            parts.append(_latency(store, backbone, mine))
    return "\n".join(parts)


def _latency(store: Store, backbone: str, settings: list[dict[str, Any]]) -> str:
    frames = [tables.latency_table(store, setting) for setting in settings]
    ratio = [Head(f"Times none, {_short(setting)}", "[95 %, one session]") for setting in settings]
    heads = [Head("Module", number=False), *map(_with_noise, ratio, frames)]
    heads += [Head("Milliseconds", _short(setting)) for setting in settings]
    body = lines(frames, time, _milliseconds)
    first = settings[0]
    note = f"{first['device']}, batch {first['batch_size']}, {first['image_size']} px{kept(frames)}"
    places = places_of(store, frames)
    where = "" if first["device"] == "cpu" else " on a GPU"
    return table(f"Latency of {backbone}{where}", note, heads, body, places)


def threads(store: Store) -> str:
    """Ratios in the reference backbones, a column a backbone and number of threads."""
    settings = _of_references(store)
    if not settings:
        return absent("Times by backbone and threads")
    frames = [tables.latency_table(store, setting) for setting in settings]
    heads = [Head(f"{setting['backbone']}, {_short(setting)}") for setting in settings]
    note = f"; one image at inference{kept(frames)}"
    places = places_of(store, frames)
    return ratios("Times by backbone and threads", note, heads, frames, places)


def ratios(
    caption: str, note: str, heads: Sequence[Head], frames: Sequence[pd.DataFrame], places: str
) -> str:
    """A table of ratios to none: a line a module, a frame and title a column with its noise floor.

    ``note`` goes on after what the ratios are of.
    """
    titles = [Head("Module", number=False), *map(_with_noise, heads, frames)]
    body = lines(without_none(frames), time)
    note = f"times the bare backbone [95 %, one session]{note}"
    return table(caption, note, titles, body, places)


def _with_noise(head: Head, frame: pd.DataFrame) -> Head:
    floor = f"noise floor {tables.noise_floor(frame)}"
    return replace(head, note=f"{head.note}; {floor}" if head.note else floor)


def _of_references(store: Store) -> list[dict[str, Any]]:
    """The settings of a processor in the reference backbones, one backbone after the other."""
    found = tables.latency_settings(store, device="cpu")
    return [s for name in tables.REFERENCE_BACKBONES for s in found if s["backbone"] == name]


def added(store: Store) -> str:
    """Milliseconds that a module adds in the reference backbones, by threads."""
    settings = _of_references(store)
    if not settings:
        return absent("Time that a module adds")
    frames = [tables.latency_table(store, setting) for setting in settings]
    heads = [Head("Module", number=False)]
    heads += [Head(s["backbone"], f"{_short(s)}, ms [95 %, one session]") for s in settings]
    bare = [frame.set_index("arm")["latency_ms"].get("none") for frame in frames]
    pairs = zip(bare, without_none(frames), strict=True)
    body = lines([frame.assign(bare_ms=one) for one, frame in pairs], _added)
    note = f"(ratio - 1) times the bare backbone's milliseconds, taken as exact{kept(frames)}"
    places = places_of(store, frames)
    return table("Time that a module adds", note, heads, body, places)


def _added(row: Any) -> Entry:
    if row is None:
        return Entry(display.MISSING)
    more, low, high = (
        (one - 1) * row.bare_ms for one in (row.ratio, row.ratio_low, row.ratio_high)
    )
    return estimate(display.points, more, low, high, "", row.status)


def without_none(frames: Iterable[pd.DataFrame]) -> list[pd.DataFrame]:
    """The rows of the modules alone."""
    return [frame[frame["arm"] != "none"] for frame in frames]


def told_apart(one: pd.DataFrame, other: pd.DataFrame) -> pd.Series:
    """By arm, how a ratio of another session is to that of one: a word, "" where none is told.

    Larger or smaller beyond both intervals, each made wider by the noise floor of its session. Arms
    that one of the two has not, or is too noisy to rank, are not there.
    """
    ends = [with_floor(frame.set_index("arm")) for frame in without_none([one, other])]
    both = ends[0].join(ends[1].add_suffix("_other"), how="inner")
    found = pd.Series("", index=both.index)
    found[both["low_other"] > both["high"]] = LARGER
    found[both["high_other"] < both["low"]] = SMALLER
    return found


def lines(
    frames: Sequence[pd.DataFrame], *forms: Callable[[Any], Entry]
) -> list[tuple[Entry, ...]]:
    """A line an arm: by each form, its entry in each frame."""
    arms = tables.in_order(arm for frame in frames for arm in frame["arm"])
    columns = [tables.by_arm(frame) for frame in frames]
    return [
        (Entry(arm), *(form(column.get(arm)) for form in forms for column in columns))
        for arm in arms
    ]


def places_of(store: Store, frames: Sequence[pd.DataFrame]) -> str:
    """Where the rows of latency tables come from, and the load of the machine."""
    rows = pd.concat(frames, ignore_index=True)
    return f"{_load(rows)}{origin(store, rows, 'latency')}"


def kept(frames: Iterable[pd.DataFrame]) -> str:
    """``, memory kept`` where all processes kept the memory that they freed, else nothing."""
    settings = [text for frame in frames for text in tables.ok(frame)["malloc"].fillna("")]
    held = settings and all(name in text for text in settings for name in KEEPING)
    return ", memory kept" if held else ""


def _load(rows: pd.DataFrame) -> str:
    """The largest load that the machine had beside the timing."""
    largest = rows["load_average"].max()
    if not display.given(largest):
        return ""
    return f"Largest load average in the minute before a session: {largest:.1f}. "


def _short(setting: dict[str, Any]) -> str:
    if setting["device"] == "cpu":
        threads = setting["threads"]
        return display.many(threads, "thread")
    return f"{setting['precision']} {setting['layout']}"


def time(row: Any) -> Entry:
    """The ratio to the bare backbone, which is the reference; None is not measured."""
    if row is None:
        return Entry(display.MISSING)
    if row.arm == "none" and display.given(row.ratio):
        return Entry(display.REFERENCE, 1.0)
    ends = (row.ratio_low, row.ratio_high)
    return estimate(display.ratio, row.ratio, *ends, row.verdict, row.status)


def _milliseconds(row: Any) -> Entry:
    if row is None:
        return Entry(display.MISSING)
    return value(display.milliseconds, row.latency_ms, row.status)
