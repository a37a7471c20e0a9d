"""A row is stale once a function that decides it changes: `code` names every function it uses.

Of a file that is named as a whole nothing is looked at: it says itself what it imports.
"""

import ast
from functools import cache

import pytest

from benchmarks.cells import ROOT, benchmarks

HARMLESS = {
    ("accuracy.py", "_images"),  # keeps what `data.load` gives
    ("accuracy.py", "layers"),  # what it gives is in the fingerprint
    ("cells.py", "choose"),  # refuses
    ("data.py", "cache_folder"),  # where files lie; what is in them is checked
    ("data.py", "fashion_mnist_file"),
    ("data.py", "load"),  # a table of loaders, which are named
    ("imagenet.py", "place"),
    ("resources.py", "cores"),  # how many workers load images
    ("mechanism.py", "_source"),
    ("models.py", "create"),  # the layers of a model are in the fingerprint of what is trained
    ("models.py", "register"),
    ("segmentation.py", "_images"),
    ("segmentation.py", "layers"),
}

KNOWN = {
    ("alexnet", "data.py", "_idx"),
    ("calibration", "data.py", "_idx"),
    ("depth", "data.py", "_idx"),
    ("gradients", "data.py", "_idx"),
    ("optimisers", "data.py", "_idx"),
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
            place = (inner, None) if whole else (rest.replace(".", "/") + ".py", alias.name)
            found[alias.asname or alias.name] = place
    return found


def used(file, name):
    """The functions of the suite that a function or class of a file names."""
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
        for place, inner in used(file, name) if name else ():
            known = {(place, ""), (place, inner)} & set(named)
            if not known and (place, inner) not in HARMLESS:
                yield benchmark.name, place, inner


@pytest.mark.parametrize("name", benchmarks())
def test_every_function_that_decides_a_row_is_named(name):
    found = set(gaps(benchmarks()[name]))
    assert found == {gap for gap in KNOWN if gap[0] == name}


def test_a_function_that_is_not_named_would_be_found(monkeypatch):
    latency = benchmarks()["latency"]
    code = [source for source in latency.code if not source.endswith("stats.py::faster_half")]
    assert len(code) < len(latency.code)
    monkeypatch.setattr(type(latency), "code", tuple(code))
    assert set(gaps(latency)) == {("latency", "stats.py", "faster_half")}
