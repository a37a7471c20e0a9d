"""What a GPU adds to the tables of a processor: the same trainings, and where its time goes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import pandas as pd

from benchmarks import compare, display, pairing, stats, tables
from benchmarks.latency import ON_GPU
from benchmarks.pairing import Comparison
from benchmarks.site import paired
from benchmarks.site.accuracy import top1
from benchmarks.site.html import Entry, Head, absent, estimate, table, value
from benchmarks.site.latency import lines, time
from benchmarks.site.origin import origin, record
from benchmarks.store import Store

DEVICES = {"cpu": "processor", "cuda": "GPU"}

SAID = {"higher": "higher", "lower": "lower", stats.SAME: "not told from none"}


def twins(store: Store) -> dict[str, Comparison]:
    """A comparison that both devices trained, by device: the first one; empty if there is none."""
    found = pairing.comparisons(store)
    for which in found:
        other = replace(which, device="cpu")
        if which.device == "cuda" and other in found:
            return {"cpu": other, "cuda": which}
    return {}


def accuracy(store: Store) -> str:
    """A line an arm that both devices trained: its difference to none and its mean on each."""
    both = twins(store)
    if not both:
        return absent("The same trainings on a GPU")
    rows = _shared(store, both)
    judged = {device: compare.judged(mine, expected=()) for device, mine in rows.items()}
    by_arm = {d: {row.arm: row for row in tables.records(frame)} for d, frame in judged.items()}
    heads = [Head("Module", number=False)]
    heads += [Head(f"Difference on a {name}", "top-1, points [95 %]") for name in DEVICES.values()]
    heads += [Head("GPU less processor", "of these differences, points [95 %]")]
    heads += [Head(f"Top-1 on a {name}", "%, mean") for name in DEVICES.values()]
    heads += [Head("Seeds", "that both have")]
    wide = _top1(rows)
    seeds = wide["cuda"].count()
    nothing = pd.Series(dtype="float64")
    to_none = {d: mine.sub(mine.get("none", nothing), axis=0) for d, mine in wide.items()}
    changes = to_none["cuda"] - to_none["cpu"]
    body = [
        (
            Entry(arm),
            *(paired.difference(by_arm[device][arm]) for device in DEVICES),
            _change(arm, changes[arm].dropna().tolist()),
            *(top1(by_arm[device][arm]) for device in DEVICES),
            value(display.whole, seeds[arm]),
        )
        for arm in tables.in_order(by_arm["cuda"])
    ]
    which = both["cuda"]
    note = f"{paired.ADJUSTED_BY_COLUMN}; compiled by torch.compile on the GPU alone"
    places = "<br>".join(
        f"{_named(name)}: {origin(store, rows[device], 'accuracy')}"
        for device, name in DEVICES.items()
    )
    title = f"{which.backbone} on {which.data}, {which.recipe}, on both devices"
    return table(title, note, heads, body, places)


def _change(arm: str, found: list[float]) -> Entry:
    if arm == "none" or len(found) < compare.FEWEST_FOR_INTERVAL:
        return Entry(display.REFERENCE, 0.0) if arm == "none" else Entry("too few seeds")
    made = stats.student_interval(found)
    return estimate(display.points, made.value, made.low, made.high, "")


def latency(store: Store) -> str:
    """Ratios to none of every backbone that a GPU timed, beside those of one thread."""
    found = _timed(store)
    if not found:
        return absent("A GPU beside a processor")
    heads, frames = [Head("Module", number=False)], []
    for one in found:
        for setting, frame in one.items():
            batch = f"batch {frame.attrs['batch_size']}"
            floor = f"noise floor {tables.noise_floor(frame)}"
            name = f"{frame.attrs['backbone']}, {DEVICES[setting]}"
            heads.append(Head(name, f"{batch}, {floor}"))
            frames.append(frame)
    modules = [frame[frame["arm"] != "none"] for frame in frames]
    first = found[0]["cuda"].attrs
    note = (
        "times the bare backbone [95 %], at inference; the processor with one thread in 32 bits, "
        f"the GPU in {first['precision']}, {first['layout']}"
    )
    body = lines(modules, time)
    return table("A GPU beside a processor", note, heads, body, _places(store, found))


def places(store: Store) -> str:
    """Microseconds that a module adds at each place where it sits, on a GPU."""
    found = [one["cuda"] for one in _timed(store)]
    title = "Time that a module adds at each of its places"
    if not found:
        return absent(title)
    heads = [Head("Module", number=False)]
    for frame in found:
        about = f"batch {frame.attrs['batch_size']}, {frame.attrs['image_size']} px"
        heads += [
            Head(f"{frame.attrs['backbone']}", f"µs a place [95 %], {about}"),
            Head("Places", frame.attrs["backbone"]),
        ]
    columns = [{row.arm: row for row in tables.records(_a_place(store, f))} for f in found]
    body = []
    for arm in tables.in_order(arm for column in columns for arm in column):
        entries = [Entry(arm)]
        for column in columns:
            entries += _added(column.get(arm))
        body.append(entries)
    note = "on a GPU, at inference; the time of the bare backbone times what the ratio is above one"
    rows = pd.concat(found, ignore_index=True).assign(device="cuda")
    return table(title, note, heads, body, origin(store, rows, "latency"))


def facts(store: Store) -> dict[str, str]:
    """What the pages say of the GPU's rows."""
    keys = ("name", "agree", "seeds", "shift", "dearer", "work", "watched")
    found = {f"gpu.{key}": display.MISSING for key in keys}
    return found | _trained(store) | _seen(store) | _dearer(store) | _work(store)


def _shared(store: Store, both: dict[str, Comparison]) -> dict[str, pd.DataFrame]:
    """The rows of each device, of the arms that both have."""
    rows = {device: pairing.accuracy_rows(store, which) for device, which in both.items()}
    arms = set(rows["cpu"]["arm"]) & set(rows["cuda"]["arm"])
    return {device: mine[mine["arm"].isin(arms)] for device, mine in rows.items()}


def _top1(rows: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Accuracies of each device, a line a seed and a column an arm; NaN where one has none."""
    wide = {
        device: tables.ok(mine).pivot(index="seed", columns="arm", values="top1").astype(float)
        for device, mine in rows.items()
    }
    return {"cpu": wide["cpu"].where(wide["cuda"].notna()), "cuda": wide["cuda"]}


def _trained(store: Store) -> dict[str, str]:
    both = twins(store)
    if not both:
        return {}
    rows = _shared(store, both)
    judged = {d: compare.judged(mine, expected=()).set_index("arm") for d, mine in rows.items()}
    words = []
    for arm in tables.in_order(judged["cuda"].index):
        told = [SAID.get(str(judged[device].loc[arm, "verdict"])) for device in DEVICES]
        if arm == "none" or None in told:
            continue
        if told[0] == told[1]:
            words.append(f"{arm} is {told[0]} on both")
        else:
            words.append(f"{arm} is {told[0]} on the processor and {told[1]} on the GPU")
    wide = _top1(rows)
    found = {"gpu.agree": "; ".join(words) or display.MISSING}
    shifts = (wide["cuda"] - wide["cpu"]).stack().dropna()
    if len(shifts) > 1:
        made = stats.student_interval(shifts.tolist())
        found["gpu.shift"] = (
            f"{display.points(made.value)} points "
            f"[{display.points(made.low)}, {display.points(made.high)}]"
        )
    kept = [wide[device] - wide[device].mean() for device in DEVICES]
    pairs = pd.concat([part.stack() for part in kept], axis=1).dropna()
    free = len(pairs) - wide["cuda"].shape[1]  # the mean of each arm is taken off
    if free > 2:
        most = 1 - 1e-12  # Fisher's transformation of one is infinite
        r = min(max(float(pairs.corr().iloc[0, 1]), -most), most)
        reach = NormalDist().inv_cdf((1 + stats.CONFIDENCE) / 2) / math.sqrt(free - 2)
        low, high = (math.tanh(math.atanh(r) + sign * reach) for sign in (-1, 1))
        ends = f"[{display.points(low)}, {display.points(high)}]"
        count = display.many(len(pairs), "pair")
        found["gpu.seeds"] = f"{display.points(r)} {ends} over {count} of runs"
    return found


def _seen(store: Store) -> dict[str, str]:
    """Which GPU there are rows of, and what its watch saw."""
    rows = tables.ok(store.table("latency"))
    rows = tables.one_machine(rows[rows["device"] == "cuda"])
    if rows.empty:
        return {}
    names = record(store, "machines", rows["machine"].iloc[0]).get("gpus") or [display.MISSING]
    sessions = rows.drop_duplicates([*tables.SETTING, "machine"])
    ran, lost = (sessions["rounds"] * sessions["builds"]).sum(), sessions["discarded"].sum()
    low = display.whole(sessions["sm_clock_low_mhz"].min())
    high = display.whole(sessions["sm_clock_high_mhz"].max())
    stood = f"stood at {high} MHz" if low == high else f"was {low} to {high} MHz"
    return {
        "gpu.name": str(names[0]).partition(",")[0],
        "gpu.watched": (
            f"in {display.many(len(sessions), 'session')} its clock {stood}, and "
            f"{display.whole(int(lost))} of {display.many(int(ran + lost), 'round')} "
            f"{'was' if lost == 1 else 'were'} thrown away"
        ),
    }


def _dearer(store: Store) -> dict[str, str]:
    """In how many pairs of module and backbone the ratio is larger on the GPU."""
    parts = []
    for one in _timed(store):
        if len(one) == len(DEVICES):
            wide = pd.DataFrame({d: f.set_index("arm")["ratio"] for d, f in one.items()})
            parts.append(wide.drop(index="none").dropna())
    both = pd.concat(parts) if parts else pd.DataFrame()
    if both.empty:
        return {}
    return {"gpu.dearer": f"in {int((both['cuda'] > both['cpu']).sum())} of {len(both)}"}


def _work(store: Store) -> dict[str, str]:
    """How little the time of the bare backbones has to do with their multiply-adds."""
    known = []
    for one in _timed(store):
        frame = one["cuda"]
        bare = frame.set_index("arm").loc["none"]
        cost = tables.cost_table(store, frame.attrs["backbone"]).set_index("arm").loc["none"]
        same = display.given(cost["macs"]) and cost["image_size"] == frame.attrs["image_size"]
        if same and display.given(bare["latency_ms"]):
            known.append((float(cost["macs"]), float(bare["latency_ms"]), frame.attrs))
    if len(known) < 2:
        return {}
    (few, short, small), (many, long, large) = min(known, key=_macs), max(known, key=_macs)
    return {
        "gpu.work": (
            f"the bare {large['backbone']} at {large['image_size']} px has "
            f"{display.whole(round(many / few))} times the multiply-adds of the bare "
            f"{small['backbone']} at {small['image_size']} px, and takes {long / short:.1f} times "
            "as long"
        )
    }


def _macs(known: tuple[float, float, Any]) -> float:
    return known[0]


def _timed(store: Store) -> list[dict[str, pd.DataFrame]]:
    """Of each backbone that a GPU timed the table of its first setting, and that of one thread.

    Each is `tables.latency_table`, by device; its setting is in ``attrs``.
    """
    gpu = tables.latency_settings(store, device="cuda")
    cpu = [s for s in tables.latency_settings(store, device="cpu") if s["threads"] == 1]
    order = {how: i for i, how in enumerate(ON_GPU)}
    gpu.sort(key=lambda s: order.get((s["layout"], s["precision"]), len(order)))
    found = []
    for backbone in sorted({s["backbone"] for s in gpu}):
        one = {}
        for device, settings in (("cpu", cpu), ("cuda", gpu)):
            mine = next((s for s in settings if s["backbone"] == backbone), None)
            if mine:
                one[device] = tables.latency_table(store, mine)
                one[device].attrs = mine
        found.append(one)
    return found


def _named(name: str) -> str:
    return name[0].upper() + name[1:]


def _places(store: Store, found: Sequence[dict[str, pd.DataFrame]]) -> str:
    parts = []
    for device, name in DEVICES.items():
        frames = [one[device] for one in found if device in one]
        if frames:
            rows = pd.concat(frames, ignore_index=True).assign(device=device)
            parts.append(f"{_named(name)}: {origin(store, rows, 'latency')}")
    return "<br>".join(parts)


def _a_place(store: Store, frame: pd.DataFrame) -> pd.DataFrame:
    """A latency table's modules with ``places`` and the microseconds that they add at each."""
    cost = tables.cost_table(store, frame.attrs["backbone"]).set_index("arm")
    bare = frame.loc[frame["arm"] == "none", "latency_ms"].iloc[0]
    made = frame[(frame["arm"] != "none") & frame["ratio"].notna()].copy()
    made["places"] = made["arm"].map(cost["inserted"]).where(lambda n: n > 0)
    for name in ("ratio", "ratio_low", "ratio_high"):
        made[f"{name}_us"] = 1000 * bare * (made[name] - 1) / made["places"]
    return made


def _added(row: Any) -> list[Entry]:
    if row is None or not display.given(row.places):
        return [Entry(display.MISSING)] * 2
    ends = (row.ratio_low_us, row.ratio_high_us)
    return [estimate(_whole, row.ratio_us, *ends, ""), value(display.whole, row.places)]


def _whole(number: float) -> str:
    return display.with_minus(f"{number:.0f}")
