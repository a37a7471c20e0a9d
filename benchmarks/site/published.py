"""Published accuracies on CIFAR-100 beside those of our runs with nets of the same name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from benchmarks import compare, display, pairing, tables
from benchmarks.accuracy import PLANS
from benchmarks.cells import SUITES
from benchmarks.pairing import Comparison
from benchmarks.site.html import Entry, Head, table
from benchmarks.site.judged import seeds, top1
from benchmarks.site.origin import all_rows, origin
from benchmarks.site.paired import difference
from benchmarks.site.reruns import Gain, gains
from benchmarks.store import Store

NETWORKS = {
    "resnet20_cifar": "ResNet-20",
    "resnet56_cifar": "ResNet-56",
    "mobilenetv2_cifar": "MobileNetV2",
}
"""What SimAM's table calls the backbones of the suite `gpu`."""

DATA = "CIFAR-100"

MODULES = {"none": "none", "se": "SE", "cbam": "CBAM", "eca": "ECA"}
"""What SimAM's table calls the modules of this suite that it has."""

HEADS = (
    Head("Network and module", number=False),
    Head("Printed", "top-1, %, mean of five trials"),
    Head("Printed difference", "to none, points"),
    Head("Ours", "top-1, %, mean of the seeds"),
    Head("Our difference", "to none, points [95 %]"),
    Head("Our seeds"),
)


def published(store: Store) -> str:
    """A line a network and module: what is printed, and what this suite measured."""
    printed = {(g.network, g.module): g for g in gains() if g.dataset == DATA}
    body, used, previews = [], [], []
    for backbone, network in NETWORKS.items():
        which = planned(store, backbone)
        ours = compare.accuracy_table(store, which).set_index("arm", drop=False)
        used.append(pairing.accuracy_rows(store, which))
        words = compare.preview_words(ours, which)
        if ours["seeds"].any() and words:
            previews.append(f"{words} ({network})")
        for arm, module in MODULES.items():
            gain = printed[network, "SE" if module == "none" else module]
            (row,) = tables.records(ours.loc[[arm]])
            name = Entry(f"{network}, {arm}")
            body.append((name, *_printed(gain, arm), top1(row), _ours(row), seeds(row)))
    words = [
        *previews,
        "reported, beside ours: other code and another recipe, so compare the differences",
    ]
    ours = origin(store, pd.concat(used, ignore_index=True), "accuracy")
    places = f"Printed: SimAM, Table 2. {all_rows(store, 'reported')}<br>Ours: {ours}"
    return table(f"{DATA}, printed and ours", "; ".join(words), HEADS, body, places)


def planned(store: Store, backbone: str) -> Comparison:
    """The comparison of a backbone as the suite ``gpu`` plans it, on another device if only that
    has rows."""
    (runs,) = (r for r in PLANS["gpu"] if r.data == "cifar100" and backbone in r.backbones)
    how = (SUITES["gpu"].device, runs.precision, runs.layout)
    which = Comparison(runs.data, backbone, runs.recipe, *how)
    measured = compare.main_first(store)
    if which in measured:
        return which
    return next((c for c in measured if replace(c, device=which.device) == which), which)


def _printed(gain: Gain, arm: str) -> tuple[Entry, Entry]:
    """A printed mean with its deviation, and its difference to none with a verdict."""
    if arm == "none":
        spread = f"± {display.percent(gain.bare_deviation)}"
        return Entry(display.percent(gain.bare), gain.bare, spread), Entry(display.REFERENCE, 0.0)
    mean = Entry(display.percent(gain.mean), gain.mean, f"± {display.percent(gain.deviation)}")
    return mean, Entry(display.points(gain.gain), gain.gain, word=gain.verdict)


def _ours(row: Any) -> Entry:
    """Our difference, a reference only where there is one."""
    if row.arm == "none" and not row.seeds:
        return Entry(row.no_value)
    return difference(row)
