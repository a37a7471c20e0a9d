"""The tables and the figure of equal cost show what rows say, and say where there are none."""

import math

import pytest
import simulated
from rendered import row_of

from benchmarks import display, stats
from benchmarks.equal_cost import OUTSIDE
from benchmarks.site import accuracy, equal_cost, equal_cost_figure
from benchmarks.snapshot import Snapshot
from benchmarks.store import Store
from benchmarks.widths import WIDTHS


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Widths and modules without times."""
    made = Store(tmp_path_factory.mktemp("simulated"))
    simulated.train(made, noise=0.0)
    simulated.count(made)
    made.fold()
    return Snapshot(made.root)


def test_modules_stand_beside_the_bare_backbone_of_equal_cost(store):
    text = equal_cost.modules(store)
    se = row_of(text, "se")
    assert se.count(">+0.50<") == 2 and se.count(">higher<") == 2 and se.count(">1.100<") == 2
    assert se.count(display.MISSING) == 2  # latency
    assert row_of(text, "danet").count(OUTSIDE) == 2
    assert row_of(text, "cbam").count(display.MISSING) == 6
    assert "Preview" not in text
    assert "<br>Multiply-adds: Measured on" in text and "Latency: Measured" not in text


def test_every_comparison_at_equal_cost_has_its_tests(store):
    text = accuracy.at_equal_cost(store)
    kinds = [row.split("</td>")[0].rpartition(">")[2] for row in text.split("<tr>")[2:]]
    assert kinds == ["parameters"] * 3 + ["multiply-adds"] * 3  # danet's costs have no curve
    se = row_of(text, "se")
    assert ">+0.50<" in se and ">higher<" in se and ">0.006<" in se and ">100 %<" in se
    assert "[+0.50, +0.50]" in se and "Preview" not in text


def test_the_curve_has_a_line_for_every_width(store):
    text = equal_cost.widths(store)
    for width in (1.0, *WIDTHS.values()):
        row = row_of(text, f"{width:g}")
        assert f">{round(simulated.BARE * width**2):,}<" in row
        assert f">{simulated.line(width**2):.2f}<" in row and ">10<" in row


def test_the_leaderboard_has_the_difference_at_equal_multiply_adds(store):
    text = accuracy.leaderboards(store)
    se = row_of(text, "se")
    # 2 log(1.1) = 0.19 points of its 0.69 are what as many multiply-adds buy without a module
    assert ">+0.69<" in se and ">+0.50<" in se
    assert row_of(text, "none").count(display.REFERENCE) == 2
    assert text.count("<table") == 1


def test_the_figure_has_the_curve_and_every_module_that_can_be_compared(store):
    figure = equal_cost_figure.figure(store)
    assert {v["cost"] for v in figure.values} == {"parameters", "multiply-adds"}
    panel = [v for v in figure.values if v["cost"] == "parameters"]
    modules = {v["arm"]: "difference" in v for v in panel if v["module"] != "none"}
    assert modules == {"se": True, "sk": True, "danet": False, "eca": True}  # danet: no width
    assert len([v for v in panel if v["module"] == "none"]) == 1 + len(WIDTHS)
    se = next(v for v in panel if v["arm"] == "se")
    assert se["times"] == pytest.approx(1.1)
    assert se["top1"] == pytest.approx(simulated.line(1.1) + 0.5, abs=1e-3)
    assert "se +0.50 points at equal parameters, higher" in figure.alt
    # of the widths 1.125 is beaten by se, which takes fewer; and so is sk
    front = ["width 0.75", "width 1", "se", "width 1.25", "width 1.5", "danet"]
    assert equal_cost_figure.front(figure.values, "parameters") == front


def test_a_mark_lies_as_far_from_the_drawn_line_as_its_pairs_say(tmp_path):
    """Seeds 2 to 9 of the own width and of the modules are a point lower; the others have two."""
    made = Store(tmp_path)
    simulated.train(made, seeds=2, noise=0.0)
    simulated.train(made, lambda times: simulated.line(times) - 1, noise=0.0, widths=(), first=2)
    simulated.count(made)
    panel = [v for v in equal_cost_figure.figure(made).values if v["cost"] == "parameters"]
    drawn = {v["arm"]: v["top1"] for v in panel if v["module"] == "none"}
    assert drawn["width 1"] == pytest.approx(90 - 0.8)
    assert drawn["width 1.125"] == pytest.approx(simulated.line(1.125**2), abs=1e-3)
    se = next(v for v in panel if v["arm"] == "se")
    share = math.log(1.1) / math.log(1.125**2)
    line = (1 - share) * drawn["width 1"] + share * drawn["width 1.125"]
    assert se["difference"] == pytest.approx(0.5)
    assert se["top1"] == pytest.approx(line + 0.5, abs=1e-3)


def test_modules_are_drawn_at_their_cost_before_any_width_is_trained(tmp_path):
    made = Store(tmp_path)
    simulated.train(made, noise=0.0, widths=())
    simulated.count(made)
    figure = equal_cost_figure.figure(made)
    panel = {v["arm"]: v for v in figure.values if v["cost"] == "parameters"}
    assert list(panel) == ["width 1", "se", "sk", "danet", "eca"]
    assert panel["se"]["top1"] == pytest.approx(simulated.line(1.1) + 0.5, abs=1e-3)
    assert not any("difference" in v for v in figure.values)
    assert "paired seeds" not in figure.caption  # ten seeds of every arm are enough to be drawn
    assert "Pareto front by parameters: width 1, se, danet; Pareto front by multiply" in figure.alt
    assert {arm for arm, v in panel.items() if v["front"]} == {"width 1", "se", "danet"}


def test_the_facts_count_the_verdicts(tmp_path):
    made = Store(tmp_path)
    simulated.train(made)
    found = equal_cost.facts(made)
    assert found["equal.params"].startswith("Of 3 modules, 1 is higher, 1 is lower, 1 shows no")
    assert found["equal.latency_ms"] == display.NOT_YET
    assert found["equal.widths"] == "0.75, 1.125, 1.25 and 1.5"


def test_four_seeds_are_a_preview(tmp_path):
    made = Store(tmp_path)
    simulated.train(made, seeds=4)
    text = equal_cost.modules(made)
    assert "Preview, not a result: 4 of 7 paired seeds" in text and stats.TOO_FEW in text
    assert equal_cost.facts(made)["equal.params"].startswith("Preview, not a result")
