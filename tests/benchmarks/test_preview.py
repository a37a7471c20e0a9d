"""Too few seeds call themselves a preview wherever they are shown."""

import json

import pytest
import trial
from rendered import row_of

from benchmarks.cells import MODULES
from benchmarks.site import __main__ as site
from benchmarks.site import facts, figures, readme
from benchmarks.snapshot import Snapshot
from benchmarks.store import Store


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    """Four seeds of a recipe that would be a result with eight."""
    results = Store(tmp_path_factory.mktemp("four"))
    trial.accuracy(results, "full", 4)
    return Snapshot(results.root)


@pytest.fixture(scope="module")
def fragments(four):
    return site.fragments(four)


PREVIEW = "Preview, not a result"


def test_four_seeds_call_themselves_a_preview_wherever_they_are_shown(four, fragments):
    words = f"{PREVIEW}: 3 to 4 of 8 paired seeds"
    for name in ("main", "leaderboards", "accuracy", "accuracy-se"):
        assert f"<span>{words}; recipe full" in fragments[name]
    assert readme.table(four).startswith(f"**{words}.**")
    figure = figures.accuracy(four)
    assert figure.caption.startswith(words) and figure.alt.startswith(words)
    assert figure.spec("light")["title"]["text"].startswith(words)
    found = facts.facts(four)
    assert found["accuracy.summary"].startswith(words)
    tried = [found[f"accuracy.{m}"] for m in MODULES[1:] if m not in ("cam", "danet")]
    assert all(text.startswith(PREVIEW) for text in tried)
    assert found["accuracy.danet"] == "not measured"


def test_four_seeds_have_no_interval(four, fragments):
    assert "interval" not in row_of(fragments["main"], "se")
    assert not any("low" in value for value in figures.accuracy(four).values)
    assert "interval" not in figures.accuracy(four).caption


def test_a_result_does_not_call_itself_a_preview(tried):
    found = facts.facts(tried)
    assert PREVIEW not in json.dumps([found[f"accuracy.{m}"] for m in MODULES[1:]])
    assert PREVIEW not in figures.accuracy(tried).caption + readme.table(tried)
