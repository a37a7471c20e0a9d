"""Paper: every size that the six papers print, beside what its recipe gives.

A recipe (`papers/recipes.csv`) says what to build, where the module goes and what is counted;
`papers/sizes.py` builds and counts it on the meta device without seeing the printed value, and
`papers/verdicts.py` rounds the result as the paper did and says how near it is. A line that can't
be built is a row too, and says why.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from benchmarks import models
from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.papers.recipes import Recipe, recipes
from benchmarks.papers.reported import CITES, Printed, sizes
from benchmarks.papers.verdicts import (
    DIFFERS,
    EXACT,
    NOT_BUILT,
    NOT_PRINTED,
    compare,
    formula,
)
from benchmarks.provenance import versions

WIDTHS = (256, 512, 1024, 2048)
"""Channels at which a printed formula is tried: the block outputs of ResNet-50."""

MODULE_FILES = ("cbam", "coord", "danet", "eca", "passes", "reductions", "se", "sk")
PAPER_FILES = ("backbones", "detection", "inception", "mobile", "modules", "sizes", "verdicts")
"""The code that decides a size, which one recipe or another uses."""

PREVIEW = "CBAM ECCV2018, Table 4"
"""The table that the suite `quick` measures."""

PARAMETERS = ("params", "extra_params", "module_params_formula")
"""The metrics that count parameters; the other sizes count operations."""


@dataclass(frozen=True)
class Task:
    """One printed value and its recipe."""

    printed: Printed
    recipe: Recipe

    @property
    def cell(self) -> Cell:
        """The cell of the value: where it is printed. A better recipe takes the row of a worse."""
        words = (*self.printed.line[3:], self.printed.metric)
        return Cell(
            "paper",
            self.printed.backbone,
            data=f"{self.printed.paper}, {self.printed.table}",
            recipe=" / ".join(word for word in words if word),
            device="meta",
        )


class PaperBenchmark(Benchmark):
    """Printed sizes reproduced: exact, last digit, differs, or cannot be built."""

    name = "paper"
    title = "Printed sizes beside what their recipes give"
    code = (
        *models.PLUGGING,
        *(f"attn/{file}.py" for file in MODULE_FILES),
        "benchmarks/paper.py",
        *(f"benchmarks/papers/{file}.py" for file in PAPER_FILES),
    )
    default_seconds = 0.3
    columns = (
        Column("paper", "string", "", "paper or official code that prints the value"),
        Column("table", "string", "", "table or place in it"),
        Column("network", "string", "", "network, as printed"),
        Column("printed_module", "string", "", "module, as printed"),
        Column("printed_variant", "string", "", "what else the printed row says"),
        Column("dataset", "string", "", "data set and crop, or detector"),
        Column("metric", "string", "", "what the value is"),
        Column("unit", "string", "", "unit; 2^20 and 2^30 where the paper divides by these"),
        Column("printed", "string", "", "the value as printed"),
        Column("shown", "string", "", "the computed value at the printed precision"),
        Column(
            "verdict", "string", "", "exact, last digit, differs, cannot be built, or not printed"
        ),
        Column("computed", "integer", "", "the computed value, every digit"),
        Column(
            "built", "string", "", "network that is built: a name of papers/backbones.py or timm"
        ),
        Column("plugged", "string", "", "module of attn with its options"),
        Column("input_size", "integer", "px", "height and width of the input"),
        Column("placed", "string", "", "where the module goes: a word of plug, or paths"),
        Column("counted", "string", "", "what counts as a parameter or an operation"),
        Column("basis", "string", "", "where the recipe is from: paper, code or inferred"),
        Column("note", "string", "", "what else the recipe says, or why there is none"),
        Column("why", "string", "", "what is known about a difference, and what was tried"),
        Column("cite", "string", "", "entry in references.bib"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        if want.suite not in ("quick", "cpu"):
            return
        for cell, task in tasks().items():
            if want.suite == "quick" and cell.data != PREVIEW:
                continue
            named = want.backbones is None or cell.backbone in want.backbones
            arm = (task.recipe.plug, task.recipe.options)
            if named and (want.modules is None or arm in want.arms()):
                yield cell

    def configuration(self, cell: Cell) -> Any:
        """The recipe, the printed value, and the libraries that build and count."""
        task = tasks()[cell]
        return [asdict(task.printed), asdict(task.recipe), versions("timm", "torch")]

    def group(self, cell: Cell) -> Hashable:
        return tasks()[cell].recipe.build or cell.backbone

    def measure(self, cell: Cell) -> dict[str, Any]:
        task = tasks()[cell]
        printed, recipe = task.printed, task.recipe
        parameters = printed.metric in PARAMETERS
        return {
            "paper": printed.paper,
            "table": printed.table,
            "network": printed.backbone,
            "printed_module": printed.module,
            "printed_variant": printed.variant,
            "dataset": printed.dataset,
            "metric": printed.metric,
            "unit": printed.unit,
            "printed": printed.value,
            **_outcome(task, parameters),
            "built": recipe.build,
            "plugged": f"{recipe.plug} {recipe.options}".strip() if recipe.plug != "none" else "",
            "input_size": recipe.image_size if recipe.build else None,
            "placed": recipe.at if recipe.plug != "none" else "",
            "counted": recipe.params if parameters else recipe.flops,
            "basis": recipe.basis,
            "note": recipe.note,
            "cite": printed.cite,
        }


@cache
def tasks() -> dict[Cell, Task]:
    """Every printed size with its recipe, then the sizes that are not printed, by cell.

    ValueError for a line that prints a size and has no recipe.
    """
    known = recipes()
    lines = {value.line for value in sizes()}
    if lines - set(known):
        name = min(lines - set(known))
        raise ValueError(f"papers/recipes.csv has no recipe for {name}; add one")
    found = [Task(value, known[value.line]) for value in sizes()]
    for recipe in known.values():
        if recipe.line not in lines:
            found += [Task(value, recipe) for value in _unprinted(recipe)]
    return {task.cell: task for task in found}


def _unprinted(recipe: Recipe) -> Iterator[Printed]:
    """The values of a line that prints no size: what its recipe counts."""
    for metric, counted in (("params", recipe.params), ("FLOPs", recipe.flops)):
        if counted:
            cite = CITES.get(recipe.paper, "")
            yield Printed(*recipe.line, metric, "count", "", cite, "")


def computed(recipe: Recipe, parameters: bool) -> int:
    """What a recipe gives: parameters, or else operations. It sees no printed value."""
    from benchmarks.papers.sizes import flops, params

    return params(recipe) if parameters else flops(recipe)


def _outcome(task: Task, parameters: bool) -> dict[str, Any]:
    """Computed value, the same as printed, verdict, and why they differ."""
    printed, recipe = task.printed, task.recipe
    counted = recipe.params if parameters else recipe.flops
    if not recipe.build or not counted:
        reason = recipe.why_params if parameters else recipe.why_flops
        return {"computed": None, "shown": "", "verdict": NOT_BUILT, "why": reason or recipe.note}
    if printed.metric == "module_params_formula":
        return _formula_outcome(printed, recipe)
    value = computed(recipe, parameters)
    if not printed.value:
        return {"computed": value, "shown": "", "verdict": NOT_PRINTED, "why": ""}
    rounding = recipe.params_round if parameters else recipe.flops_round
    shown, verdict = compare(value, printed.value, printed.unit, rounding)
    why = recipe.why_params if parameters else recipe.why_flops
    why = "" if verdict == EXACT else why
    return {"computed": value, "shown": shown, "verdict": verdict, "why": why}


def _formula_outcome(printed: Printed, recipe: Recipe) -> dict[str, Any]:
    """A printed formula is exact if it gives the module's parameters at every width."""
    from benchmarks.papers.sizes import module_params

    values = {c: module_params(recipe, c) for c in WIDTHS}
    wrong = [c for c in WIDTHS if formula(printed.value, C=c, r=16, k=3) != values[c]]
    why = f"C = {wrong[0]} has {values[wrong[0]]} parameters" if wrong else ""
    shown = "" if wrong else printed.value
    verdict = DIFFERS if wrong else EXACT
    return {"computed": values[WIDTHS[0]], "shown": shown, "verdict": verdict, "why": why}
