"""A cell is its content: what it says decides its key, and nothing else does."""

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from benchmarks import FILES, cells
from benchmarks.cells import ROOT, SUITES, Benchmark, Cell, Column, Selection, choose
from benchmarks.schema import columns

CELL = Cell(
    "accuracy",
    "resnet18",
    "se",
    "reduction=8",
    "digits",
    "smoke",
    3,
    "cpu",
    "fp32",
    "nchw",
    32,
    64,
    1,
)


def test_the_key_is_the_hash_of_the_fields_that_are_set():
    content = {
        "backbone": "resnet18",
        "benchmark": "cost",
        "device": "cpu",
        "layout": "nchw",
        "module": "none",
        "precision": "fp32",
        "seed": 0,
    }
    expected = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
    assert Cell("cost", "resnet18", seed=0).key == expected


@pytest.mark.parametrize("field", [field.name for field in fields(Cell)])
def test_every_field_decides_the_key(field):
    value = getattr(CELL, field)
    assert replace(CELL, **{field: value + 1 if isinstance(value, int) else "x"}).key != CELL.key


def test_values_do_not_run_into_each_other():
    assert Cell("a", "bc").key != Cell("ab", "c").key
    assert Cell("a", "b", seed=0).key != Cell("a", "b").key
    assert Cell("a", "b", image_size=3).key != Cell("a", "b", batch_size=3).key


def test_a_cell_cannot_change():
    with pytest.raises(FrozenInstanceError):
        CELL.seed = 4


def test_an_unknown_name_is_answered_with_what_is_allowed():
    with pytest.raises(ValueError) as caught:
        choose("quik", ["quick", "cpu"], "suite")
    assert str(caught.value) == ("unknown suite 'quik'; allowed: quick, cpu. Did you mean quick?")
    assert choose("cpu", ["quick", "cpu"], "suite") == "cpu"


def test_the_bare_backbone_comes_first_and_once():
    arms = Selection(modules=(("se", ""), ("none", ""), ("se", "reduction=8"))).arms()
    assert arms == (("none", ""), ("se", ""), ("se", "reduction=8"))
    assert Selection().arms()[0] == ("none", "")
    six_papers = {"se", "cbam", "sk", "pam", "cam", "danet", "eca", "coord"}
    assert {name for name, _ in Selection().arms()} == {"none", *six_papers}


def test_a_taken_name_is_refused(monkeypatch):
    monkeypatch.setattr(cells, "_BENCHMARKS", {})
    type("First", (Benchmark,), {"name": "one"})
    with pytest.raises(ValueError, match=r"'one' is taken by .*First.*give .*Second.* another"):
        type("Second", (Benchmark,), {"name": "one"})


def test_a_benchmark_that_says_nothing_tells_what_it_lacks(monkeypatch):
    monkeypatch.setattr(cells, "_BENCHMARKS", {})
    silent = type("Silent", (Benchmark,), {"name": "silent"})()
    with pytest.raises(NotImplementedError, match="Silent"):
        list(silent.cells(Selection()))
    ((_, error),) = silent.measure_group([CELL])
    assert isinstance(error, NotImplementedError)


@pytest.fixture(scope="module")
def known():
    return cells.benchmarks()


def test_every_file_is_a_benchmark_and_in_its_order(known):
    assert tuple(known)[: len(FILES)] == FILES


@pytest.mark.parametrize("name", FILES)
def test_columns_say_what_they_hold(known, name):
    names = [column.name for column in columns(known[name])]
    assert len(names) == len(set(names))
    for column in columns(known[name]):
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column.name)
        assert column.description
    assert known[name].title


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("suite", SUITES)
def test_cells_of_a_suite_are_of_their_benchmark_distinct_and_paired(known, name, suite):
    listed = list(known[name].cells(Selection(suite, device=SUITES[suite].device)))
    assert {cell.benchmark for cell in listed} <= {name}
    assert len({cell.key for cell in listed}) == len(set(listed)) == len(listed)
    titles = {cell.title for cell in listed}
    assert len(titles) == len(listed), "two cells that a plan cannot tell apart"
    assert all(isinstance(hash(known[name].group(cell)), int) for cell in listed)


def test_the_text_of_a_cell_stays_for_speed_draws_from_it():
    """Its crc32 is a seed that no fingerprint has; the words for people are another matter."""
    cell = Cell("speed", "", "se", data="8x256x56x56", recipe="inference", threads=1)
    assert str(cell) == "speed · se · 8x256x56x56 · inference · 1 threads"
    other = replace(cell, layout="nhwc", batch_size=8)
    assert str(other) == str(cell)
    assert other.title == "speed · se · 8x256x56x56 · inference · nhwc · batch of 8 · 1 thread"


BARE, WIDE, PLAIN = ("none", ""), ("eca", "kernel_size=5"), ("eca", "")
SELECTIONS = [
    ((WIDE,), ("resnet18",)),
    ((WIDE, ("se", "")), ("resnet18", "resnet50")),
    ((WIDE,), None),
    ((PLAIN,), None),
    (None, ("resnet18",)),
]
IN_NETWORKS = {
    "quick": {"cost", "coverage", "latency", "accuracy", "segmentation"},
    "cpu": {"cost", "coverage", "latency", "accuracy", "segmentation"}
    | {"networks", "allocation", "memory"},
    "gpu": {"latency", "accuracy", "memory", "segmentation"},
}
"""Benchmarks that measure any module in any network, by suite."""

ALONE = {
    "quick": {"mechanism": WIDE, "properties": PLAIN},
    "cpu": {"mechanism": WIDE, "properties": PLAIN, "speed": PLAIN, "breakdown": PLAIN},
    "gpu": {},
}
"""Those that measure a module in a place of their own: an arm that each takes."""


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("suite", SUITES)
def test_a_selection_is_obeyed(known, suite, name):
    for modules, backbones in SELECTIONS:
        want = Selection(suite, modules, backbones, SUITES[suite].device)
        listed = list(known[name].cells(want))
        arms = {(cell.module, cell.variant) for cell in listed}
        if backbones:
            assert {cell.backbone for cell in listed} <= set(backbones)
        if modules:
            assert arms <= {BARE, *modules}
        if name in IN_NETWORKS[suite]:
            assert arms and arms >= set(modules or ())
            assert {cell.backbone for cell in listed} >= set(backbones or ())
        if modules and not backbones and ALONE[suite].get(name) in modules:
            assert ALONE[suite][name] in arms


@pytest.mark.parametrize("name", FILES)
def test_code_that_decides_a_value_exists(known, name):
    assert known[name].code
    for source in known[name].code:
        assert (ROOT / source.partition("::")[0]).is_file()


def test_reading_tables_needs_neither_torch_nor_timm():
    code = (
        "import sys; sys.modules['torch'] = sys.modules['timm'] = None\n"
        "from benchmarks.cells import benchmarks\n"
        "from benchmarks.store import Store\n"
        "from benchmarks import __main__, equal_cost, progress, runner, summary, tables\n"
        "for name in benchmarks(): Store().table(name)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_units_stand_apart_from_descriptions():
    column = Column("seconds", "number", "s", "time")
    from benchmarks.datapackage import described

    assert described(column) == {
        "name": "seconds",
        "type": "number",
        "description": "time [s]",
        "unit": "s",
    }
