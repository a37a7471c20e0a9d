"""Rows with known truths, in a folder of their own: nothing here was measured.

Over ten seeds `se` is exactly 1 point above `none`, `coord` 1 below, and `eca` half a point above
and below in turn. `cbam` has five seeds, `sk` one that failed, and `pam` no seed that `none` has.
`cam` and `danet` were never run.
"""

from dataclasses import replace
from pathlib import Path

from benchmarks.accuracy import PLANS
from benchmarks.cells import Cell
from benchmarks.store import Store, row

ACCURACY = Cell(
    "accuracy", "resnet10_small", data="fashion-mnist", recipe="full", threads=1, batch_size=128
)
PLAN = PLANS["cpu"][0]
MAIN = replace(
    ACCURACY,
    backbone=PLAN.backbones[0],
    recipe=PLAN.recipe,
    precision=PLAN.precision,
    layout=PLAN.layout,
)
"""A run of the main table."""
LATENCY = Cell("latency", "resnet18", image_size=224, batch_size=1, threads=1)
COST = Cell("cost", "resnet18", device="meta", image_size=224)
COVERAGE = Cell("coverage", "resnet18", device="meta")


def noise(number: int, side: int, flip: bool = False):
    """A data set of so many images of noise, the first 50 of which are tested too."""
    import torch

    from benchmarks import data

    torch.manual_seed(0)
    x = torch.randint(256, (number, 1, side, side), dtype=torch.uint8)
    y = torch.randint(10, (number,))
    return data.Images("noise", x, y, x[:50], y[:50], 10, flip)


def outcome(top1: float) -> dict:
    images = {"train_images": 60_000, "test_images": 10_000}
    return {"top1": top1, "params": 300_000, "epochs": 5, **images}


def append(store: Store, cell: Cell, values: dict | None, **outcome) -> None:
    """One row; without values a failed one."""
    if values is None:
        outcome = {"status": "failed", "reason": "RuntimeError: no memory [left]", **outcome}
    kept = {name: outcome.pop(name) for name in ("machine", "environment") if name in outcome}
    made = row(cell, values or {}, "f" * 12, seconds=1.0, **outcome)
    store.append(cell.benchmark, {**made, **kept})


def accuracy(store: Store, recipe: str = "full", seeds: int = 10) -> None:
    for seed in range(seeds):
        cell = replace(ACCURACY, recipe=recipe, seed=seed)
        bare = 90.0 + seed / 4
        append(store, cell, outcome(bare))
        append(store, replace(cell, module="se"), outcome(bare + 1))
        append(store, replace(cell, module="coord"), outcome(bare - 1))
        append(store, replace(cell, module="eca"), outcome(bare + (0.5 if seed % 2 else -0.5)))
        if seed < 5:
            append(store, replace(cell, module="cbam"), outcome(bare + 1))
        append(store, replace(cell, module="sk"), outcome(bare + 2) if seed else None)
        append(store, replace(cell, module="pam", seed=100 + seed), outcome(bare))


def times(ratio: float, verdict: str) -> dict:
    ends = {"ratio_low": ratio - 0.01, "ratio_high": ratio + 0.01}
    floor = {"floor_low": 0.99, "floor_high": 1.01}
    return {"latency_ms": 20 * ratio, "ratio": ratio, "verdict": verdict, **ends, **floor}


def latency(store: Store) -> None:
    append(store, LATENCY, times(1.0, "no measurable difference"))
    append(store, replace(LATENCY, module="se"), times(1.25, "slower"))
    append(store, replace(LATENCY, module="sk"), None)
    for module in ("none", "cbam"):
        elsewhere = replace(LATENCY, module=module)
        append(store, elsewhere, times(7.0, "slower"), machine="elsewhere")


def cost(store: Store) -> None:
    bare = {"params": 11_689_512, "params_added": 0, "macs": 1_814_073_344, "macs_added": 0}
    append(store, COST, bare)
    added = {"params": 11_778_592, "params_added": 89_080, "macs_added": 87_040}
    append(store, replace(COST, module="se"), {**bare, **added, "inserted": 8, "slot": "block"})


def coverage(store: Store) -> None:
    """Two convolutional families and a hybrid; `b1` takes no SK, `c1` nothing at all."""
    for backbone, family, kind in (
        ("a1", "a", "convolutional"),
        ("a2", "a", "convolutional"),
        ("b1", "b", "convolutional"),
        ("c1", "", ""),
        ("h1", "h", "hybrid"),
    ):
        for module in ("se", "sk"):
            cell = replace(COVERAGE, backbone=backbone, module=module)
            works = family and (backbone, module) != ("b1", "sk")
            append(store, cell, {"family": family, "kind": kind} if works else None)


def everything(folder: Path) -> Store:
    store = Store(folder)
    accuracy(store)
    accuracy(store, "preview", 2)
    latency(store)
    cost(store)
    coverage(store)
    store.fold()
    return store
