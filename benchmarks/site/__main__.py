"""From ``results/`` to what people read: ``python -m benchmarks.site``.

Writes ``docs/_gen/`` (tables, figures, facts, copies of ``results/``) before the site is built.
With ``--readme`` it fills the README's table and figure and ``results/claims.csv`` instead, with
``--readme --check`` it says whether they are current, and exits with 1 if not.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.ablation import FAMILIES
from benchmarks.cells import ROOT
from benchmarks.site import (
    ablation,
    accuracy,
    allocation,
    attention,
    choices,
    citing,
    clock,
    columns,
    complete,
    controls,
    cost,
    coverage,
    equal_cost,
    facts,
    failures,
    figures,
    gpu_accuracy,
    gpu_latency,
    headroom,
    ladder,
    latency,
    learned,
    longer_training,
    mechanism,
    memory,
    modules,
    norm_control,
    notes,
    notes_alexnet,
    notes_attention,
    notes_depth,
    notes_gradients,
    notes_optimisers,
    notes_trained,
    notes_trajectories,
    other_images,
    own_tasks,
    papers,
    processors,
    published,
    rates,
    readme,
    reruns,
    retimed,
    seeds,
    segmentation,
    suite,
    throughput,
    two_processors,
)
from benchmarks.site.charts import SCHEMES, Figure
from benchmarks.snapshot import Snapshot
from benchmarks.store import RESULTS, Store, StoreError

PUBLISHED = (
    "*.csv",
    "datapackage.json",
    "references.bib",
    "machines/*.json",
    "environments/*.json",
)
"""Files of `results/` that readers can download."""

TABLES: dict[str, Callable[[Store], str]] = {
    "main": accuracy.main_leaderboard,
    "leaderboards": accuracy.leaderboards,
    "accuracy": accuracy.accuracy,
    "gpu-accuracy": gpu_accuracy.accuracy,
    "accuracy-processors": two_processors.trainings,
    "published": published.published,
    "controls": controls.constants,
    "rescaled": controls.rescaled,
    "controls-tasks": controls.constants_on_tasks,
    "rescaled-tasks": controls.rescaled_on_tasks,
    "seeds-and-images": other_images.seeds_and_images,
    "equal-cost": equal_cost.modules,
    "equal-cost-tests": accuracy.at_equal_cost,
    "widths": equal_cost.widths,
    "modules": modules.overview,
    "latency": latency.latency,
    "gpu-latency": gpu_latency.latency,
    "gpu-places": gpu_latency.places,
    "latency-processors": processors.latency,
    "speed-processors": processors.speed,
    "threads": latency.threads,
    "threads-added": latency.added,
    "cost": cost.cost,
    "cost-nets": cost.nets,
    "coverage-modules": coverage.by_module,
    "coverage-families": coverage.by_family,
    "coverage-reasons": coverage.reasons,
    "coverage-left-out": coverage.left_out,
    "paper-counts": papers.counts,
    "paper-differing": papers.differing,
    "paper-choices": choices.choices,
    "paper-attention-map": choices.attention_map,
    "paper-effects": choices.effects,
    "reruns-trials": reruns.trials,
    "reruns-pairs": reruns.pairs,
    "failures": failures.failures,
    "complete": complete.complete,
    "suites": complete.suites,
    "columns": columns.columns,
    "cite": citing.in_words,
    "cite-bibtex": citing.bibtex,
    "cite-papers": citing.papers,
    "speed": attention.speed,
    "speed-means": attention.speed_means,
    "position": attention.position,
    "breakdown": attention.breakdown,
    "networks": attention.networks,
    "counts": attention.counts,
    "count-ranks": attention.count_ranks,
    "speed-floors": attention.floors,
    "ladder": ladder.ladder,
    "learned": learned.held,
    "learned-gates": learned.gates,
    "rates": rates.rates,
    "seeds-planned": seeds.planned,
    "seeds-budget": seeds.budgets,
    "seeds-budget-others": seeds.other_budgets,
    "simulation": seeds.simulated,
    "throughput": throughput.throughput,
    "overhead": suite.overhead,
    "counting": suite.counting,
    "counting-differences": suite.differences,
    "clock": clock.clock,
    "clock-right": clock.right,
    "retimed": retimed.sessions,
    "allocation": allocation.allocation,
    "memory": memory.memory,
    "mechanism": mechanism.tasks,
    "mechanism-named": own_tasks.named,
    "mechanism-named-rescaled": own_tasks.named_rescaled,
    "mechanism-longer": longer_training.longer,
    "headroom": headroom.headroom,
    "norm-tasks": norm_control.norm_tasks,
    "spiral": notes_trained.spiral,
    "spiral-pair": notes_trained.pair,
    "activations": notes_trained.activations,
    "calibration": notes_trained.calibration,
    "alexnet-path": notes_alexnet.path,
    "alexnet-grid": notes_alexnet.grid,
    "alexnet-data": notes_alexnet.data,
    "depth": notes_depth.budgets,
    "gradients": notes_gradients.told_apart,
    "gradients-all": notes_gradients.everything,
    "ravine": notes_trajectories.ravine,
    "saddle": notes_trajectories.saddle,
    "optimisers": notes_optimisers.optimisers,
    "optimisers-rates": notes_optimisers.rates,
    "depth-pieces": notes_depth.pieces,
    "segmentation": segmentation.segmentation,
    "segmentation-controls": segmentation.controls,
    "segmentation-heads": segmentation.heads,
    "segmentation-classes": segmentation.classes,
}
"""Generated fragments by the name that pages call them; modules and ablations have more."""


def generate(store: Store, folder: Path) -> list[Path]:
    """Write everything that the pages need; returns the files written.

    Files that an earlier call wrote are removed, those of anyone else stay.
    """
    for old in _written_before(folder):
        old.unlink(missing_ok=True)
    for name in ("tables", "figures", "data"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in fragments(store).items():
        written.append(_write(folder / "tables" / f"{name}.md", text))
    drawn = figures.figures(store)
    for figure in drawn:
        for scheme in SCHEMES if figure.values else ():
            path = folder / "figures" / f"{figure.name}-{scheme}.svg"
            written.append(_write(path, figure.svg(scheme)))
    written += publish(store, folder / "data")
    about = {"facts": facts.facts(store), "figures": {f.name: _about(f) for f in drawn}}
    about["files"] = [path.relative_to(folder).as_posix() for path in written]
    text = json.dumps(about, indent=1, ensure_ascii=False, sort_keys=True)
    return [*written, _write(folder / "facts.json", text + "\n")]


def publish(store: Store, folder: Path) -> list[Path]:
    """Copy the tables and what describes their rows; returns the copies."""
    copies = []
    for path in sorted(path for pattern in PUBLISHED for path in store.root.glob(pattern)):
        copy = folder / path.relative_to(store.root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copies.append(Path(shutil.copy(path, copy)))
    return copies


def _written_before(folder: Path) -> list[Path]:
    """The files that the facts of an earlier call list."""
    path = folder / "facts.json"
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        return []
    kinds = ("tables", "figures", "data", "data/machines", "data/environments")
    return [folder / n for n in names if Path(n).parent.as_posix() in kinds]


def fragments(store: Store) -> dict[str, str]:
    """Every generated table by name."""
    found = {name: make(store) for name, make in TABLES.items()}
    found |= notes.fragments(store) | notes_attention.fragments(store) | own_tasks.one_by_one(store)
    for family in modules.FAMILIES:
        found[f"module-{family}"] = modules.module(store, family)
        found[f"accuracy-{family}"] = modules.module_accuracy(store, family)
        found[f"paper-{family}"] = papers.paper(store, family)
    for family in FAMILIES:
        found[f"ablation-{family}"] = ablation.family(store, family)
    return found


def _about(figure: Figure) -> dict[str, object]:
    drawn = bool(figure.values)
    return {"caption": figure.caption, "alt": figure.alt, "drawn": drawn, "gap": figure.gap}


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0, or 1 if the README is stale, or 2 if the tables can't be read."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.site", description="Generate what the site and README show."
    )
    parser.add_argument("--results", default=str(RESULTS), help="folder of the tables")
    parser.add_argument("--out", default=str(ROOT / "docs" / "_gen"), help="folder to write")
    parser.add_argument("--readme", action="store_true", help="fill the README instead")
    parser.add_argument("--check", action="store_true", help="with --readme: write nothing")
    options = parser.parse_args(arguments)
    try:
        store = Snapshot(options.results)
        if not store.root.is_dir():
            raise StoreError(f"there is no folder {store.root}; --results names that of the tables")
        if options.readme or options.check:
            return readme.update(store, ROOT, check=options.check)
        print(f"reading {options.results} and drawing; it takes about a minute", flush=True)
        Path(options.out).mkdir(parents=True, exist_ok=True)
        written = generate(store, Path(options.out))
    except (StoreError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"wrote {len(written)} files to {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
