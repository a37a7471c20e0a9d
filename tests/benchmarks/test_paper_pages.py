"""The pages of the papers: verdicts are counted, lines are joined, reruns are tested by hand."""

from dataclasses import replace

import pytest
from rendered import unbroken
from trial import append

from benchmarks.paper import tasks
from benchmarks.papers.reported import printed
from benchmarks.site import papers, reruns
from benchmarks.site.reruns import Gain, gains
from benchmarks.store import Store

TABLE = "CBAM ECCV2018, Table 4"


def values(task, computed, shown, verdict):
    p, r = task.printed, task.recipe
    return {
        "paper": p.paper,
        "table": p.table,
        "network": p.backbone,
        "printed_module": p.module,
        "printed_variant": p.variant,
        "dataset": p.dataset,
        "metric": p.metric,
        "unit": p.unit,
        "printed": p.value,
        "shown": shown,
        "verdict": verdict,
        "computed": computed,
        "built": r.build,
        "plugged": "",
        "input_size": 224,
        "placed": "",
        "counted": r.params,
        "basis": r.basis,
        "note": r.note,
        "why": "because" if verdict == "differs" else "",
        "cite": p.cite,
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two rows of one table that nobody measured: one exact, one that differs."""
    made = Store(tmp_path_factory.mktemp("papers"))
    chosen = [t for c, t in tasks().items() if c.data == TABLE and t.printed.metric == "params"]
    append(made, chosen[0].cell, values(chosen[0], 11_690_000, "11.69", "exact"))
    append(made, chosen[1].cell, values(chosen[1], 12_000_000, "12.00", "differs"))
    return made


def test_verdicts_are_counted(store):
    found = papers.facts(store)
    assert (found["paper.cbam.exact"], found["paper.cbam.differs"]) == ("1", "1")
    assert found["paper.all.printed"] == "2"
    assert found["paper.eca.exact"] == "0"
    stated = int(found["paper.cbam.exact.stated"])
    assert stated + int(found["paper.cbam.exact.inferred"]) == 1
    assert ">CBAM ECCV2018<" in papers.counts(store)
    assert found["paper.eca.formulas"] == "0 of 0"


def test_a_formula_is_no_printed_number(tmp_path):
    store = Store(tmp_path)
    (key, *_) = [k for k, t in tasks().items() if t.printed.unit == "formula"]
    task = tasks()[key]
    append(store, task.cell, values(task, 8192, "2*C^2/r", "exact"))
    found = papers.facts(store)
    assert (found["paper.eca.printed"], found["paper.eca.formulas"]) == ("0", "1 of 1")
    assert found["paper.eca.exact.stated"] == "0"


def test_without_rows_nothing_is_claimed(tmp_path):
    assert set(papers.facts(Store(tmp_path)).values()) == {"not measured"}


def test_choices_are_told_from_their_rows(tmp_path):
    made = Store(tmp_path)
    wanted = {
        ("the formula, ties down (Eq. 12)", "params"): 80,
        (papers.STRIDES[0], "FLOPs"): 900,
        (papers.STRIDES[1], "FLOPs"): 1000,
    }
    for cell, task in tasks().items():
        number = wanted.get((task.printed.variant, task.printed.metric))
        if number and task.printed.paper == "Choices":
            append(made, cell, values(task, number, "", "not printed"))
    found = papers.facts(made)
    assert found["choice.eca.down"] == "80"
    assert found["choice.eca.up"] == "not measured"
    assert found["choice.stride.saves"] == "10.0 %"


def test_every_choice_that_the_pages_tell_has_a_recipe():
    variants = {t.printed.variant for t in tasks().values() if t.printed.paper == "Choices"}
    assert {*papers.ECA_CHOICES.values(), *papers.STRIDES} <= variants


def test_a_table_shows_printed_computed_and_reported_in_one_line(store):
    text = papers.paper(store, "cbam")
    line = next(part for part in text.split("<tr>") if ">ResNet-18<" in part and "11.69" in part)
    assert ">printed, M<" in text, "a unit that all have stands above them"
    for shown in (">11.69<", "11,690,000", "exact", ">1.814<", "not measured", "29.60", "10.55"):
        assert shown in line


def test_what_differs_is_listed_with_the_reason(store):
    text = papers.differing(store)
    assert "12.00 M" in text and "because" in text and "11.69" not in text


def test_every_reported_line_is_on_a_page(store):
    text = "".join(papers.paper(store, page) for page in papers.NAMES)
    accuracies = [v for v in printed() if v.paper == "DANet CVPR2019" and v.metric == "mIoU"]
    assert accuracies and all(f">{v.value}<" in text for v in accuracies)


GAIN = Gain("net", "data", "SE", mean=70.0, deviation=0.3, bare=69.0, bare_deviation=0.3)


def test_a_gain_is_tested_against_the_deviation_of_five_trials():
    reach = 2.306 * 0.3 * (2 / 5) ** 0.5  # 0.4375
    assert GAIN.gain == 1.0 and GAIN.verdict == "higher"
    assert replace(GAIN, mean=69 + reach - 0.001).verdict == "not told apart"
    assert replace(GAIN, mean=69 + reach + 0.001).verdict == "higher"
    assert replace(GAIN, mean=69 - reach - 0.001).verdict == "lower"


def test_five_trials_are_sixty_four_comparisons():
    assert len([g for g in gains() if g.module != "SimAM"]) == 64
    found = reruns.facts(Store("nowhere"))
    assert [found[f"reruns.{k}"] for k in ("cells", "below", "higher", "lower")] == [
        "64",
        "35",
        "20",
        "3",
    ]


def test_pairs_are_found_and_errors_become_accuracies():
    text = unbroken(reruns.pairs(Store("nowhere")))
    senet = next(part for part in text.split("<tr>") if "SENet CVPR2018" in part)
    assert "75.20" in senet and "76.71" in senet and "+1.51" in senet
    a1 = next(part for part in text.split("<tr>") if "resnet50.a1_in1k" in part)
    assert "80.38" in a1 and "80.01" in a1
