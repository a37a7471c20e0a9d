"""Figures can be read everywhere, and say in words what they draw, or why they draw nothing."""

import re
from dataclasses import replace

import pytest
import trial

from benchmarks import stats
from benchmarks.cells import ROOT
from benchmarks.site import __main__ as site
from benchmarks.site import charts, figures, macros, notes_formulas
from benchmarks.site.html import Entry, Head, table
from benchmarks.store import Store


def test_a_figure_without_values_says_only_why(tmp_path):
    """Its caption would tell of lines and marks that nobody sees."""
    from_formulas = {figure.name for figure in notes_formulas.figures()}
    for figure in figures.figures(Store(tmp_path / "empty")):
        if figure.name in from_formulas:
            continue
        known = {"figures": {figure.name: site._about(figure)}}
        made = macros.figure_html(known, figure.name, "")
        assert made == '<p class="absent">Not measured yet.</p>\n', figure.name
    results = Store(tmp_path)
    noisy = trial.times(2.0, "noise floor too high")
    trial.append(results, replace(trial.LATENCY, module="eca"), noisy)
    known = {"figures": {"latency": site._about(figures.latency(results))}}
    made = macros.figure_html(known, "latency", "")
    assert ">Not drawn: eca in resnet18 (noise floor too high).<" in made
    trial.append(results, replace(trial.LATENCY, module="se"), trial.times(1.25, "slower"))
    drawn = {"figures": {"latency": site._about(figures.latency(results))}}
    assert "<figcaption>Latency of a forward pass" in macros.figure_html(drawn, "latency", "")


def test_a_figure_has_a_box_that_scrolls_and_takes_the_keyboard():
    about = {"caption": "c", "alt": "a", "drawn": True, "gap": ""}
    made = macros.figure_html({"figures": {"equal-cost": about}}, "equal-cost", "../")
    box = 'class="figure-box" role="region" tabindex="0" aria-label="Figure: equal cost"'
    assert made.startswith(f"<figure><div {box}><img ")
    assert made.index("</div>") < made.index("<figcaption>")
    css = (ROOT / "docs" / "assets" / "site.css").read_text(encoding="utf-8")
    assert re.search(r":is\(\s*\.table-box,\s*\.figure-box,[^}]*overflow-x: auto;", css)


def test_a_chart_has_room_for_a_wider_font_and_not_much_more():
    """Fonts of readers set the verdicts up to a third wider than the one that measures them."""
    pytest.importorskip("vl_convert")

    def width(verdict: str, padding: object) -> float:
        values = [{"arm": "se", "module": "se", "difference": 1.0, "verdict": verdict}]
        layers = [*charts.intervals("difference", "t", 0.0, ["se"]), charts.verdict_words(["se"])]
        size = {"width": charts.WIDTH, "height": {"step": 26}, "padding": padding}
        svg = charts.Figure("f", "", "", values, layers, size).svg("light")
        return float(re.search(r'width="([\d.]+)"', svg)[1])

    words = width(stats.SAME, 0) - width("", 0)
    assert 100 < words < 200
    assert 0.3 * words <= charts.PADDING["right"] <= 0.4 * words


def test_a_name_may_be_broken_behind_its_signs_and_not_in_a_number():
    entries = [[Entry("eca_ns kernel_size=3 lr=0.001 n=1,000"), Entry("1", 1)]]
    text = table("t", "", [Head("Name", number=False), Head("N")], entries, "")
    assert ">eca_<wbr>ns kernel_<wbr>size=<wbr>3 lr=<wbr>0.001 n=<wbr>1,000</th>" in text
