"""Facts and sentences of the pages, from the tables: every key exists, measured or not."""

from __future__ import annotations

from benchmarks import budget, display, equal_cost, stats, tables
from benchmarks.accuracy import PLANS
from benchmarks.cells import MODULES, benchmarks
from benchmarks.recipes import RECIPES
from benchmarks.site import (
    ablation,
    accuracy_facts,
    allocation,
    attention_facts,
    clock,
    controls,
    gpu_accuracy,
    gpu_latency,
    headroom,
    history,
    ladder,
    learned,
    longer_training,
    mechanism,
    norm_control,
    notes,
    notes_alexnet,
    notes_depth,
    other_images,
    own_tasks_facts,
    papers,
    processors,
    rates,
    reruns,
    retimed,
    segmentation,
    two_processors,
    zero_start,
)
from benchmarks.site import equal_cost as equal_cost_page
from benchmarks.snapshot import Snapshot
from benchmarks.store import Store
from benchmarks.widths import WIDTHS


def facts(store: Store) -> dict[str, str]:
    """All facts by key; what has no row says ``not measured``."""
    store = store if isinstance(store, Snapshot) else Snapshot(store.root)
    ours = (_rows, _coverage)
    pages = (
        ablation,
        accuracy_facts,
        allocation,
        attention_facts,
        clock,
        controls,
        equal_cost_page,
        gpu_accuracy,
        gpu_latency,
        headroom,
        ladder,
        learned,
        longer_training,
        norm_control,
        other_images,
        retimed,
        segmentation,
        two_processors,
        zero_start,
    )
    pages += (mechanism, notes, notes_alexnet, own_tasks_facts, papers, processors, rates, reruns)
    parts = (*ours, *(page.facts for page in pages))
    found = {key: text for part in parts for key, text in part(store).items()}
    return found | _rules() | _recipe() | _families(store) | {"site.commit": history.head()}


def _families(store: Store) -> dict[str, str]:
    """How many families of verdicts there are on accuracies, and how many lines they have."""
    sizes = [len(one.pairs) for one in budget.comparisons(store)]
    sizes += [
        int(mine["verdict"].notna().sum())
        for which in equal_cost.comparisons(store)
        for _, mine in equal_cost.table(store, which).groupby("cost")
    ]
    sizes += [len(found) for found in own_tasks_facts.families(store)]
    sizes += [len(gpu_accuracy.again(store)), *notes_depth.families(store)]
    sizes += [headroom.lines(store), norm_control.lines(store)]
    sizes = [size for size in sizes if size]
    return {"rule.families": str(len(sizes)), "rule.lines": display.whole(sum(sizes))}


def _rules() -> dict[str, str]:
    family = len(MODULES) - 1
    return {
        "seeds.wanted": f"{budget.WANTED:g}",
        "seeds.wanted_coarse": f"{budget.WANTED_COARSE:g}",
        "rule.modules": str(family),
        "rule.seeds_one": str(stats.seeds_needed(1)),
        "rule.seeds_family": str(stats.seeds_needed(family)),
        "rule.max_floor": f"{100 * stats.MAX_FLOOR:.0f} %",
        "rule.alpha": f"{100 * stats.ALPHA:.0f} %",
        "rule.confidence": f"{100 * stats.CONFIDENCE:.0f} %",
    }


def _recipe() -> dict[str, str]:
    """How the main table is trained."""
    main = PLANS["cpu"][0]
    recipe = RECIPES[main.recipe]
    formats = {"nchw": "channels first", "nhwc": "channels last"}
    numbers = {
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "lr": recipe.lr,
        "weight_decay": recipe.weight_decay,
        "momentum": recipe.momentum,
        "label_smoothing": recipe.label_smoothing,
        "crop": recipe.crop,
        "average": recipe.average,
        "last_gain": recipe.last_gain,
        "warmup": f"{100 * recipe.warmup:.0f} %",
        "name": main.recipe,
        "backbone": main.backbones[0],
        "seeds": main.seeds,
        "precision": {"bf16": "bfloat16 (autocast)"}.get(main.precision, main.precision),
        "layout": formats[main.layout],
    }
    return {f"recipe.{name}": str(number) for name, number in numbers.items()}


def _rows(store: Store) -> dict[str, str]:
    found: dict[str, str] = {}
    newest = ""
    total = 0
    for name in benchmarks():
        rows = store.table(name)
        found[f"rows.{name}"] = display.whole(len(rows))
        total += len(rows)
        if len(rows):
            newest = max(newest, str(rows["measured_at"].max()))
    found["rows.total"] = display.whole(total)
    widths = store.table("accuracy")["backbone"].isin(list(WIDTHS)).sum()
    found["rows.accuracy.widths"] = display.whole(int(widths))
    return {**found, "rows.newest": newest[:10] or display.MISSING}


def _coverage(store: Store) -> dict[str, str]:
    found = {"coverage.all": display.MISSING, "coverage.architectures": display.MISSING}
    frame = tables.coverage_table(store, "kind")
    every = frame[(frame["kind"] == "convolutional") & (frame["arm"] == "all")]
    for row in tables.records(every):
        found["coverage.all"] = display.share(row.good, row.all)
        found["coverage.architectures"] = display.whole(row.all)
    return found
