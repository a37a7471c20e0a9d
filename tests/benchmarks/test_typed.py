"""Sentences that stand typed beside tables of `results/`: each is true of what is published."""

import re

import pytest

from benchmarks import ablated, compare, equal_cost, pairing, stats, tables
from benchmarks.ablation import FAMILIES
from benchmarks.cells import ROOT
from benchmarks.controls import FACTORS
from benchmarks.mechanism import TASKS
from benchmarks.recipes import LADDER
from benchmarks.site import ablation as ablation_page
from benchmarks.site import controls as controls_page
from benchmarks.site import ladder, notes_gradients
from benchmarks.site import norm_control as norm_control_page
from benchmarks.site.paired import differences, rows_of
from benchmarks.widths import BACKBONE, WIDTHS

TRUE = []
"""Page, sentence and the test of what it says."""


def said(page, sentence):
    def keep(check):
        TRUE.append(pytest.param(page, sentence, check, id=check.__name__))
        return check

    return keep


def behind(store, task):
    """How far each arm is behind none on a mechanism task, in points."""
    frame = compare.judged(pairing.task_rows(store, task))
    return frame.set_index("arm")


def changes(store, column):
    """Forty layers less ten, of every residual network of the page on gradients."""
    rows = rows_of(store, "gradients")
    found = {}
    for variant in rows["variant"].unique():
        if variant.endswith(" residual"):
            ten, forty = (notes_gradients.of(rows, variant, depth) for depth in (10, 40))
            found[variant] = stats.student_interval(differences(forty, ten, column))
    return found


@said("results/accuracy.md", "most modules lie in one gap between two widths of nearly equal")
def one_gap_between_two_widths(store):
    which = ablated.planned()
    trained = equal_cost.rows(store, which)
    times = equal_cost.costs(store, which, trained)["latency_ms"].dropna()
    curve = times[[name for name in ("none", *WIDTHS) if name in times]].sort_values()
    modules = times.drop(curve.index)
    ends = [(low, high) for low, high in zip(curve.index, curve.index[1:], strict=False)]
    inside = {pair: modules.between(curve[pair[0]], curve[pair[1]]).sum() for pair in ends}
    fullest = max(inside, key=inside.get)
    assert inside[fullest] > len(modules) / 2
    top1 = tables.ok(trained).groupby("arm")["top1"].mean()
    assert abs(top1[fullest[0]] - top1[fullest[1]]) < 0.1


@said("results/accuracy.md", "[the ladder](training-speed.md#recipe) does not tell from zero")
def the_start_is_not_told_from_zero(store):
    steps = [step.recipe.last_gain for step in LADDER]
    (place,) = (i for i in range(1, len(steps)) if steps[i - 1] != steps[i])
    one, other = (
        tables.ok(ladder._step(store, LADDER[i], BACKBONE))["top1"].astype(float).tolist()
        for i in (place, place - 1)
    )
    gain = stats.welch_interval(one, other)
    assert gain.low < 0 < gain.high


@said("results/mechanism.md", "the mean of the four gates was farthest behind none")
def the_longer_tasks_are_those_where_gates_are_farthest_behind(store):
    means = {t: behind(store, t)["difference"][list(FACTORS)].mean() for t in TASKS}
    assert set(sorted(means, key=means.get)[:2]) == {"position", "pair"}


@said("results/mechanism.md", "three of the four are further behind than on *position*")
def gates_on_mark_and_position(store):
    mark, position = (behind(store, t)["difference"][list(FACTORS)] for t in ("mark", "position"))
    assert (mark < position).sum() == 3


@said("results/mechanism.md", "on *position* modules without any gate are behind none as well")
def without_a_gate_on_position(store):
    frame = behind(store, "position")
    assert set(frame["verdict"][["sk", "pam", "cam", "danet"]]) == {"lower"}


@said("modules/danet.md", "far behind the bare network on this task, so being ahead of them")
def gates_on_pair(store):
    gates = behind(store, "pair").loc[list(FACTORS)]
    assert set(gates["verdict"]) == {"lower"} and (gates["difference"] < -10).all()
    rescaled = [controls_page.rescaled_verdicts(store, gate)["pair"] for gate in FACTORS]
    assert "lower" not in rescaled


@said("results/attention-costs.md", "most gates make a network measurably slower")
def most_gates_are_slower(store):
    verdicts = [
        verdict
        for setting in tables.latency_settings(store, device="cpu", threads=1)
        for arm, verdict in tables.latency_table(store, setting)[["arm", "verdict"]].to_numpy()
        if arm in FACTORS and isinstance(verdict, str)
    ]
    assert verdicts.count("slower") > 0.8 * len(verdicts)


@said("notes/gradients.md", "but each of these intervals includes zero, and one network")
def no_deep_residual_network_fits_better(store):
    found = changes(store, "train")
    higher = [change for change in found.values() if change.value > 0]
    assert len(higher) > len(found) / 2 and all(change.low <= 0 for change in higher)
    assert [name for name, change in found.items() if change.high < 0] == ["tanh default residual"]


@said("results/mechanism.md", "only a large difference could have been seen")
def two_tasks_could_have_shown_large_differences_alone(store):
    _, frame = norm_control_page.judged_lines(store)
    could = frame.set_index("key")["could_show"].sort_values()
    assert set(could.index[-2:]) == {"position", "pair"}
    assert could.iloc[-2] > 10 and could.iloc[-2] > 2 * could.iloc[-3]


@said("notes/optimisers.md", "and its best rate is lower")
def momentum_has_a_lower_best_rate_than_sgd(store):
    rows = rows_of(store, "optimisers")
    means = rows.assign(lr=rows["recipe"].str.removeprefix("lr=").astype(float))
    best = means.groupby(["variant", "lr"])["held"].mean().groupby("variant").idxmax()
    assert best["momentum"][1] < best["sgd"][1]


def learned_rows(store):
    """The trained networks whose gates were looked at, with what they lose when held."""
    rows = tables.with_arm(tables.ok(store.table("learned")))
    return rows.assign(lost=rows["top1"] - rows["top1_held"])


def numbers(text):
    return [float(number) for number in text.split()]


@said("results/accuracy.md", "Up to its last block its gates move by less than a hundredth")
def se_hardly_looks(store):
    rows = learned_rows(store)
    moved = rows[rows["arm"] == "se"]["between_images"].map(numbers)
    assert len(moved) >= 2 and all(max(one[:-1]) < 0.01 for one in moved)
    lost = rows[rows["arm"].isin(list(FACTORS))].groupby("arm")["lost"].mean()
    assert lost.idxmin() == "se", "Held, it loses least of the gates."


@said("results/accuracy.md", "Coordinate attention loses most when it is held, and is the lowest")
def who_looks_most_is_lowest(store):
    lost = learned_rows(store).groupby("arm")["lost"].mean()
    top1 = compare.accuracy_table(store, ablated.planned()).set_index("arm")["top1"]
    assert lost.idxmax() == top1.idxmin() == "coord"


@said("results/accuracy.md", "The weight of what it adds is negative in every run, in DANet too")
def cam_takes_away(store):
    rows = learned_rows(store)
    rows = rows[rows["arm"].isin(["cam", "danet"])]
    weights = rows["gammas"].str.extract(r"channel (\S+)")[0].astype(float)
    assert len(weights) >= 4 and (weights < 0).all()
    assert all(0.8 < numbers(text)[-1] < 1.2 for text in rows["levels"])


@said("results/ablations.md", "In the paper both axes together are the higher ones.")
def one_axis_is_lower_in_the_paper(store):
    lines = ablation_page.PRINTED["coord"]
    printed = [lines[f"coord axes='{axis}'"] for axis in ("height", "width")]
    assert all(ablation_page.printed_difference(line) < 0 for line in printed)
    rows = ablated.rows(store, ablated.planned(), FAMILIES["coord"])
    ours = ablated.against_default(rows, FAMILIES["coord"]).set_index("arm")["difference"]
    assert (ours[["coord axes='height'", "coord axes='width'"]] > 0).all()


@said("notes/gradients.md", "On test images one is: tanh with Xavier's values.")
def one_deep_residual_network_tests_better(store):
    better = [name for name, found in changes(store, "test").items() if found.low > 0]
    assert better == ["tanh xavier residual"]


@said("notes/gradients.md", "with ten layers and He's values it moves by about a millionth")
def the_first_layer_of_deep_logistic_networks_stays(store):
    rows = rows_of(store, "gradients")
    deep = rows[rows["recipe"].isin(["10 layers", "40 layers"])]
    plain = deep[deep["variant"].str.match(r"logistic \w+ plain")]
    he = (plain["variant"] == "logistic he plain") & (plain["recipe"] == "10 layers")
    assert plain[~he]["moved_first"].max() < 1.2e-7, "rounding of 32 bits"
    assert 3e-7 < plain[he]["moved_first"].mean() < 3e-6


@pytest.mark.parametrize(("page", "sentence", "check"), TRUE)
def test_what_is_typed_is_true(committed_tables, published, page, sentence, check):
    text = re.sub(r"\s+", " ", (ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert sentence in text
    check(published)
