"""A row is stale once a function that decides it changes: `code` names every function it uses.

Of a file that is named as a whole that holds for all functions of other files that it uses.
"""

import ast
from functools import cache

import pytest

from benchmarks.cells import ROOT, benchmarks

HARMLESS = {
    ("accuracy.py", "_images"),  # keeps what `data.load` gives
    ("accuracy.py", "beside"),  # which cells there are
    ("accuracy.py", "layers"),  # what it gives is in the fingerprint
    ("cells.py", "benchmarks"),  # a table of the benchmarks, asked for what one refuses
    ("cells.py", "choose"),  # refuses
    ("data.py", "cache_folder"),  # where files lie; what is in them is checked
    ("data.py", "fashion_mnist_file"),
    ("data.py", "load"),  # a table of loaders, which are named
    ("display.py", "many"),  # words
    ("fresh.py", "ending"),  # words of an error
    ("imagenet.py", "place"),
    ("latency.py", "one_timing_job"),  # waits
    ("mechanism.py", "_source"),
    ("models.py", "create"),  # the layers of a model are in the fingerprint of what is trained
    ("models.py", "register"),
    ("papers/recipes.py", "recipes"),  # a row's recipe is in its fingerprint
    ("papers/reported.py", "sizes"),
    ("provenance.py", "versions"),  # what it gives is in the fingerprint
    ("ratios.py", "over_builds"),  # the texts of columns
    ("ratios.py", "over_processes"),
    ("resources.py", "cores"),  # how many workers load images
    ("segmentation.py", "_images"),
    ("stats.py", "verdict_text"),
    ("surroundings.py", "malloc"),  # stands beside a time and decides none
    ("surroundings.py", "of_processor"),
}

NOT_TAKEN = {
    ("networks", "device.py", "gpu_look"),  # of sessions on a GPU
    ("overhead", "resources.py", "jobs"),  # where no number of processes is given
    ("overhead", "tables.py", "ok"),  # where a process was lost
}
"""What a file that is named as a whole uses, on ways that the benchmark does not go."""

KNOWN = {
    ("alexnet", "data.py", "_idx"),
    ("calibration", "data.py", "_idx"),
    ("depth", "data.py", "_idx"),
    ("gradients", "data.py", "_idx"),
    ("optimisers", "data.py", "_idx"),
    ("memory", "fresh.py", "in_fresh_process"),  # sets the number of threads of what is measured
    ("networks", "fresh.py", "in_fresh_process"),
    ("position", "fresh.py", "in_fresh_process"),
    ("speed", "fresh.py", "in_fresh_process"),
    ("simulation", "stats.py", "seeds_needed"),
}
"""Gaps to be filled when the benchmark is measured anyway: naming them makes its rows stale."""


@cache
def tree(file):
    return ast.parse((ROOT / "benchmarks" / file).read_text(encoding="utf-8"))


@cache
def functions(file):
    return {node.name: node for node in tree(file).body if isinstance(node, ast.FunctionDef)}


@cache
def imported(file):
    """What a file of the suite imports from others of it: name -> file, and name in it or None."""
    found = {}
    for node in ast.walk(tree(file)):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        package, _, rest = node.module.partition(".")
        if package != "benchmarks":
            continue
        for alias in node.names:
            inner = "/".join(filter(None, [*rest.split("."), alias.name])) + ".py"
            whole = (ROOT / "benchmarks" / inner).exists()
            if not rest and not whole:  # a folder of files
                continue
            place = (inner, None) if whole else (rest.replace(".", "/") + ".py", alias.name)
            found[alias.asname or alias.name] = place
    return found


def used(file, name=""):
    """The functions of the suite that a function or class of a file names.

    Without a name, those of other files that the whole file does.
    """
    node = tree(file)
    if name:
        (node,) = (n for n in tree(file).body if getattr(n, "name", "") == name)
    names = imported(file)
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            place, inner = names.get(part.value.id, (None, ""))
            if place and inner is None and part.attr in functions(place):
                yield place, part.attr
        elif isinstance(part, ast.Name):
            place, inner = names.get(part.id, (file, part.id))
            if place and inner in functions(place) and (place, inner) != (file, name):
                yield place, inner


def gaps(benchmark):
    named = [source.removeprefix("benchmarks/").partition("::") for source in benchmark.code]
    named = [(file, name) for file, _, name in named if not file.startswith("attn/")]
    for file, name in named:
        for place, inner in used(file, name):
            gap = benchmark.name, place, inner
            known = {(place, ""), (place, inner)} & set(named)
            if not known and (place, inner) not in HARMLESS and gap not in NOT_TAKEN:
                yield gap


@pytest.mark.parametrize("name", benchmarks())
def test_every_function_that_decides_a_row_is_named(name):
    found = set(gaps(benchmarks()[name]))
    assert found == {gap for gap in KNOWN if gap[0] == name}


def test_what_is_said_to_be_harmless_is_used_by_a_file_that_is_named(monkeypatch):
    """No exception stays when its reason has gone."""
    harmless, not_taken = set(HARMLESS), set(NOT_TAKEN)
    monkeypatch.setitem(globals(), "HARMLESS", set())
    monkeypatch.setitem(globals(), "NOT_TAKEN", set())
    found = {gap for benchmark in benchmarks().values() for gap in gaps(benchmark)}
    assert not_taken <= found
    assert harmless <= {gap[1:] for gap in found}


@pytest.mark.parametrize(
    ("name", "file", "function"),
    [
        ("latency", "stats.py", "faster_half"),  # of a function that is named
        ("memory", "position.py", "peak_bytes"),  # of a file that is named as a whole
    ],
)
def test_a_function_that_is_not_named_would_be_found(monkeypatch, name, file, function):
    benchmark = benchmarks()[name]
    code = [source for source in benchmark.code if not source.endswith(f"{file}::{function}")]
    assert len(code) < len(benchmark.code)
    monkeypatch.setattr(type(benchmark), "code", tuple(code))
    assert set(gaps(benchmark)) - KNOWN == {(name, file, function)}
