"""A module of a user's own file is answered before any work if it can't be used."""

import importlib
import re
from dataclasses import replace
from unittest.mock import Mock

import pytest
import torch
from trouble import Quiet, cell

import attn.registry
from benchmarks import engine, own_modules, preflight, runner
from benchmarks.cells import Cell, Selection

GATES = """
import json
import torch
from torch import nn

class Same(nn.Module):
    def __init__(self, channels, *, scale=1.0):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        return self.scale * x

class Pooled(Same):
    def forward(self, x):
        return x.mean((2, 3))

class Pair(Same):
    def forward(self, x):
        return x, x

class AskingForValues(Same):
    def forward(self, x):
        return x if x.sum().item() >= 0 else x.mean((2, 3))

class OfFewChannels(Same):
    def __init__(self, channels):
        super().__init__(channels)
        assert channels == 16

class Forgetful(Same):
    def forward(self, x):
        return x * x.mean((2, 3))

class WrongText(Same):
    def forward(self, x):
        return x * json.loads("x")

class Double(Same):
    def forward(self, x):
        return x.double()

class BrokenInTraining(Same):
    def forward(self, x):
        return x.view(3) if self.training else x

class OnlyThere(Same):
    def forward(self, x):
        assert x.is_meta, "only there"
        return x

class WithoutChannels(nn.Module):
    def __init__(self):
        super().__init__()
"""


@pytest.fixture(autouse=True)
def gates(tmp_path, monkeypatch):
    (tmp_path / "gates_to_try.py").write_text(GATES)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("gate", ["Same", "AskingForValues", "OfFewChannels"])
def test_what_may_work_is_taken(gate):
    own_modules.require_module(f"gates_to_try:{gate}", "")


def test_its_options_are_read():
    own_modules.require_module("gates_to_try:Same", "scale=0.5")
    with pytest.raises(ValueError, match="not of the form option=value"):
        own_modules.require_module("gates_to_try:Same", "scale")


@pytest.mark.parametrize(("gate", "made"), [("Pooled", r"\(2, 64\)"), ("Pair", "tuple")])
def test_an_output_of_another_shape_is_refused_by_the_name_of_the_module(gate, made):
    words = rf"module 'gates_to_try:{gate}' makes {made} of an input of shape \(2, 64, 8, 8\)"
    with pytest.raises(ValueError, match=words):
        own_modules.require_module(f"gates_to_try:{gate}", "")


def test_another_type_of_numbers_is_refused():
    with pytest.raises(ValueError, match=r"makes torch\.float64 of an input of torch\.float32"):
        own_modules.require_module("gates_to_try:Double", "")


def test_what_fails_in_training_alone_is_refused():
    with pytest.raises(ValueError, match="fails with every input"):
        own_modules.require_module("gates_to_try:BrokenInTraining", "")


def test_on_a_gpu_a_module_is_tried_in_a_process_that_ends(monkeypatch):
    asked = []

    def fresh(function, *arguments):
        asked.append((function, *arguments))
        return "it is not right"

    monkeypatch.setattr(own_modules.fresh, "in_fresh_process", fresh)
    gate = "gates_to_try:Same"
    own_modules.require_module(gate, "", "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    own_modules.require_module(gate, "", "cuda")  # a plan for another machine
    assert not asked
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(ValueError, match="it is not right"):
        own_modules.require_module(gate, "scale=2.0", "cuda")
    assert asked == [(own_modules.fault_of, gate, {"scale": 2.0}, "cuda")]
    monkeypatch.setattr(
        own_modules.fresh, "in_fresh_process", Mock(side_effect=RuntimeError("died"))
    )
    with pytest.raises(ValueError, match="can't be tried on cuda: died"):
        own_modules.require_module(gate, "", "cuda")


def test_a_module_that_holds_the_gpu_when_it_is_imported_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    own_modules.require_module("se", "")
    with pytest.raises(ValueError, match="uses the GPU when its file is imported"):
        own_modules.require_module("gates_to_try:Same", "")


def test_a_module_is_tried_on_its_device():
    assert "only there" in own_modules.fault_of("gates_to_try:OnlyThere", {}, "cpu")
    assert own_modules.fault_of("gates_to_try:OnlyThere", {}, "meta") == ""


@pytest.mark.parametrize("option", ["stride=2", "out_channels=5", "device='meta'", "channels=8"])
def test_what_the_place_decides_is_no_option(option):
    words = f"{option.partition('=')[0]}, which the place in the backbone decides"
    with pytest.raises(ValueError, match=words):
        own_modules.require_module("sk", option)


@pytest.mark.parametrize(
    ("gate", "error"), [("Forgetful", "RuntimeError"), ("WrongText", "JSONDecodeError")]
)
def test_what_fails_with_every_input_is_refused_with_its_line(gate, error):
    """The line is one of the reader's file, and not of the library that raised."""
    words = rf"fails with every input .*\(2, 256, 7, 7\): {error}.*\(gates_to_try\.py, line \d+\)"
    with pytest.raises(ValueError, match=words):
        own_modules.require_module(f"gates_to_try:{gate}", "")


def test_what_no_channels_can_build_is_left_to_the_backbone_which_names_it():
    name = "gates_to_try:WithoutChannels"
    own_modules.require_module(name, "")
    cells = [Cell("cost", "resnet18", name)]
    with pytest.raises(TypeError, match=r"resnet18: .*WithoutChannels\(channels, \*\*options\)"):
        preflight._build(cells)


@pytest.mark.parametrize(
    "file",
    [
        *("gates_to_try.py", "./gates_to_try", "./gates_to_try.py", "there/gates_to_try.py"),
        *(r".\gates_to_try", r"C:\there\gates_to_try.py", "C:/there/gates_to_try"),
    ],
)
def test_a_file_is_named_without_its_ending(file):
    with pytest.raises(ValueError, match=r"without \.py .*: gates_to_try:Same$"):
        own_modules.require_module(f"{file}:Same", "")


def test_a_name_that_is_none_is_told_how_its_own_are_named():
    with pytest.raises(
        ValueError, match=r"unknown module 'sse'.* named file:Class, or by the name"
    ):
        own_modules.require_module("sse", "")


def test_a_module_of_an_installed_package_is_the_reader_s(monkeypatch):
    """No commit of this repository has its file, and it is tried as one of a file is."""
    spec = attn.Spec("pooled", importlib.import_module("gates_to_try").Pooled)
    monkeypatch.setitem(attn.registry._registered, "pooled", spec)
    assert own_modules.is_own("pooled") and own_modules.is_own("gates_to_try:Same")
    assert not any(map(own_modules.is_own, ("none", "se", "benchmarks.shuffled:ShuffledECA")))
    with pytest.raises(ValueError, match="'pooled' makes"):
        own_modules.require_module("pooled", "")
    made = engine.Finished(Cell("cost", "resnet18", "pooled"), {}, "ok", "", 0.1)
    assert runner._row(made, "code")["dirty"]


def test_beside_a_reader_s_module_the_bare_backbone_is_of_the_same_code(
    suite, store, code, trouble, monkeypatch
):
    """Elsewhere a trained row of older code stays until it is asked for."""
    want = Selection(modules=(("se", ""),))
    bare, gate = cell("ok"), replace(cell("ok", 1), module="se")
    monkeypatch.setattr(type(trouble), "trained", True)
    monkeypatch.setattr(type(trouble), "cells", lambda self, want: iter([bare, gate]))
    assert suite() == [0, 1]
    code("lr = 0.2")
    assert not runner.plan(want, store).todo and len(runner.plan(want, store).stale) == 2
    monkeypatch.setattr(runner, "is_own", lambda module: module == "se")
    work = runner.plan(want, store)
    assert work.todo == {"trouble": [bare, gate]} and not work.stale
    again = runner.plan(want, store)
    again.todo["trouble"].remove(bare)
    runner.run(again, store, jobs=1, show=Quiet())
    assert runner.plan(want, store).todo == {"trouble": [bare]}, "it is owed if it was not made"


@pytest.mark.parametrize("name", ["none", "se", "danet"])
def test_modules_of_the_library_are_known(name):
    own_modules.require_module(name, "")


@pytest.mark.parametrize("variant", ["reduction = 8", "reduction="])
def test_an_option_is_named_as_it_was_written(variant):
    with pytest.raises(ValueError, match=re.escape(f"variant {variant!r}")):
        own_modules.require_options([variant])
    own_modules.require_options(["", "reduction=8 bias=False"])
