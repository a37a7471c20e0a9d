"""Trained widths and modules whose truth is known: a straight line in the logarithm of the cost."""

import math
from dataclasses import replace

import numpy as np
import trial

from benchmarks.cells import Cell
from benchmarks.pairing import Comparison
from benchmarks.store import Store
from benchmarks.widths import BACKBONE, IMAGE_SIZE, WIDTHS

RUN = replace(trial.ACCURACY, backbone=BACKBONE)
COUNT = Cell("widths", BACKBONE, device="meta", image_size=IMAGE_SIZE)
TIME = Cell("latency", BACKBONE, image_size=28, batch_size=32, threads=1)
WHICH = Comparison("fashion-mnist", BACKBONE, "full")

BARE = 1_000_000
PARAMS = {"se": 1.1, "sk": 1.4, "eca": 1.0, "danet": 9.0}
"""Parameters of some arms over those of the bare backbone; the widths have theirs squared."""

OFF = {"se": 0.5, "sk": 0.0, "eca": -0.5, "danet": 0.0}
"""Points that these arms lie off the line, whatever the cost."""


NOISE = 0.05
"""Deviation of an accuracy between seeds, in points."""


def line(times: float) -> float:
    """The true accuracy of the bare backbone at so many times its cost."""
    return 90 + 2 * math.log(times)


def bent(times: float) -> float:
    """The same of a curve that flattens."""
    return 90 + 2 * math.log(times) - math.log(times) ** 2


def macs(times: float) -> int:
    """Multiply-adds of an arm: twice the parameters."""
    return 2 * round(BARE * times)


def train(
    store: Store,
    truth=line,
    seeds: int = 10,
    noise: float = NOISE,
    seed: int = 0,
    widths=tuple(WIDTHS),
    first: int = 0,
) -> None:
    """Rows of every arm and width, from a seed on: the truth with independent normal noise."""
    rng = np.random.default_rng(seed)
    arms = [(BACKBONE, "none", 1.0, 0.0)]
    arms += [(name, "none", width**2, 0.0) for name, width in WIDTHS.items() if name in widths]
    arms += [(BACKBONE, module, times, OFF[module]) for module, times in PARAMS.items()]
    for n in range(first, seeds):
        for backbone, module, times, off in arms:
            top1 = truth(times) + off + noise * rng.standard_normal()
            cell = replace(RUN, backbone=backbone, module=module, seed=n)
            values = {**trial.outcome(top1), "params": round(BARE * times)}
            trial.append(store, cell, values)


def count(store: Store) -> None:
    """What `widths` would have counted."""
    for module, times in {"none": 1.0, **PARAMS}.items():
        added = macs(times) - macs(1)
        trial.append(store, replace(COUNT, module=module), counted(times, added))
    for name, width in WIDTHS.items():
        trial.append(store, replace(COUNT, backbone=name), counted(width**2, 0))


def counted(times: float, added: int) -> dict:
    params = {"params": round(BARE * times), "params_added": added // 2}
    return {**params, "macs": macs(times), "macs_added": added}


def time(store: Store, verdict: str = "slower") -> None:
    """Times that are as many times those of the bare backbone as the parameters."""
    for module, times in {"none": 1.0, **PARAMS}.items():
        values = {**trial.times(times, verdict), "latency_ms": 7 * times}
        trial.append(store, replace(TIME, module=module), values)
    for name, width in WIDTHS.items():
        values = {**trial.times(width**2, verdict), "latency_ms": 99.0}
        trial.append(store, replace(TIME, backbone=name), values)
