"""Comparisons pair rows of one code and machine, and say when they are a preview."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import trial

from benchmarks import compare, display, pairing, power, summary
from benchmarks.accuracy import BACKBONE, PLANS
from benchmarks.cells import MODULES
from benchmarks.pairing import Comparison
from benchmarks.site.accuracy import about, resolution
from benchmarks.store import Store, StoreError, row

FULL = Comparison("fashion-mnist", "resnet10_small", "full")


@pytest.fixture(scope="module")
def accuracy(tried):
    return compare.accuracy_table(tried, FULL).set_index("arm")


def test_a_difference_is_the_mean_over_paired_seeds(accuracy):
    assert accuracy["difference"]["se"] == pytest.approx(1)
    assert (accuracy["low"]["se"], accuracy["high"]["se"]) == pytest.approx((1, 1))
    assert accuracy["difference"]["coord"] == pytest.approx(-1)
    assert accuracy["difference"]["eca"] == pytest.approx(0, abs=1e-12)
    assert accuracy["difference"]["sk"] == pytest.approx(2)


def test_the_p_value_is_exact_and_adjusted_for_the_family(accuracy):
    # Six arms have runs, five of them pairs; with one sign in all ten seeds p is 2/1024 and three
    # arms share rank 1. No suite trains this comparison, so no other arm is to come.
    assert accuracy["pairs"].notna().sum() == 5
    assert accuracy["p_holm"]["se"] == pytest.approx(6 * 2 / 1024)
    assert accuracy["p_holm"]["eca"] == 1


def test_verdict_words(accuracy):
    expected = {
        "se": "higher",
        "coord": "lower",
        "eca": "no measurable difference",
        "cbam": "not enough seeds",
        "sk": "higher",
    }
    assert {arm: accuracy["verdict"][arm] for arm in expected} == expected
    assert accuracy["pairs"]["cbam"] == 5


def test_the_correlation_with_the_baseline_is_that_of_their_seeds(accuracy):
    """All but eca are none and a constant; it is half a point above and below in turn."""
    table = accuracy["correlation"]
    assert table["se"] == table["coord"] == pytest.approx(1)
    bare = [90 + seed / 4 for seed in range(10)]
    eca = [top1 + (0.5 if seed % 2 else -0.5) for seed, top1 in enumerate(bare)]
    assert table["eca"] == pytest.approx(np.corrcoef(bare, eca)[0, 1])
    assert table[["none", "pam", "cam"]].isna().all()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({}, ""),
        ({"se": math.inf}, "These seeds are too few to find a difference of any size."),
        (
            {"se": 0.3},
            "find a true difference of 0.30 points (se) about 80 times in 100. From so few",
        ),
        ({"se": 0.2, "eca": 0.1}, "of 0.10 points (eca) to 0.20 points (se) about 80 times"),
        ({"se": 0.1, "sk": math.inf}, "0.10 points (se) about 80 times in 100, for sk of no size."),
    ],
)
def test_what_the_seeds_find_is_said(found, words):
    arms = ["none", "se", "eca", "sk"]
    frame = pd.DataFrame(
        {"arm": arms, "could_show": [found.get(arm) for arm in arms]}, dtype=object
    )
    frame = frame.astype({"could_show": "float64"})
    said = resolution(frame)
    assert words in said and bool(said) == bool(words)


def test_how_often_an_arm_is_ahead_and_what_its_seeds_could_have_shown(accuracy):
    assert accuracy["ahead"][["se", "coord", "eca"]].tolist() == [1, 0, 0.5]
    # eca is half a point above and below in turn: a deviation of 0.5 sqrt(10 / 9) over ten seeds
    deviation = 0.5 * (10 / 9) ** 0.5
    shown = power.smallest_effect(10, 6) * deviation
    assert accuracy["could_show"]["eca"] == pytest.approx(shown)
    assert not display.given(accuracy["ahead"]["pam"])
    # Student's t of nine degrees of freedom is 2.262 at 97.5 %
    assert accuracy["high"]["eca"] == pytest.approx(2.262 * deviation / 10**0.5, rel=1e-3)
    assert 0 < accuracy["bca_high"]["eca"] < accuracy["high"]["eca"]


def test_seeds_that_the_bare_backbone_lacks_are_not_compared(accuracy):
    assert accuracy["seeds"]["pam"] == 10
    assert not display.given(accuracy["difference"]["pam"])
    assert not display.given(accuracy["verdict"]["pam"])


def test_a_failed_run_is_counted_and_leaves_the_mean(accuracy):
    assert (accuracy["seeds"]["sk"], accuracy["failed"]["sk"]) == (9, 1)
    assert accuracy["pairs"]["sk"] == 9
    assert accuracy["top1"]["sk"] == pytest.approx(92 + 1.25)


def test_an_arm_that_was_not_run_has_a_line_without_values(accuracy):
    assert accuracy["seeds"]["danet"] == 0
    assert not display.given(accuracy["top1"]["danet"])


@pytest.mark.parametrize(("seeds", "said"), [(1, "1"), (4, "3 to 4"), (7, "5 to 7")])
def test_too_few_seeds_are_a_preview_whatever_the_recipe(tmp_path, seeds, said):
    # One arm lacks seeds. Five arms have pairs (four with one seed):
    # 5 * 2^(1-8) <= 0.05 < 4 * 2^(1-7).
    store = Store(tmp_path)
    trial.accuracy(store, "full", seeds)
    table = compare.accuracy_table(store, FULL)
    words = f"Preview, not a result: {said} of 8 paired seeds"
    assert compare.preview_words(table, FULL) == words
    assert summary.text_summary(store, "cpu").startswith(words)


def test_enough_seeds_are_a_result_unless_the_recipe_is_a_preview(tried):
    assert compare.preview_words(compare.accuracy_table(tried, FULL), FULL) == ""
    few = replace(FULL, recipe="preview")
    table = compare.accuracy_table(tried, FULL)
    assert compare.preview_words(table, few).startswith("Preview, not a result")


def test_no_interval_is_shown_of_fewer_pairs_than_one_comparison_needs(accuracy):
    assert accuracy["pairs"]["cbam"] == 5 < compare.FEWEST_FOR_INTERVAL == 6
    assert not display.given(accuracy["low"]["cbam"])
    assert display.given(accuracy["low"]["se"])


def test_rows_of_another_batch_size_are_another_comparison(tmp_path):
    store = Store(tmp_path)
    trial.accuracy(store, seeds=3)
    small = replace(trial.ACCURACY, module="se", batch_size=64, seed=0)
    trial.append(store, small, trial.outcome(10.0))
    table = compare.accuracy_table(store, FULL).set_index("arm")
    assert table["top1"]["se"] == pytest.approx(90.25 + 1) and table["seeds"]["se"] == 3
    titles = {which.title for which in pairing.comparisons(store)}
    assert titles == {FULL.title, f"{FULL.title}, batch 64"}


def test_a_table_says_that_differences_are_of_the_seeds_in_common(tmp_path):
    store = Store(tmp_path)
    trained(store, "none", 0, 90.0)
    trained(store, "se", 0, 91.0)
    words = "differences are of the seeds that an arm and none have both"
    assert words not in about(store, FULL)
    trained(store, "none", 1, 80.0)
    assert words in about(store, FULL)


def at(minute: int, fingerprint: str) -> dict:
    return {"measured_at": f"2026-01-01T00:{minute:02d}:00Z", "fingerprint": fingerprint}


def trained(store: Store, module: str, seed: int, top1: float, **kept) -> None:
    cell = replace(trial.ACCURACY, module=module, seed=seed)
    store.append("accuracy", {**row(cell, trial.outcome(top1), "", seconds=1.0), **kept})


def test_rows_of_older_code_are_left_out_and_counted(tmp_path):
    store = Store(tmp_path)
    for seed, code in enumerate(("old", "old", "new", "new")):
        trained(store, "none", seed, 90.0, **at(0, "bare"))
        trained(store, "se", seed, 91.0 if code == "old" else 92.0, **at(1 + seed, code))
    table = compare.accuracy_table(store, FULL).set_index("arm")
    assert table["difference"]["se"] == 2 and table["pairs"]["se"] == 2
    assert pairing.left_out(pairing.every_row(store, FULL)) == 2
    assert "2 rows of older code left out" in summary.text_summary(store, "cpu")


def test_an_arm_older_than_the_code_of_the_bare_backbone_is_not_paired_with_it(tmp_path):
    store = Store(tmp_path)
    trained(store, "none", 0, 80.0, **at(0, "old"))
    for seed in (0, 1):
        trained(store, "se", seed, 81.0, **at(1, "old se"))
    trained(store, "none", 1, 90.0, **at(2, "new"))
    trained(store, "eca", 1, 90.5, **at(3, "new eca"))
    table = compare.accuracy_table(store, FULL).set_index("arm")
    assert table["difference"]["eca"] == 0.5
    assert table["gap"]["se"] == "not measured"
    assert pairing.left_out(pairing.every_row(store, FULL)) == 3


def test_two_rows_of_an_arm_and_seed_are_refused(tmp_path):
    store = Store(tmp_path)
    trial.accuracy(store, seeds=1)
    double = replace(trial.ACCURACY, module="se", seed=0, threads=2)
    trial.append(store, double, trial.outcome(50.0))
    with pytest.raises(StoreError, match=r"se has two rows of seed 0.*accuracy\.csv"):
        compare.accuracy_table(store, FULL)


def test_a_seed_is_paired_on_one_machine_where_it_can_be(tmp_path):
    store = Store(tmp_path)
    for machine, arms in (("a", {"none": 90, "se": 91, "eca": 90}), ("b", {"none": 50, "sk": 92})):
        for module, top1 in arms.items():
            trained(store, module, 0, float(top1), machine=machine, **at(0, "same"))
    table = compare.accuracy_table(store, FULL, machine="b").set_index("arm")
    assert table["difference"]["se"] == 1 and table["difference"]["sk"] == 2
    assert pairing.crossed(pairing.accuracy_rows(store, FULL)) == 1


def test_an_arm_that_failed_in_every_run_is_not_called_unmeasured(tmp_path):
    store = Store(tmp_path)
    trial.accuracy(store, seeds=2)
    for seed in range(2):
        cell = replace(trial.ACCURACY, module="danet", seed=seed)
        trial.append(store, cell, None, status="diverged")
    table = compare.accuracy_table(store, FULL).set_index("arm")
    assert table["gap"]["danet"] == table["no_value"]["danet"] == "diverged"
    assert table["gap"]["pam"] == "no seed in common" and table["gap"]["cam"] == "not measured"


def test_without_the_bare_backbone_no_arm_lacks_a_seed_in_common(tmp_path):
    store = Store(tmp_path)
    trained(store, "se", 0, 90.0)
    rows = pairing.accuracy_rows(store, FULL)
    by_arm, by_pair = (
        compare.judged(rows),
        compare.judge(rows, {"se": ("se", "none")}, {}),
    )
    for frame in (by_arm, by_pair):
        assert frame.set_index("arm" if frame is by_arm else "key")["gap"]["se"] == "not measured"


def test_what_a_suite_still_trains_comes_before_what_it_once_trained():
    (data, backbone, recipe) = ("fashion-mnist", BACKBONE, PLANS["cpu"][0].recipe)
    now = Comparison(data, backbone, recipe)
    once = replace(now, backbone="resnet10_once")
    preview = replace(now, recipe="preview")
    assert backbone > once.backbone
    assert pairing.ranked([once, preview, now]) == [now, once, preview]


def test_the_main_table_comes_first_then_the_other_plans_of_a_processor():
    main, _, second = PLANS["cpu"]
    lines = [Comparison(r.data, r.backbones[0], r.recipe) for r in (main, second)]
    assert lines[0].backbone > lines[1].backbone
    gpu, *_ = PLANS["gpu"]
    nets = [
        Comparison(gpu.data, name, gpu.recipe, "cuda", "bf16", "nhwc") for name in gpu.backbones
    ]
    assert pairing.ranked([*reversed(nets), *reversed(lines)]) == [*lines, *nets]


def test_what_has_only_been_begun_comes_after_what_says_more(tmp_path):
    store = Store(tmp_path)
    trial.accuracy(store, seeds=4)

    def add(seed, modules):
        for module in ("none", *modules):
            cell = replace(trial.ACCURACY, backbone=BACKBONE, module=module, seed=seed)
            trial.append(store, cell, trial.outcome(90.0 + seed))

    before = ["resnet10_small", BACKBONE]
    for seed in range(2):
        add(seed, MODULES[1:3])
    assert [c.backbone for c in compare.main_first(store)] == before
    for seed in range(2, 10):
        add(seed, MODULES[1:3])
    assert [c.backbone for c in compare.main_first(store)] == before[::-1]


def complete(store, backbone, how, lost=()):
    """Ten seeds of every arm, but for runs that diverged."""
    for seed in range(10):
        for module in MODULES:
            cell = replace(trial.ACCURACY, backbone=backbone, module=module, seed=seed, **how)
            failed = (module, seed) in lost
            values = None if failed else trial.outcome(90.0 + seed)
            trial.append(store, cell, values, status="diverged" if failed else "ok")


def test_runs_that_diverged_do_not_take_the_first_place_from_the_main_table(tmp_path):
    store = Store(tmp_path)
    main, _, second = PLANS["cpu"]
    for runs, lost in ((main, [("pam", 0), ("pam", 1)]), (second, ())):
        how = {"recipe": runs.recipe, "precision": runs.precision, "layout": runs.layout}
        complete(store, runs.backbones[0], how, lost)
    first, *_ = compare.main_first(store)
    assert first.backbone == BACKBONE
    table = compare.accuracy_table(store, first)
    assert compare.preview_words(table, first) == ""
    assert table.set_index("arm")["pairs"]["pam"] == 8


def test_a_table_is_a_preview_until_the_seeds_that_were_planned_are_run(tmp_path):
    store = Store(tmp_path)
    main = PLANS["cpu"][0]
    how = {"recipe": main.recipe, "precision": main.precision, "layout": main.layout}
    how["backbone"] = main.backbones[0]
    for seed in range(10):
        for module in MODULES if seed < 9 else ("none", "se"):
            cell = replace(trial.ACCURACY, module=module, seed=seed, **how)
            trial.append(store, cell, trial.outcome(90.0 + seed))
    (which,) = pairing.comparisons(store)
    words = compare.preview_words(compare.accuracy_table(store, which), which)
    assert words == "Preview, not a result: 9 to 10 of 10 planned seeds"
    mine = replace(trial.ACCURACY, module="my:Gate", seed=0, **how)
    for module in MODULES[2:]:
        cell = replace(mine, module=module, seed=9)
        trial.append(store, cell, trial.outcome(99.0))
    trial.append(store, mine, trial.outcome(90.0))  # a reader's own arm does not undo a result
    assert compare.preview_words(compare.accuracy_table(store, which), which) == ""


def test_beside_an_own_module_a_reader_chooses_what_it_is_compared_with(tmp_path):
    """Ten seeds of three arms in a folder of one's own are a result of a family of two."""
    store = Store(tmp_path)
    for seed in range(10):
        for module, top1 in (("none", 90.0), ("se", 90.1), ("my:Gate", 91.0 + seed / 50)):
            trial.append(store, replace(trial.MAIN, module=module, seed=seed), trial.outcome(top1))
    (which,) = pairing.comparisons(store)
    table = compare.accuracy_table(store, which)
    assert compare.preview_words(table, which) == ""
    assert table.set_index("arm")["family"]["my:Gate"] == 2
    for module in MODULES[2:6]:  # five of the suite's nine arms: the rest of them is planned too
        trial.append(store, replace(trial.MAIN, module=module, seed=0), trial.outcome(90.0))
    table = compare.accuracy_table(store, which)
    assert "3 of 9 planned arms without a run" in compare.preview_words(table, which)
    assert table.set_index("arm")["family"]["my:Gate"] == 9


def test_a_line_has_the_runs_that_both_of_its_arms_have(tmp_path):
    """One run of the reference is missing: no verdict of a complete table."""
    store = Store(tmp_path)
    for seed in range(10):
        for module in ("none", "se", "eca")[seed == 9 :]:
            trial.append(store, replace(trial.MAIN, module=module, seed=seed), trial.outcome(90.0))
    (which,) = pairing.comparisons(store)
    rows = pairing.accuracy_rows(store, which)
    pairs = {"se": ("se", "none"), "eca": ("eca", "none"), "two": ("se", "eca")}
    table = compare.judge(rows, pairs, {})
    words = compare.preview_words(table, which, table["arm"])
    assert words == "Preview, not a result: 9 to 10 of 10 planned seeds"


def test_no_line_is_planned_twice_so_each_has_its_own_number_of_seeds():
    lines = [
        (runs, backbone) for plan in PLANS.values() for runs in plan for backbone in runs.backbones
    ]
    assert len(pairing.TRAINED) == len(lines)
    assert list(pairing.TRAINED.values()) == [runs.seeds for runs, _ in lines]


def test_the_recipes_of_no_suite_are_retired():
    assert not pairing.retired(FULL) and pairing.retired(replace(FULL, recipe="short"))


def test_an_earlier_recipe_gives_way_to_one_seed_of_every_module(tmp_path):
    store = Store(tmp_path)
    trial.accuracy(store, "short", seeds=5)
    main = PLANS["cpu"][0]
    how = {"recipe": main.recipe, "precision": main.precision, "layout": main.layout}
    for module in MODULES:
        first, *_ = compare.main_first(store)
        assert first.recipe == "short"
        cell = replace(trial.ACCURACY, backbone=BACKBONE, module=module, seed=0, **how)
        trial.append(store, cell, trial.outcome(90.0))
    first, *_ = compare.main_first(store)
    assert first.backbone == BACKBONE


@pytest.mark.parametrize(("planned", "verdict"), [(None, "higher"), (6, "not enough seeds")])
def test_arms_that_no_suite_will_train_are_not_counted(tmp_path, monkeypatch, planned, verdict):
    """Six seeds of one sign are enough for one arm by itself, and not for one of eight."""
    store = Store(tmp_path)
    for seed in range(6):
        for module, above in (("none", 0.0), ("se", 1.0)):
            cell = replace(trial.ACCURACY, module=module, seed=seed)
            trial.append(store, cell, trial.outcome(90 + above + seed / 4))
    monkeypatch.setattr(compare.pairing, "planned_seeds", lambda which: planned)
    table = compare.accuracy_table(store, FULL).set_index("arm")
    assert table.loc["se", "verdict"] == verdict
    assert table.loc["se", "family"] == (8 if planned else 1)
