"""The same trainings on two processors stand side by side, seed by seed."""

from dataclasses import replace

import pytest
import trial
from rendered import row_of

from benchmarks.site import two_processors
from benchmarks.store import Store


def train(store, module, seed, top1, correct, machine):
    values = trial.outcome(top1) | {"correct": correct}
    trial.append(store, replace(trial.MAIN, module=module, seed=seed), values, machine=machine)


@pytest.fixture
def store(tmp_path):
    """There SE is a point above none, here two, and none is half a point lower here."""
    made = Store(tmp_path)
    for seed in range(10):
        for module, there, here in (("none", 90.0, 89.5), ("se", 91.0, 91.5), ("eca", 92.0, None)):
            train(made, module, seed, there + seed / 10, "as it was", "there")
            if here is not None and seed < 8:
                bits = "as it was" if seed == 3 else "others"
                train(made, module, seed, here + seed / 10, bits, "here")
    return made


def test_only_runs_that_both_have_are_compared(store):
    rows = two_processors.rows_of(store)
    assert len(rows) == 32 and set(rows["arm"]) == {"none", "se"} and rows["seed"].max() == 7


def test_a_line_is_the_mean_on_each_and_what_the_second_moves_it_by(store):
    text = two_processors.trainings(store)
    bare, se = row_of(text, "none"), row_of(text, "se")
    for shown in (">90.35<", ">89.85<", ">−0.50<", ">1 of 8<", ">reference<"):
        assert shown in bare, shown
    for shown in (">91.35<", ">91.85<", ">+0.50<", ">1 of 8<", ">+1.00<", ">+2.00<"):
        assert shown in se, shown
    assert se.count(">+1.00<") == 2, "less none there, and how much more it is here"


def test_of_few_seeds_there_is_no_interval_and_a_third_machine_is_left_out(tmp_path):
    made = Store(tmp_path)
    for seed in range(5):
        for place, top1 in (("there", 90.0), ("here", 91.0)):
            train(made, "none", seed, top1, "bits", place)
    train(made, "none", 0, 95.0, "bits", "elsewhere")
    assert set(two_processors.rows_of(made)["machine"]) == {"there", "here"}
    text = two_processors.trainings(made)
    assert "too few seeds" in row_of(text, "none") and "95.00" not in text
    for seed in range(5):
        for place in ("there", "here"):
            train(made, "se", seed, 92.0, "", place)
    assert two_processors.facts(made)["moved.less"] == "not measured"
    assert ">0 of 5<" in row_of(two_processors.trainings(made), "se"), "no bits, none equal"


def test_two_records_of_one_processor_are_no_two_processors(store):
    for name in ("there", "here"):
        folder = store.root / "machines"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.json").write_text('{"processor": "AMD EPYC"}')
    assert two_processors.rows_of(store).empty


def test_the_machine_with_most_runs_is_kept_beside_two_others(tmp_path):
    made = Store(tmp_path)
    kinds = {"one": "EPYC", "two": "Xeon", "three": "Ryzen", "four": "EPYC"}
    (made.root / "machines").mkdir()
    for left, (name, kind) in enumerate(kinds.items()):
        (made.root / "machines" / f"{name}.json").write_text(f'{{"processor": "{kind}"}}')
        for seed in range(9 - left):
            train(made, "none", seed, 90.0, "bits", name)
    assert set(two_processors.rows_of(made)["machine"]) == {"one", "two"}


def test_how_far_a_run_moves_is_said(store, tmp_path):
    said = two_processors.facts(store)
    assert said["moved.what"] == "none and se, 8 seeds, on there and here"
    assert said["moved.by"] == "0.50 points in the median, 0.50 at most"
    assert said["moved.less"] == (
        "se less none is +1.00 [+1.00, +1.00] points on there and +2.00 [+2.00, +2.00] points on "
        "here"
    )
    empty = Store(tmp_path / "empty")
    assert "not measured" in two_processors.trainings(empty)
    assert set(two_processors.facts(empty).values()) == {"not measured"}
