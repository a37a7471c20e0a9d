"""The recipe of every printed size: what to build, where the module goes, what is counted.

`recipes.csv` is the table: one line for each line of a paper's table that prints a size, and lines
that a paper compares without printing sizes. It holds no printed value.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PATH = Path(__file__).with_name("recipes.csv")

Line = tuple[str, str, str, str, str, str]


@dataclass(frozen=True)
class Recipe:
    """What gives the sizes of one line of a table.

    `build` names a network of `backbones.build`; empty if the line can't be built, and `note` says
    why. `plug` is a module of `attn`, `options` its options and `at` its place: a word of
    `attn.plug`, or a pattern of paths. `params` and `flops` name what is counted (see `sizes`),
    `params_round` and `flops_round` how they are rounded where it is not to the nearest last digit:
    `down`, or a coarser step such as `10`. `basis` says where the
    recipe is from: `paper`, `code` or `inferred`. `why_params` and `why_flops` say what is known
    about a difference.
    """

    paper: str
    table: str
    backbone: str
    module: str
    variant: str
    dataset: str
    build: str
    plug: str
    options: str
    at: str
    image_size: int
    params: str
    flops: str
    params_round: str
    flops_round: str
    basis: str
    note: str
    why_params: str
    why_flops: str

    @property
    def line(self) -> Line:
        """The line of the table that the recipe is for."""
        return self.paper, self.table, self.backbone, self.module, self.variant, self.dataset


@cache
def recipes() -> dict[Line, Recipe]:
    """All recipes by their line. ValueError if a line has two."""
    with open(PATH, encoding="utf-8", newline="") as file:
        rows = [{**row, "image_size": int(row["image_size"])} for row in csv.DictReader(file)]
    found: dict[Line, Recipe] = {}
    for row in rows:
        recipe = Recipe(**row)
        if recipe.line in found:
            raise ValueError(f"{PATH.name} has two recipes for {recipe.line}; delete one")
        found[recipe.line] = recipe
    return found
