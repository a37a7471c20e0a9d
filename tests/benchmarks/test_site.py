"""The site shows what the tables hold: no typed number, no unknown key, nothing hidden."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest
import trial
from rendered import row_of, unbroken

from benchmarks import stats
from benchmarks.cells import MODULES, ROOT
from benchmarks.site import __main__ as site
from benchmarks.site import (
    accuracy,
    accuracy_facts,
    charts,
    coverage,
    facts,
    failures,
    figures,
    latency,
    macros,
    modules,
    notes_formulas,
    readme,
)
from benchmarks.snapshot import Snapshot
from benchmarks.store import Store

DOCS = ROOT / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "_gen" not in p.parts)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    return Snapshot(tmp_path_factory.mktemp("empty"))


@pytest.fixture(scope="module")
def of_nothing(empty):
    """The fragments without rows."""
    return site.fragments(empty)


@pytest.fixture(scope="module")
def said(tried):
    """The facts of some rows."""
    return facts.facts(tried)


@pytest.fixture(scope="module")
def said_of_nothing(empty):
    return facts.facts(empty)


def keys_of(macro: str) -> set[str]:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    return set(re.findall(rf'\{{\{{ {macro}\("([^"]+)"\) \}}\}}', text))


@pytest.mark.parametrize(
    "which", [("tried", "said", "fragments"), ("empty", "said_of_nothing", "of_nothing")]
)
def test_every_key_of_the_pages_is_generated_with_and_without_results(which, request):
    results, facts_there, tables_there = map(request.getfixturevalue, which)
    assert keys_of("r") and keys_of("r") <= set(facts_there)
    assert keys_of("table") and keys_of("table") <= set(tables_there)
    assert keys_of("figure") == {figure.name for figure in figures.figures(results)}


def test_every_generated_table_is_on_a_page(fragments):
    facts_too = {key.replace("claim.", "claim-", 1) for key in keys_of("r")} & set(fragments)
    assert set(fragments) == keys_of("table") | facts_too, "a claim may be there as a fact"


def test_facts_that_no_page_reads_are_of_a_family_that_pages_read(said):
    """A family is made as a whole: every claim, every printed table, every file."""
    families = ("claim.", "paper.", "rows.")
    unread = set(said) - keys_of("r")
    assert {key for key in unread if not key.startswith(families)} == set()


def test_an_unknown_fact_fails_and_names_the_closest(tmp_path):
    known = {"facts": {"accuracy.se": "higher"}, "figures": {}}
    assert macros.fact(known, "accuracy.se") == "higher"
    with pytest.raises(macros.UnknownFact, match=r"accuracy\.sf.*did you mean accuracy\.se"):
        macros.fact(known, "accuracy.sf")
    with pytest.raises(macros.UnknownFact, match="no generated figure"):
        macros.figure_html(known, "none", "")
    with pytest.raises(macros.UnknownFact, match="no generated table"):
        macros.table_text(tmp_path, "none", "")


def test_pages_without_generated_facts_say_what_to_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="python -m benchmarks.site"):
        macros.load(tmp_path)


class Tags(HTMLParser):
    """Fails on a tag that is closed out of order; collects the tags and their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict]] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("img", "br", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_tables_are_accessible(fragments):
    for name, text in fragments.items():
        tags = Tags()
        tags.feed(text)
        assert tags.open == [], name
        kinds = [tag for tag, _ in tags.seen]
        assert kinds.count("caption") == kinds.count("table"), name
        heads = [attributes for tag, attributes in tags.seen if tag == "th"]
        assert all(h["scope"] in ("col", "row") for h in heads), name
        boxes = [a for tag, a in tags.seen if tag == "div"]
        assert all(b["tabindex"] == "0" and b["aria-label"] for b in boxes), name


def test_a_row_without_a_value_is_named_with_its_recipe_and_seed(tmp_path):
    results = Store(tmp_path)
    for cell, seed in ((trial.ACCURACY, 3), (trial.COST, None)):
        trial.append(results, replace(cell, module="se", seed=seed), None, reason="at step -1")
    text = failures.failures(results)
    assert 'class="measured prose"' in text
    for title in ("Data", "Recipe", "Seed"):
        assert f">{title}</th>" in text
    trained = row_of(text, "accuracy")
    assert ">fashion-mnist<" in trained and f">{trial.ACCURACY.recipe}<" in trained
    assert 'data-sort="3.0"' in trained and ">3<" in trained
    assert ">at step −1<" in trained and ">–<" in row_of(text, "cost")


def test_the_leaderboard_shows_differences_failures_and_gaps(fragments):
    board = fragments["main"]
    assert "+1.00" in row_of(board, "se") and ">higher<" in row_of(board, "se")
    assert "−1.00" in row_of(board, "coord") and ">lower<" in row_of(board, "coord")
    assert "without a value: 1" in row_of(board, "sk")
    assert "not enough seeds" in row_of(board, "cbam")
    assert row_of(board, "danet").count("not measured") == 5
    assert "At equal multiply-adds" not in board, "no width of the bare backbone was trained"
    assert "60,000 training images" in board and "Preview" not in board
    assert fragments["leaderboards"] == board  # a preview beside a result is on another page
    assert "Preview, not a result" in fragments["accuracy"]


def test_every_failed_row_is_on_a_page(fragments):
    assert fragments["failures"].count("no memory [left]") == 3
    assert "<span>3 rows</span>" in fragments["failures"]
    assert "3 rows without a value" in fragments["coverage-reasons"]


def test_a_latency_table_is_of_one_machine_and_says_which(tmp_path):
    results = Store(tmp_path)
    trial.latency(results)
    elsewhere = replace(trial.LATENCY, module="eca")
    trial.append(results, elsewhere, trial.times(7.0, "slower"), machine="elsewhere")
    trial.append(
        results,
        replace(trial.LATENCY, module="cam"),
        trial.times(7.0, "slower"),
        machine="elsewhere",
    )
    text = latency.latency(results)
    assert text.count("<table") == 1
    assert "7.000" in text and "1.250" not in text, "the machine with most rows is shown"
    assert "elsewhere, 4 rows" in text and text.count(" rows)") == 1


def test_what_no_gpu_measured_is_said(fragments):
    assert "Latency on a GPU: not measured" in fragments["latency"]
    assert "on cifar100, cifar, bf16, on a GPU: not measured" in fragments["accuracy"]
    assert "mobilenetv2_small on fashion-mnist, full, fp32: not measured" in fragments["accuracy"]
    assert "ImageNet: not measured" in fragments["accuracy"]


def test_facts_are_sentences(said):
    found = said
    assert found["accuracy.se"].startswith("higher by 1.00 points (95 % interval +1.00 to +1.00")
    assert found["accuracy.cbam"].startswith("not enough seeds for a verdict")
    assert found["accuracy.eca"].startswith("no measurable difference (0.00 points")
    assert found["accuracy.danet"] == "not measured"
    assert found["accuracy.summary"] == (
        "Of 5 modules, 2 are higher, 1 is lower, 1 shows no measurable difference, "
        "1 has not enough seeds for a verdict. Higher: se and sk. Lower: coord."
    )
    assert found["coverage.all"] == "50.0 %"


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (["lower", stats.SAME], " None is higher. Lower: se."),
        ([stats.SAME, stats.SAME], " None is higher."),
        (["higher", stats.SAME], " Higher: se."),
        ([stats.TOO_FEW, stats.TOO_FEW], ""),
    ],
)
def test_the_summary_names_what_is_higher_or_lower(verdicts, said):
    table = pd.DataFrame({"arm": ["none", "se", "eca"], "verdict": [None, *verdicts]})
    assert accuracy_facts._which(table) == said


def test_facts_without_results_are_not_measured(said_of_nothing):
    found = said_of_nothing
    assert {found[f"accuracy.{m}"] for m in MODULES[1:]} == {"not measured"}
    assert found["rows.total"] == "0"


NEEDS_NO_ROWS = {"complete", "suites", "seeds-planned", "failures", "paper-danet"}
NEEDS_NO_ROWS |= {"coverage-reasons", "coverage-left-out", "reruns-trials", "reruns-pairs"}
NEEDS_NO_ROWS |= {"cite", "cite-bibtex", "cite-papers"}


def test_fragments_without_results_say_so(of_nothing):
    for name, text in of_nothing.items():
        known = name in NEEDS_NO_ROWS or name.startswith("claim-")
        assert known or "ot measured" in text, name


def test_a_module_has_a_shape_and_a_colour_of_its_own():
    assert len(set(charts.SHAPES)) == len(MODULES)
    for colours in charts.COLOURS.values():
        assert len(set(colours)) == len(MODULES)


def test_figures_draw_what_the_tables_hold(tried, empty):
    drawn = {figure.name: figure for figure in figures.figures(tried)}
    se = next(v for v in drawn["accuracy"].values if v["arm"] == "se")
    assert se["difference"] == pytest.approx(1) and se["verdict"] == "higher"
    assert [v["arm"] for v in drawn["latency"].values] == ["se"]
    assert "se +1.00, higher" in drawn["accuracy"].alt
    for figure in drawn.values():
        for scheme in ("light", "dark"):
            assert "@" not in json.dumps(figure.spec(scheme)).replace("@2x", "")
    unmeasured = [f.name for f in figures.figures(empty) if f.values]
    assert unmeasured == [f.name for f in notes_formulas.figures()]


def test_everything_is_written(tried, tmp_path):
    pytest.importorskip("vl_convert")
    site.generate(tried, tmp_path / "_gen")
    facts_file = json.loads((tmp_path / "_gen" / "facts.json").read_text(encoding="utf-8"))
    assert facts_file["figures"]["accuracy"]["drawn"]
    for scheme in ("light", "dark"):
        svg = (tmp_path / "_gen" / "figures" / f"accuracy-{scheme}.svg").read_text()
        assert svg.startswith("<svg") and "no measurable difference" in svg
    for name in ("latency.csv", "datapackage.json"):
        assert (tmp_path / "_gen" / "data" / name).exists()
    written = macros.table_text(tmp_path / "_gen", "latency", "../../")
    assert 'href="../../_gen/data/latency.csv"' in written and macros.UP not in written


def test_a_damaged_table_is_an_error_with_a_message(tmp_path, capsys):
    (tmp_path / "accuracy.csv").write_text("not,a table\n", encoding="utf-8")
    assert site.main(["--results", str(tmp_path), "--out", str(tmp_path / "_gen")]) == 2
    assert "accuracy.csv" in capsys.readouterr().err


def test_the_site_loads_nothing_from_elsewhere():
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "font: false" in config and "generator: false" in config
    listed = re.search(r"extra_css:.*?plugins:", config, re.DOTALL)[0]
    paths = re.findall(r"- (assets/\S+)", listed)
    assert paths and all((DOCS / path).is_file() for path in paths)
    for path in (DOCS / "assets").rglob("*.css"):
        for url in re.findall(r"url\(([^)]*)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / url).is_file(), (path, url)


def test_a_reason_of_several_architectures_stands_once(tmp_path):
    results = Store(tmp_path)
    for backbone, n in (("ghostnet_050", 8), ("ghostnet_100", 12)):
        cell = replace(trial.COVERAGE, backbone=backbone, module="se")
        reason = (
            f"ValueError: module 'se' in {backbone}, blocks.0.se ({n} channels): reduction=16 is "
            f"larger than channels={n}; give a reduction from 1 to {n}"
        )
        values = {"family": "ghostnet", "kind": "convolutional"}
        trial.append(results, cell, values, status="failed", reason=reason)
    text = coverage.reasons(results)
    assert text.count("<tr>") == 2 and "ghostnet_050, ghostnet_100" in text
    assert "a slot of it: reduction=16 is larger than its channels; give a smaller one<" in text


def test_costs_are_of_the_size_that_was_counted(tmp_path):
    results = Store(tmp_path)
    trial.accuracy(results, seeds=2)
    small = replace(trial.COST, backbone="resnet10_small", image_size=28)
    for module in ("none", "se"):
        values = {"params": 10, "params_added": 0, "macs": 10, "macs_added": 0}
        trial.append(results, replace(small, module=module), values)
    made = site.fragments(results)
    assert "one image of 28 px" in made["cost"] and "one image of 28 px" in made["main"]
    assert "se in resnet10_small, 28\N{NO-BREAK SPACE}px" in unbroken(made["module-se"])
    assert not any("224 px" in text for text in made.values())
    assert "28 px" in readme.table(results)


def test_what_failed_is_not_called_unmeasured(tmp_path):
    results = Store(tmp_path)
    trial.accuracy(results, seeds=2)
    for cell in (trial.COST, trial.LATENCY):
        trial.append(results, replace(cell, backbone=modules.OVERVIEW, module="se"), None)
    for seed in range(2):
        cell = replace(trial.ACCURACY, module="danet", seed=seed)
        trial.append(results, cell, None, status="diverged")
    found = facts.facts(results)
    assert found["accuracy.danet"] == "Preview, not a result: diverged in all 2 runs"
    costs = modules.overview(results)
    assert row_of(costs, "se").count(">failed<") == 3
    assert row_of(costs, "eca").count(">not measured<") == 3
    line = "| `danet` | diverged | diverged |  | 0 (without a value: 2) |"
    assert line in readme.table(results)
    assert ">diverged<" in row_of(accuracy.main_leaderboard(results), "danet")


def test_the_latency_figure_names_what_it_does_not_draw(tried, tmp_path):
    assert "Not drawn: sk in resnet18 (failed)." in figures.latency(tried).caption
    results = Store(tmp_path)
    trial.latency(results)
    noisy = trial.times(2.0, "noise floor too high")
    trial.append(results, replace(trial.LATENCY, module="eca"), noisy)
    small = replace(trial.LATENCY, backbone="resnet10_small", image_size=28, batch_size=32)
    trial.append(results, replace(small, module="se"), trial.times(1.5, "slower"))
    figure = figures.latency(results)
    assert "eca in resnet18 (noise floor too high)" in figure.caption
    assert "one image" not in figure.caption
    panels = {value["panel"] for value in figure.values}
    assert panels == {"resnet18, batch 1, 224 px", "resnet10_small, batch 32, 28 px"}


def test_the_load_beside_a_timing_stands_beneath_its_table(tmp_path):
    results = Store(tmp_path)
    for module, load in (("none", 0.5), ("se", 3.25)):
        values = {**trial.times(1.0, "no measurable difference"), "load_average": load}
        trial.append(results, replace(trial.LATENCY, module=module), values)
    assert "Largest load average in the minute before a session: 3.2" in latency.latency(results)


def test_quotes_do_not_leave_an_attribute():
    about = {"caption": "a <b>", "alt": 'say "no"', "drawn": True, "gap": ""}
    made = macros.figure_html({"figures": {"f": about}}, "f", "")
    assert 'alt="say &quot;no&quot;"' in made and "a &lt;b&gt;" in made
    drawing = charts.Figure("f", "", 'say "no"', [{}], [], {})
    assert 'alt="say &quot;no&quot;"' in readme.picture(drawing)


def test_files_of_others_survive_in_the_folder_that_is_written(empty, tmp_path, monkeypatch):
    monkeypatch.setattr(site, "fragments", lambda store: {"main": "ours"})
    monkeypatch.setattr(facts, "facts", lambda store: {})
    monkeypatch.setattr(figures, "figures", lambda store: [])
    for name in ("index.md", "tables/mine.md", "data/mine.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine", encoding="utf-8")
    (empty.root / "old.csv").write_text("x\n", encoding="utf-8")
    site.generate(empty, tmp_path)
    assert (tmp_path / "data" / "old.csv").exists()
    (empty.root / "old.csv").unlink()
    site.generate(empty, tmp_path)
    assert not (tmp_path / "data" / "old.csv").exists()
    mine = [p for p in tmp_path.rglob("*") if p.is_file() and p.read_text() == "mine"]
    assert len(mine) == 3
