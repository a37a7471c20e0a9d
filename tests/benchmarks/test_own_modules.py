"""A module of a user's own file is answered before any work if it can't be used."""

import pytest

from benchmarks import own_modules

GATES = """
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
        return x if x.sum().item() > 0 else x.mean((2, 3))

class OfOtherChannels(Same):
    def __init__(self, channels):
        super().__init__(channels)
        assert channels == 16
"""


@pytest.fixture(autouse=True)
def gates(tmp_path, monkeypatch):
    (tmp_path / "gates_to_try.py").write_text(GATES)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("gate", ["Same", "AskingForValues", "OfOtherChannels"])
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


@pytest.mark.parametrize("file", ["gates_to_try.py", "./gates_to_try.py", "there/gates_to_try.py"])
def test_a_file_is_named_without_its_ending(file):
    with pytest.raises(ValueError, match=r"without \.py .*: gates_to_try:Same$"):
        own_modules.require_module(f"{file}:Same", "")


def test_a_name_that_is_none_is_told_how_its_own_are_named():
    with pytest.raises(ValueError, match=r"unknown module 'sse'.* named file:Class\."):
        own_modules.require_module("sse", "")


@pytest.mark.parametrize("name", ["none", "se", "danet"])
def test_modules_of_the_library_are_known(name):
    own_modules.require_module(name, "")
