"""Tables pair arms with the bare backbone, keep machines apart and hide nothing."""

import subprocess
import sys
from dataclasses import replace

import pytest
import trial

from benchmarks import __main__ as command_line
from benchmarks import compare, display, stats, summary, tables
from benchmarks.cells import ROOT, Cell, benchmarks
from benchmarks.pairing import Comparison
from benchmarks.site.accuracy import board
from benchmarks.store import Store, row

FULL = Comparison("fashion-mnist", "resnet10_small", "full")


def test_arms_are_listed_in_the_order_of_the_papers():
    arms = ["mine:Gate", "coord", "se reduction=8", "none", "se"]
    assert tables.in_order(arms) == ["none", "se", "coord", "mine:Gate", "se reduction=8"]


def test_latencies_of_two_machines_are_never_in_one_table(tried):
    for machine, arms in ((tables.here(), {"none", "se", "sk"}), ("elsewhere", {"none", "cbam"})):
        (setting,) = tables.latency_settings(tried, machine)
        table = tables.latency_table(tried, setting)
        assert set(table.loc[table["status"].notna(), "arm"]) == arms
        assert set(table["machine"].dropna()) == {machine}


def test_a_leaderboard_says_where_cost_and_latency_were_measured(tried):
    lines, counted, setting = board(tried, FULL, compare.accuracy_table(tried, FULL))
    assert counted[0] == setting["backbone"] == "resnet18"
    by_arm = {line["arm"].text: line for line in lines}
    assert by_arm["se"]["macs"].sort == 87_040
    assert by_arm["se"]["time"].sort == 1.25 and by_arm["se"]["time"].word == "slower"
    assert by_arm["sk"]["time"].text == "failed" and by_arm["cbam"]["time"].absent


def test_coverage_counts_architectures_of_one_kind(tried):
    counted = tables.coverage_table(tried, "kind").set_index(["kind", "arm"])
    shares = {key: (row.good, row.all) for key, row in zip(counted.index, counted.itertuples())}  # noqa: B905
    assert shares[("convolutional", "se")] == (3, 4)
    assert shares[("convolutional", "sk")] == (2, 4)
    assert shares[("convolutional", "all")] == (2, 4)
    assert shares[("hybrid", "all")] == (1, 1)


def test_what_two_machines_counted_is_counted_once(tmp_path):
    """The newest row of a cell with a value stands for both."""
    store = Store(tmp_path)
    trial.coverage(store)
    before = tables.coverage_table(store, "kind")
    for one in store.table("coverage").to_dict("records"):
        store.append("coverage", {**one, "machine": "elsewhere", "measured_at": "2001-01-01"})
    assert len(store.table("coverage")) == 2 * len(tables.coverage_rows(store))
    assert tables.coverage_table(store, "kind").equals(before)
    assert "elsewhere" not in set(tables.counted(store, "coverage")["machine"])
    lost = store.table("coverage").query("machine != 'elsewhere' and status == 'ok'").iloc[0]
    store.append("coverage", {**lost.to_dict(), "status": "failed", "reason": "no memory"})
    assert tables.coverage_table(store, "kind").equals(before), "the other machine has a value"


def test_a_failed_row_of_coverage_belongs_to_the_family_of_its_architecture(tried):
    counted = tables.coverage_table(tried, "family").set_index(["family", "arm"])
    assert tuple(counted.loc[("b", "sk")]) == (0, 1)
    assert tuple(counted.loc[("unknown", "se")]) == (0, 1)


@pytest.fixture(scope="module")
def text(tried):
    return summary.text_summary(tried, "cpu")


def line_of(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.split()[:1] == [start])


def test_the_summary_holds_differences_verdicts_and_failures(text):
    assert "+1.00 [+1.00, +1.00]" in line_of(text, "se")
    assert line_of(text, "se").endswith("higher")
    assert line_of(text, "cbam").endswith("not enough seeds")
    assert "9 + 1 failed" in line_of(text, "sk")
    assert line_of(text, "danet").endswith("not measured")
    assert "RuntimeError: no memory [left]" in text
    assert "accuracy · resnet10_small · sk · fashion-mnist · full · seed 0" in text
    assert "latency · resnet18 · sk" in text
    assert "2 of 4 convolutional architectures take every module (50.0 %)" in text
    assert "b1 without sk" in text and "c1 without se, sk" in text


def test_the_summary_says_how_busy_the_machine_was_before_its_timings(tmp_path):
    store = Store(tmp_path)
    here = {"machine": tables.here()}
    for module, load in (("none", 0.25), ("se", 3.5)):
        values = trial.times(1.0, stats.SAME) | {"load_average": load}
        trial.append(store, replace(trial.LATENCY, module=module), values, **here)
    text = summary.text_summary(store, "cpu", ["latency"])
    assert summary.SAME in text and line_of(text, "se").endswith("1.000 same")
    assert "largest load before a session: 3.5" in text
    assert summary.SAME not in summary.text_summary(Store(tmp_path / "none"), "cpu")


def test_a_row_without_a_value_has_one_word(tmp_path):
    store = Store(tmp_path)
    cell = trial.ACCURACY
    trial.append(store, replace(cell, seed=0, module="se"), None, status="diverged")
    trial.append(store, replace(cell, seed=1, module="se"), trial.outcome(90.0))
    text = summary.text_summary(store, "cpu", ["accuracy"])
    assert "1 + 1 diverged" in line_of(text, "se") and "failed" not in text
    assert "Rows without a value: 1\n  diverged: accuracy" in text


def test_the_summary_is_at_most_100_columns_wide(tried):
    for suite in ("quick", "cpu"):
        assert max(map(len, summary.text_summary(tried, suite).splitlines())) <= 100


def test_a_preview_calls_itself_a_preview(tried, text):
    assert "preview" in summary.text_summary(tried, "quick")
    assert "preview" not in text


def test_accuracies_of_another_machine_say_so(tmp_path):
    title = "resnet10_small on fashion-mnist, full, cpu\n"
    cell = trial.ACCURACY
    store = Store(tmp_path)
    trial.append(store, replace(cell, seed=0), trial.outcome(90.0), machine="elsewhere")
    trial.append(store, replace(cell, seed=1), trial.outcome(91.0), machine="elsewhere")
    text = summary.text_summary(store, "cpu", ["accuracy"])
    assert f"Accuracy, on another machine: {title}" in text
    trial.append(store, replace(cell, seed=1), trial.outcome(92.0))
    text = summary.text_summary(store, "cpu", ["accuracy"])
    assert f"Accuracy, 1 of 2 rows on another machine: {title}" in text
    trial.append(store, replace(cell, seed=0), trial.outcome(92.0))
    assert f"Accuracy: {title}" in summary.text_summary(store, "cpu", ["accuracy"])


def test_nothing_measured_says_so(tmp_path):
    text = summary.text_summary(Store(tmp_path), "quick")
    for name in ("Accuracy", "Cost", "Latency", "Coverage"):
        assert f"{name}: not measured" in text


def test_a_summary_of_some_benchmarks_speaks_of_no_other(tmp_path):
    store = trial.everything(tmp_path)
    diverged = Cell("spiral", "two layers", recipe="relu", seed=0)
    trial.append(store, diverged, None, status="diverged", reason="too far")
    trial.append(store, replace(diverged, seed=1), {})
    text = summary.text_summary(store, "quick", ["spiral"])
    for words in ("spiral: ", "1 ok", "1 diverged", "docs/notes/spiral.md", "too far"):
        assert words in text
    for words in ("Accuracy", "Cost", "Latency", "Coverage", "latency"):
        assert words not in text
    text = summary.text_summary(store, "quick", ["cost", "mechanism"])
    assert text.startswith("Cost: resnet18") and "mechanism: " in text
    assert "rows: not measured" in text and "Accuracy" not in text


def test_a_summary_of_some_backbones_and_arms_speaks_of_no_other(tmp_path):
    store = trial.everything(tmp_path)
    cost = replace(trial.COST, backbone="resnet34", image_size=224)
    trial.append(store, cost, {"params": 21_797_672, "macs": 3_000_000_000})
    assert "Cost: resnet18" in summary.text_summary(store, "cpu", ["cost"])
    text = summary.text_summary(store, "cpu", ["cost", "latency"], ["resnet34", "resnet50"])
    assert "Cost: resnet34" in text and "Cost: resnet50: not measured" in text
    assert "Latency: not measured" in text and "resnet18" not in text
    assert "Rows without a value" in summary.text_summary(store, "cpu", ["latency"])
    mine = summary.text_summary(store, "cpu", ["latency"], ["resnet18"], ["se"])
    assert "Rows without a value" not in mine
    bare = replace(trial.LATENCY, backbone="resnet34", module="none")
    trial.append(store, bare, None, status="failed", reason="no time for the bare backbone")
    mine = summary.text_summary(store, "cpu", ["latency"], ["resnet34"], ["se"])
    assert "no time for the bare backbone" in mine, "se is compared with it"


def test_every_table_can_be_had_from_a_page():
    assert [name for name in benchmarks() if summary.page_of(name) is None] == []


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (48, "48"),
        (9_999, "9,999"),
        (10_000, "10.00 k"),
        (89_080, "89.08 k"),
        (99_994, "99.99 k"),
        (99_996, "100.0 k"),
        (999_949, "999.9 k"),
        (999_950, "1.00 M"),
        (-999_999, "−1.00 M"),
        (999_950_000, "1.00 G"),
        (25_557_032, "25.56 M"),
        (4_089_184_256, "4.09 G"),
        (-1_500_000, "−1.50 M"),
    ],
)
def test_counts_use_powers_of_1000(number, text):
    assert display.count(number) == text


def test_small_and_missing_values_are_told_apart():
    assert display.points(-0.001) == "0.00"
    assert display.shown(display.points, None) == "not measured"
    assert display.shown(display.points, float("nan")) == "not measured"
    assert display.interval(display.ratio, 1.5, 1.4, 1.6) == "1.500 [1.400, 1.600]"


def test_the_seeds_that_a_family_needs_are_named(tried):
    needed = stats.seeds_needed(5)
    assert f"at least {needed} paired seeds" in summary.text_summary(tried, "cpu")


def test_tables_are_read_without_torch_and_timm(tried):
    code = (
        "import sys; from benchmarks import summary; from benchmarks.store import Store; "
        f"summary.text_summary(Store({str(tried.root)!r}), 'cpu'); "
        "sys.exit(bool({'torch', 'timm', 'attn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=120).returncode == 0


def test_a_smaller_image_is_not_called_224_px(tmp_path):
    store = Store(tmp_path)
    trial.append(store, replace(trial.COST, backbone="regnetx_004", image_size=28), {"macs": 1})
    text = summary.text_summary(store, "quick")
    assert "Cost: regnetx_004, 28 px, one image" in text and "224 px" not in text


def test_the_largest_noise_floor_of_a_table_is_shown(tmp_path):
    store = Store(tmp_path)
    trial.latency(store)
    later = {**trial.times(1.5, "noise floor too high"), "floor_high": 1.1}
    trial.append(store, replace(trial.LATENCY, module="eca"), later)
    (setting,) = tables.latency_settings(store, tables.here())
    assert tables.noise_floor(tables.latency_table(store, setting)) == "10.0 %"


def test_the_citation_names_the_commits_of_the_rows(tmp_path, capsys):
    store = Store(tmp_path)
    assert command_line.main(["cite", "--results", str(tmp_path)]) == 0
    assert "there are no rows" in capsys.readouterr().out
    for module, commit in (("none", "abc"), ("se", "def"), ("eca", "abc"), ("sk", "abc")):
        made = row(replace(trial.COST, module=module), {}, "", seconds=1.0)
        store.append("cost", {**made, "commit": commit, "dirty": module == "sk"})
    assert command_line.main(["cite", "--results", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()[-3:]
    counted = ["abc, 2 rows", "abc with changes, 1 row", "def, 1 row"]
    assert lines == [f"# cost: {words}" for words in counted]
