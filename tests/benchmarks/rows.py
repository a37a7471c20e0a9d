"""Rows of the benchmark of `trouble.py` and a process that writes them; what commands select."""

import os
import subprocess
import sys
from pathlib import Path

from trouble import cell

from benchmarks.cells import ROOT
from benchmarks.store import row

HERE = Path(__file__).parent

ONE = ("--only", "cost", "--backbone", "resnet18")
"""A selection of few and cheap cells."""


def a_row(seed=0, recipe="ok", values=None, **outcome):
    values = {"third": seed / 3} if values is None else values
    return row(cell(recipe, seed), values, "f" * 12, seconds=0.5, **outcome)


def in_another_process(code, *arguments):
    """Run code that may use `store` (of the first argument) and `a_row`."""
    start = (
        "import os, signal, sys; from benchmarks import cells; from trouble import TROUBLE; "
        "cells.FILES = (); cells._BENCHMARKS['trouble'] = TROUBLE; "
        "from rows import a_row; from benchmarks.store import Store; store = Store(sys.argv[1]); "
    )
    return subprocess.Popen(
        [sys.executable, "-c", start + code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}"},
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def no_rows(results: Path) -> bool:
    """Whether a folder of tables has neither a table nor a journal."""
    return not list(results.rglob("*.csv")) and not list(results.rglob("*.jsonl"))
