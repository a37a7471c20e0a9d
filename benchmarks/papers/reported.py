"""Values that papers, their official code and careful reruns print: typed once, with the source.

`results/reported.csv` holds them as they are printed, so a value is text (`"7.60"`), and
`results/references.bib` the sources. Nothing in that table was measured here.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

from benchmarks.cells import ROOT, Column

PATH = ROOT / "results" / "reported.csv"

TITLE = "Values that papers, their code and reruns print, with their sources"

COLUMNS = (
    Column("paper", "string", "", "paper or repository that prints the value"),
    Column("table", "string", "", "table or place in it"),
    Column("backbone", "string", "", "network, as printed"),
    Column("module", "string", "", "attention module, as printed; none is the bare network"),
    Column("variant", "string", "", "what else the row says"),
    Column("dataset", "string", "", "data set and crop, or detector"),
    Column("metric", "string", "", "what the value is"),
    Column("unit", "string", "", "unit; 2^20 and 2^30 where the source divides by these"),
    Column("value", "string", "", "the value as printed"),
    Column("cite", "string", "", "entry in references.bib"),
    Column("source", "string", "", "source in words, with the commit of a repository"),
)

PAPERS = {
    "SENet CVPR2018": "se",
    "SENet TPAMI/arXiv-v4": "se",
    "SENet official repo": "se",
    "CBAM ECCV2018": "cbam",
    "SKNet CVPR2019": "sk",
    "DANet CVPR2019": "danet",
    "ECA-Net CVPR2020": "eca",
    "ECANet official repo": "eca",
    "CoordAttention CVPR2021": "coord",
}
"""The sources whose sizes are reproduced, and the module of each."""

CITES = {
    "SENet CVPR2018": "hu2018senet",
    "SENet TPAMI/arXiv-v4": "hu2020senet",
    "SENet official repo": "code-senet",
    "CBAM ECCV2018": "woo2018cbam",
    "SKNet CVPR2019": "li2019sknet",
    "DANet CVPR2019": "fu2019danet",
    "ECA-Net CVPR2020": "wang2020eca",
    "CoordAttention CVPR2021": "hou2021coord",
}
"""Where lines that print no size come from, by their paper."""

SIZES = ("params", "FLOPs", "module_params_formula", "extra_params", "extra_FLOPs")
"""The metrics that a recipe can give without training."""


@dataclass(frozen=True)
class Printed:
    """One printed value; the fields are those of `COLUMNS`."""

    paper: str
    table: str
    backbone: str
    module: str
    variant: str
    dataset: str
    metric: str
    unit: str
    value: str
    cite: str
    source: str

    @property
    def line(self) -> tuple[str, str, str, str, str, str]:
        """The line of the table that the value stands in."""
        return self.paper, self.table, self.backbone, self.module, self.variant, self.dataset

    @property
    def is_size(self) -> bool:
        """Whether a recipe should give the value."""
        return self.metric in SIZES and self.paper in PAPERS


@cache
def printed() -> tuple[Printed, ...]:
    """All printed values in the order of the file."""
    with open(PATH, encoding="utf-8", newline="") as file:
        return tuple(Printed(**row) for row in csv.DictReader(file))


def sizes() -> tuple[Printed, ...]:
    """The printed sizes of the six papers and their official code."""
    return tuple(value for value in printed() if value.is_size)
