"""What was trained on a processor and on a GPU: its differences to none side by side."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from benchmarks import compare, display, pairing, stats, tables
from benchmarks.pairing import Comparison
from benchmarks.site import paired
from benchmarks.site.html import Entry, Head, absent, of_interval, table, value
from benchmarks.site.judged import top1
from benchmarks.site.origin import origin
from benchmarks.site.words import COUNTED, after, comparison
from benchmarks.store import Store

DEVICES = {"cpu": "Processor", "cuda": "GPU"}

ADJUSTED = paired.adjusted("all modules that its suite trains")


def twins(store: Store) -> dict[str, Comparison]:
    """The first comparison of a processor that a GPU has trained too, and that, by device."""
    found = pairing.comparisons(store)
    for which in found:
        other = replace(which, device="cuda")
        if which.device == "cpu" and other in found:
            return {"cpu": which, "cuda": other}
    return {}


def accuracy(store: Store) -> str:
    """A line an arm that both devices trained: its difference to none and its mean on each.

    Verdicts are those of the whole table of each device.
    """
    both = twins(store)
    if not both:
        return absent("The same trainings on a GPU")
    judged = {d: compare.accuracy_table(store, which) for d, which in both.items()}
    by_arm = {device: tables.by_arm(frame) for device, frame in judged.items()}
    wide = _top1(store, both)
    heads = [Head("Module", number=False)]
    heads += [Head(f"Difference, {name}", "top-1, points [95 %]") for name in DEVICES.values()]
    heads += [Head("GPU less processor", "of these differences, points [95 %]")]
    heads += [Head(f"Top-1, {name}", "%, mean") for name in DEVICES.values()]
    heads += [Head("Seeds", "that both have")]
    changes = _changes(wide)
    body = [
        (
            Entry(arm),
            *(paired.difference(by_arm[device][arm]) for device in DEVICES),
            _change(arm, changes),
            *(top1(by_arm[device][arm]) for device in DEVICES),
            value(display.whole, wide["cpu"][arm].count()),
        )
        for arm in map(str, wide["cpu"])
    ]
    previews = [compare.preview_words(judged[device], both[device]) for device in DEVICES]
    note = "; ".join([*dict.fromkeys(filter(None, previews)), ADJUSTED])
    places = []
    for device, name in DEVICES.items():
        rows = pairing.accuracy_rows(store, both[device])
        rows = rows[rows["arm"].isin(list(wide["cpu"]))]
        places.append(f"{name}: {origin(store, rows, 'accuracy')}")
    which = both["cuda"]
    title = f"{which.backbone} on {which.data}, {which.recipe}, on both devices"
    return table(title, note, heads, body, "<br>".join(places))


def facts(store: Store) -> dict[str, str]:
    """What the two devices say alike, in words, and how alike runs of one seed are."""
    found = {f"gpu.{key}": display.MISSING for key in ("agree", "shift", "seeds")}
    found["gpu.same"] = found["gpu.same_so_far"] = display.NOT_YET
    both = twins(store)
    if not both:
        return found
    wide = _top1(store, both)
    judged = {device: compare.accuracy_table(store, which) for device, which in both.items()}
    starts = {device: compare.preview_words(judged[device], both[device]) for device in both}
    arms = list(map(str, wide["cpu"]))
    agree = _agree(judged, arms)
    if agree:
        found["gpu.agree"] = after(_unfinished(starts), agree, ": ")
    shifts = (wide["cuda"] - wide["cpu"]).dropna().mean(axis=1)
    if len(shifts) >= compare.FEWEST_FOR_INTERVAL:
        made = stats.student_interval(shifts.tolist())
        ends = display.interval(display.points, made.value, made.low, made.high)
        found["gpu.shift"] = f"{ends} points"
    return found | _same(wide, _again(again(store)), _unfinished(starts)) | _seeds(wide)


def _same(wide: dict[str, pd.DataFrame], again: str, unfinished: str) -> dict[str, str]:
    """Of how many modules the difference to none is another on the other device.

    By itself with how much could have been seen, what came out ``again`` and is ``unfinished``.
    """
    made = _changes(wide).values()
    if not made:
        return {}
    count = sum(one.low > 0 or one.high < 0 for one in made)
    short = f"For {count or 'none'} of {display.many(len(made), 'module')}"
    halves = [(one.high - one.low) / 2 for one in made]
    least, most = (display.percent(end(halves)) for end in (min, max))
    reach = f", by intervals of ±{least} to ±{most} points"
    preview = f" ({unfinished})" * bool(unfinished)
    return {"gpu.same": f"{short}.", "gpu.same_so_far": f"{short}{reach}{preview}.{again}"}


def again(store: Store) -> pd.DataFrame:
    """What is higher or lower on the processor, judged on the GPU as a family of its own.

    The verdicts of the GPU's whole table are of another family, which has other modules too.
    """
    both = twins(store)
    pairs = {}
    if both:
        verdicts = compare.accuracy_table(store, both["cpu"]).set_index("arm")["verdict"]
        arms = [arm for arm in map(str, _top1(store, both)["cpu"]) if arm in verdicts]
        pairs = {arm: (arm, "none") for arm in arms if verdicts[arm] in ("higher", "lower")}
    if not pairs:
        return pd.DataFrame()
    return compare.judge(pairing.accuracy_rows(store, both["cuda"]), pairs, {})


def _again(family: pd.DataFrame) -> str:
    """What `again` has, as a sentence, or ""."""
    if family.empty:
        return ""
    words = [f"{row.key} {comparison(row)}" for row in tables.records(family)]
    return (
        " What is higher or lower on the processor, judged on the GPU as a family of its own "
        f"(chosen when both were known): {'; '.join(words)}."
    )


def _unfinished(starts: dict[str, str]) -> str:
    """What stands in place of verdicts where the comparison of a device is a preview; or ""."""
    names = {"cpu": "the processor", "cuda": "the GPU"}
    return "; ".join(f"{start} on {names[device]}" for device, start in starts.items() if start)


def _agree(judged: dict[str, pd.DataFrame], arms: list[str]) -> str:
    """The verdicts of each arm on both devices, as clauses; "" if there are none."""
    said = {}
    for device, frame in judged.items():
        verdicts = frame.set_index("arm")["verdict"]
        said[device] = {arm: COUNTED[word][0] for arm, word in verdicts.items() if word in COUNTED}
    words = []
    for arm in arms:
        told = [said[device].get(arm) for device in DEVICES]
        if None in told:
            continue
        end = "on both" if told[0] == told[1] else f"on the processor and {told[1]} on the GPU"
        words.append(f"{arm} {told[0]} {end}")
    return "; ".join(words)


def _seeds(wide: dict[str, pd.DataFrame]) -> dict[str, str]:
    """Correlation over runs of one arm and seed, the mean of each arm and device taken away.

    The interval is the jackknife's over the seeds: runs of one seed share more than their arm.
    """
    seeds = wide["cpu"].dropna(how="all").index

    def correlation(kept: pd.Index) -> float:
        runs = (wide[device].loc[kept] for device in DEVICES)
        pairs = pd.concat([(of - of.mean()).stack() for of in runs], axis=1).dropna()
        return float(np.corrcoef(pairs.to_numpy("float64").T)[0, 1])

    n = len(seeds)
    if n < compare.FEWEST_FOR_INTERVAL:
        return {}
    r = correlation(seeds)
    pseudo = [n * r - (n - 1) * correlation(seeds.drop(seed)) for seed in seeds]
    if not all(map(math.isfinite, pseudo)):
        return {}
    made = stats.student_interval(pseudo)
    reach = (made.high - made.low) / 2
    ends = display.interval(display.points, r, max(r - reach, -1), min(r + reach, 1))
    return {"gpu.seeds": f"{ends} over {display.many(n, 'seed')} of {wide['cpu'].shape[1]} arms"}


def _top1(store: Store, both: dict[str, Comparison]) -> dict[str, pd.DataFrame]:
    """Accuracies in percent by device: a line a seed, a column an arm that both have trained.

    NaN where one of the two has no value.
    """
    wide = {}
    for device, which in both.items():
        rows = tables.ok(pairing.accuracy_rows(store, which))
        wide[device] = rows.pivot(index="seed", columns="arm", values="top1").astype("float64")
    cpu, cuda = wide["cpu"].align(wide["cuda"], join="inner")
    arms = tables.in_order(cpu)
    there = cpu.notna() & cuda.notna()
    return {"cpu": cpu.where(there)[arms], "cuda": cuda.where(there)[arms]}


def _to_none(wide: pd.DataFrame) -> pd.DataFrame:
    """Each arm less the bare backbone of the seed, NaN without it."""
    return wide.sub(wide.get("none", pd.Series(dtype="float64")), axis=0)


def _changes(wide: dict[str, pd.DataFrame]) -> dict[str, stats.Interval]:
    """The GPU's difference to none less the processor's, of modules with seeds enough."""
    both = _to_none(wide["cuda"]) - _to_none(wide["cpu"])
    found = {str(arm): both[arm].dropna().tolist() for arm in both if arm != "none"}
    enough = {arm: d for arm, d in found.items() if len(d) >= compare.FEWEST_FOR_INTERVAL}
    return {arm: stats.student_interval(differences) for arm, differences in enough.items()}


def _change(arm: str, changes: dict[str, stats.Interval]) -> Entry:
    if arm == "none":
        return Entry(display.REFERENCE, 0.0)
    if arm not in changes:
        return Entry("too few seeds")
    return of_interval(display.points, changes[arm])
