"""Planned power against simulated sign-flip tests, and the plan of seeds by hand."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import trial
from scipy import stats as reference

from benchmarks import budget, pairing, power, stats
from benchmarks.cells import MODULES
from benchmarks.segmentation import BRANCHES, DANET, FCN, PAM, SCENES
from benchmarks.store import Store


@pytest.mark.parametrize(("n", "comparisons", "reached"), [(8, 1, 12), (10, 8, 6), (9, 8, 2)])
def test_the_level_is_one_that_the_patterns_reach(n, comparisons, reached):
    assert power.level(n, comparisons) == reached / 2**n
    assert power.level(n, comparisons) <= 0.05 / comparisons


def simulated(effect: float, n: int, comparisons: int, trials: int = 500) -> float:
    drawn = np.random.default_rng(n).normal(effect, 1.0, (trials, n)).tolist()
    return float(np.mean([stats.sign_flip(d) <= 0.05 / comparisons for d in drawn]))


@pytest.mark.parametrize(("n", "comparisons"), [(9, 8), (10, 8), (12, 1), (14, 8)])
def test_the_smallest_effect_is_found_as_often_as_is_said(n, comparisons):
    """Three and a half standard errors of 500 trials; the fewest pairs that can show any first."""
    effect = power.smallest_effect(n, comparisons)
    assert power.power(effect, n, comparisons) == pytest.approx(power.POWER, abs=1e-3)
    assert simulated(effect, n, comparisons) == pytest.approx(power.POWER, abs=0.06)


def test_no_outcome_of_too_few_seeds_could_show_anything():
    assert power.smallest_effect(8, 8) == math.inf
    assert power.smallest_effect(1, 1) == math.inf
    assert power.power(100.0, 8, 8) == 0.0


@pytest.mark.parametrize("comparisons", [1, 8])
def test_seeds_and_smallest_effect_say_the_same(comparisons):
    for effect in (0.4, 0.8, 1.5):
        n = power.seeds_for(effect, comparisons)
        assert power.smallest_effect(n, comparisons) <= effect + 1e-4
        assert power.smallest_effect(n - 1, comparisons) > effect
        assert power.seeds_for(-effect, comparisons) == n
    assert power.seeds_for(1e-6, comparisons) == power.seeds_for(0.0, comparisons) == 100_000


def test_many_seeds_follow_the_normal_formula():
    """n = ((z(1 - alpha/2) + z(power)) / effect)^2, which Student's t exceeds by about two."""
    z = reference.norm.isf(0.025) + reference.norm.isf(0.2)
    for effect in (0.1, 0.2, 0.5):
        assert power.seeds_for(effect, 1) - (z / effect) ** 2 == pytest.approx(2, abs=1.5)


def test_seeds_ahead_are_counted_and_a_tie_is_half():
    assert power.ahead([0.5, -0.1, 0.0, 2.0]) == 2.5 / 4
    assert math.isnan(power.ahead([]))


def test_what_seeds_could_show_is_in_the_unit_of_the_differences():
    values = [0.2, 0.6] * 5  # deviation 0.2 sqrt(10 / 9)
    expected = power.smallest_effect(10, 1) * 0.2 * math.sqrt(10 / 9)
    assert power.could_show(values, 1) == pytest.approx(expected)
    assert power.could_show([0.1, 0.2], 1) == math.inf
    assert math.isnan(power.could_show([0.5] * 12, 8))


def test_hours_are_the_missing_runs_of_the_arm_and_of_the_baseline(tried):
    family, *_ = budget.comparisons(tried)
    found = {line.name: line for line in budget.lines(family, 0.2)}
    eca, bare = found["eca"], found["none"]
    # eca is half a point above and below in turn; its rows took a second each
    assert eca.deviation == pytest.approx(0.5 * math.sqrt(10 / 9))
    assert eca.needed == power.seeds_for(0.2 / eca.deviation, 6)
    assert eca.hours == pytest.approx((eca.needed - 10) / 3600)
    assert (bare.seeds, bare.needed) == (10, max(line.needed for line in found.values()))
    # cbam has five of the eight seeds that a family of six arms needs at least
    assert (found["cbam"].verdict, found["cbam"].more) == ("not enough seeds", 3)


def test_what_an_arm_needs_is_a_matter_of_its_deviation_and_not_of_its_verdict(tried):
    family, *_ = budget.comparisons(tried)
    shifted = replace(family, rows=family.rows.copy())
    shifted.rows.loc[family.rows["arm"] == "eca", "top1"] += 2.0
    same, higher = (
        {line.name: line for line in budget.lines(f, 0.2)}["eca"] for f in (family, shifted)
    )
    assert (same.verdict, higher.verdict) == (stats.SAME, "higher")
    assert same.needed == higher.needed and same.more == higher.more > 0


def test_seeds_that_a_verdict_was_read_from_are_not_counted_again(tried, monkeypatch):
    """A line with all its planned runs has been judged, so more to find there takes new seeds."""
    family, *_ = budget.comparisons(tried)
    begun = {"se", "cbam", "sk", "pam", "eca", "coord"}
    assert set(family.pairs) == begun and not family.judged, "no suite plans this comparison"
    before = {line.name: line for line in budget.lines(family)}
    assert set(before) == {*begun, "none"} - {"pam"}, "pam has no seed that none has"
    monkeypatch.setattr(pairing, "planned_seeds", lambda which: 5)
    assert family.judged == begun
    after = {line.name: line for line in budget.lines(family)}
    for name, line in after.items():
        assert line.more == line.needed == before[name].needed > before[name].more
    with monkeypatch.context() as only:
        only.setattr(budget, "comparisons", lambda store: iter([family]))
        assert "runs, new ones where a verdict has been read," in budget.text(tried)
    monkeypatch.setattr(pairing, "planned_seeds", lambda which: 6)
    assert family.judged == begun - {"cbam"}
    mixed = {line.name: line for line in budget.lines(family)}
    assert mixed["cbam"] == before["cbam"] and mixed["eca"] == after["eca"]
    assert mixed["none"] == after["none"], "seeds of what was judged are new for the bare one too"
    own = (
        family.rows[family.rows["arm"] == "se"].head(2).assign(module="mine:Gate", arm="mine:Gate")
    )
    pairs = {**family.pairs, "mine:Gate": ("mine:Gate", "none")}
    beside = replace(family, rows=pd.concat([family.rows, own]), pairs=pairs)
    assert beside.judged == family.judged, "a reader's module has a plan of its own"
    mine = {line.name: line for line in budget.lines(beside)}["mine:Gate"]
    assert mine.more == mine.needed - 2 > 0
    (planned, *_) = budget.comparisons(tried)
    assert set(planned.pairs) == {*MODULES[1:]}, "arms without a run are of the plan"
    monkeypatch.setattr(pairing, "planned_seeds", lambda which: 11)
    assert not family.judged


def test_heads_for_segmentation_are_planned_pair_by_pair(tmp_path):
    store = Store(tmp_path)
    spread = {FCN: 0.0, PAM: 0.1, DANET: 0.4, BRANCHES: 0.2}
    for seed in range(10):
        for (module, variant), points in spread.items():
            cell = replace(SCENES, module=module, variant=variant, seed=seed)
            trial.append(store, cell, {"miou": 30 + (points if seed % 2 else -points)})
    (family,) = budget.comparisons(store)
    assert family.title.startswith("Segmentation, ") and family.title.endswith("mIoU")
    lines = budget.lines(family, 0.2)
    found = {line.name: line for line in lines}
    names = ["PAM less FCN", "DANet less FCN", "two branches less FCN", "DANet less two branches"]
    assert sorted(found) == sorted([*names, "FCN", "two branches"])
    root = math.sqrt(10 / 9)
    assert [found[name].deviation for name in names] == pytest.approx(
        [0.1 * root, 0.4 * root, 0.2 * root, 0.2 * root]
    )
    assert found["DANet less FCN"].needed == power.seeds_for(0.2 / (0.4 * root), len(family.pairs))
    # DANet is trained for the pair that needs most, and so is the FCN
    danet, pam = found["DANet less FCN"], found["PAM less FCN"]
    branches = found["DANet less two branches"]
    assert danet.more > branches.more > pam.more
    assert found["FCN"].more == danet.more and found["two branches"].more == branches.more
    runs, hours = budget.total(lines)
    assert runs == 2 * danet.more + branches.more + pam.more
    assert hours == pytest.approx(runs / 3600)  # every row took a second
    assert "DANet less two branches" in budget.text(store, 0.2)


def test_a_recipe_that_no_suite_trains_is_not_planned(tried, monkeypatch):
    monkeypatch.setattr(pairing, "retired", lambda which: which.recipe == "full")
    assert "full" not in budget.text(tried, 0.2)


def test_the_command_names_every_comparison_and_what_it_takes(tried, capsys):
    from benchmarks.__main__ import main

    assert main(["plan", "--power", "--effect", "0.3", "--results", str(tried.root)]) == 0
    said = capsys.readouterr().out
    assert "resnet10_small on fashion-mnist, full" in said and "for 0.3" in said
    assert main(["plan", "--power", "--effect", "0", "--results", str(tried.root)]) == 2
    assert "above 0" in capsys.readouterr().err


def test_without_pairs_nothing_is_planned(tmp_path):
    assert "No comparison has two paired seeds" in budget.text(Store(tmp_path), 0.2)
