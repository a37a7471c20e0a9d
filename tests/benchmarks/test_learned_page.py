"""What the page says of trained modules: how far their gates vary, and what is lost without."""

from dataclasses import replace

import pytest
import trial
from rendered import plain, row_of

from benchmarks import display
from benchmarks.learned import Learned
from benchmarks.site import learned as page
from benchmarks.store import Store

CELL = replace(trial.MAIN, benchmark="learned")
COMMON = {"test_loss": 0.25, "looked_at": 300, "epochs": 12}
COMMON |= {"train_images": 600, "test_images": 100}
SE = {
    "kinds": "channel channel",
    "levels": "0.25 0.75",
    "between_entries": "0.1 0.2",
    "between_images": "0 0.0120",
    "gammas": "",
}
DANET = {
    "kinds": "residual residual",
    "levels": "0.5 0.125",
    "between_entries": "0.2 0.1",
    "between_images": "0.25 0.06",
    "gammas": "position 0.4000; channel -0.1000",
}


def add(store, module, seed, top1, top1_held, gates, status="ok"):
    values = {**COMMON, **gates, "top1": top1, "top1_held": top1_held, "test_loss_held": 0.5}
    if status != "ok":
        values = {}
    trial.append(store, replace(CELL, module=module, seed=seed), values, status=status)


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path)
    add(made, "se", 0, 92.0, 91.5, SE)
    add(made, "se", 1, 92.5, 92.5, {**SE, "levels": "0.35 0.75"})
    add(made, "danet", 0, 93.0, 92.0, DANET)
    main = {**trial.outcome(92.0), "test_loss": 0.25}
    trial.append(made, replace(trial.MAIN, benchmark="accuracy", module="se", seed=0), main)
    other = {**trial.outcome(92.25), "test_loss": 0.25}
    trial.append(made, replace(trial.MAIN, benchmark="accuracy", module="se", seed=1), other)
    return made


def test_every_value_has_its_places_in_order(store):
    gates = plain(row_of(page.gates(store), "se"))
    assert gates == "se gate of each channel 0.30, 0.75 0.100, 0.200 0.000, 0.012 2"
    made = page.gates(store)
    assert "what is added, position" in made and "what is added, channel" in made
    assert "0.500" not in made and "0.50" in made and "0.060" in made


def test_what_is_lost_is_said_of_each_run(store):
    made = page.held(store)
    assert plain(row_of(made, "se")) == "se 92.25 92.00 −0.25 −0.50; 0.00 +0.250 2"
    assert plain(row_of(made, "danet")) == "danet 93.00 92.00 −1.00 +0.250 1"
    assert "1 of 2 runs" in made, "one has the accuracy of the main table, the other has not"


def test_facts_by_module(store):
    found = page.facts(store)
    assert found["learned.se"] == (
        "−0.25 points when held (mean of 2 runs); the gate of each channel deviates by 0.000 and "
        "0.012 from image to image"
    )
    assert found["learned.danet"] == (
        "−1.00 points when held (mean of 1 run); what is added, position has 0.500 of the map's "
        "size and deviates by 0.250 from image to image; what is added, channel has 0.125 of the "
        "map's size and deviates by 0.060 from image to image; gamma (position) 0.40; gamma "
        "(channel) −0.10"
    )
    assert found["learned.sk"] == display.MISSING and found["learned.same"] == "1 of 2 runs"


def test_a_run_that_failed_is_counted_and_no_row_is_not_measured(store, tmp_path):
    add(store, "se", 2, 0, 0, {}, status="diverged")
    assert "without a value: 1" in page.held(store) and "92.25" in page.held(store)
    assert page.facts(store)["learned.se"].startswith("−0.25 points when held (mean of 2 runs)")
    empty = Store(tmp_path / "empty")
    assert "not measured" in page.held(empty) and "not measured" in page.gates(empty)
    assert set(page.facts(empty).values()) == {display.MISSING}


def test_the_tables_have_what_the_benchmark_writes():
    assert {*COMMON, *SE, "top1", "top1_held", "test_loss_held"} == {
        c.name for c in Learned.columns
    }
