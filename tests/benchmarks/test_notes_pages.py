"""The pages about the notes show what rows say: values, intervals, runs that failed, gaps."""

import base64
import re
import zlib
from dataclasses import replace

import pytest
import trial
from rendered import row_of

from benchmarks.cells import ROOT, Cell
from benchmarks.claims import FAILS, HOLDS, NEVER, NOT_YET, Checked
from benchmarks.notes.claimed import Claim, claims
from benchmarks.site import notes, notes_attention, notes_figures, notes_trained
from benchmarks.spiral import EXTENT, GRID, NOTES_SEED
from benchmarks.store import Store, row

SPIRAL = Cell("spiral", "mlp", "none", "relu", "spiral 4", "sgd lr=1", threads=1)


def packed(digits):
    return base64.b64encode(zlib.compress(digits.encode())).decode()


HALVES = packed(("1" * (GRID // 2) + "3" * (GRID // 2)) * GRID)


@pytest.fixture
def store(tmp_path):
    """ReLU 0.5, 0.6 and a run that diverged; the pair at the notes' seed and at another."""
    made = Store(tmp_path)
    more = {"fresh_accuracy": 0.4, "loss": 1.0, "grid": HALVES, "points": "10 -20 2;0 0 1;5 5 0"}
    for seed, accuracy in enumerate((0.5, 0.6)):
        trial.append(made, replace(SPIRAL, seed=seed), {"accuracy": accuracy, **more})
    trial.append(made, replace(SPIRAL, seed=2), None, status="diverged", reason="too far")
    for variant, accuracy in (("none", 0.507), ("relu", 0.944)):
        cell = replace(SPIRAL, recipe="notebook", variant=variant)
        trial.append(made, replace(cell, seed=NOTES_SEED), {"accuracy": accuracy, **more})
        trial.append(made, replace(cell, seed=0), {"accuracy": accuracy - 0.1, **more})
    return made


def test_a_table_of_spirals_shows_means_intervals_and_what_diverged(store):
    text = notes_trained.spiral(store)
    assert text.count("<table") == 1 and "Spirals of 4 classes" in text
    assert "SGD 1" in text and "Adam" not in text
    assert ">0.550<" in text and "[−0.085, 1.185]" in text and "without a value: 1 diverged" in text


def test_an_interval_beyond_what_can_be_says_so_and_why(store, tmp_path):
    text = notes_trained.spiral(store)
    assert "[−0.085, 1.185]" in text and ">off the scale; without a value: 1 diverged<" in text
    assert "knows no bounds" in text
    made = Store(tmp_path / "narrow")
    for seed, accuracy in enumerate((0.5, 0.51)):
        trial.append(made, replace(SPIRAL, seed=seed), {"accuracy": accuracy})
    text = notes_trained.spiral(made)
    assert "[0.441, 0.569]" in text and "off the scale" not in text and "bounds" not in text


def test_the_pair_is_shown_at_the_notes_seed_and_over_the_others(store):
    text = notes_trained.pair(store)
    assert ">0.507<" in text and ">0.944<" in text
    assert ">0.457<" in text and ">0.844<" in text and ">0.400<" in text


def test_boundaries_are_drawn_as_runs_of_one_answer(store):
    figure = notes_figures.boundaries(store)
    areas = [v for v in figure.values if "x2" in v]
    points = [v for v in figure.values if "x2" not in v]
    assert len(areas) == 2 * GRID
    assert {(v["class"], v["x"], v["x2"]) for v in areas} == {("1", -EXTENT, 0), ("3", 0, EXTENT)}
    assert min(v["y"] for v in areas) == -EXTENT and max(v["y2"] for v in areas) == EXTENT
    assert [(v["class"], v["x"], v["y"]) for v in points] == [
        ("2", 0.1, -0.2),
        ("1", 0.0, 0.0),
        ("0", 0.05, 0.05),
    ]
    assert "ReLU, SGD 1: 0.500" in figure.alt


def test_the_figure_of_accuracies_has_the_range_over_the_seeds(store):
    (value,) = notes_figures.spiral(store).values
    assert (value["mean"], value["low"], value["high"]) == (0.55, 0.5, 0.6)


def test_an_example_is_shown_as_code_with_its_output(tmp_path):
    made = Store(tmp_path)
    cell = Cell("tensors", "", recipe="size")
    trial.append(made, cell, {"code": "print(1)", "output": "1"})
    assert notes.tensor(made, "size") == "```python\nprint(1)\n```\n\n```text\n1\n```\n"
    assert "not measured" in notes.tensor(made, "cat")


def property_row(store, recipe, module, data, value, seed=None, **kept):
    cell = Cell("properties", "", module, data=data, recipe=recipe, seed=seed)
    trial.append(store, cell, {"value": value, "what": f"what of {recipe}"}, **kept)


def test_a_shuffle_is_a_column_and_a_module_a_line(tmp_path):
    made = Store(tmp_path)
    for seed, change in enumerate((0.25, 0.5)):
        for data in ("channels", "columns", "pixels"):
            property_row(made, "gate changes", "se", data, change, seed)
    property_row(made, "gate changes", "coord", "pixels", 0.125, 0)
    gates, outputs = notes_attention.fragments(made)["properties-sees"].split("</table>")
    assert re.findall(r'<th scope="col"[^>]*>(\w+)<', gates) == [
        *("Module", "Pixels", "Columns", "Channels")
    ]
    assert row_of(gates, "se").count(">0.5<") == row_of(gates, "se").count(">least 0.25<") == 3
    coord = row_of(gates, "coord")
    assert ">0.12<" in coord and "least" not in coord and coord.count("not measured") == 2
    assert "what of gate changes; of 1 to 2 seeds" in gates
    assert "What the output follows: not measured" in outputs


def test_kernel_sizes_are_a_line_a_width_by_both_rules(tmp_path):
    made = Store(tmp_path)
    for width, one, other in ((1024, 5, 512.5), (64, 3, 32.5)):
        property_row(made, "kernel size", "eca", f"C={width}", one)
        property_row(made, "kernel size, linear", "eca", f"C={width}", other)
    text = notes_attention.fragments(made)["properties-sizes"]
    assert re.findall(r'<th scope="row"[^>]*>(\d+)<', text) == ["64", "1024"]
    assert ">3<" in row_of(text, "64") and ">32.5<" in row_of(text, "64")
    assert "Sizes: not measured" in text


def test_a_property_that_only_one_machine_has_is_shown(tmp_path):
    made = Store(tmp_path)
    for module in ("se", "eca", "coord"):
        property_row(made, "parameters", module, "", 3.0)
    property_row(made, "branch", "sk", "5x5", 1600.0, machine="elsewhere")
    assert ">1600<" in row_of(notes_attention.fragments(made)["properties-sizes"], "sk")


def test_properties_and_trained_tables_show_their_rows(tmp_path):
    made = Store(tmp_path)
    about = {"what": "rank of it"}
    for seed, rank in enumerate((3.0, 4.0)):
        cell = Cell("properties", "", "se", recipe="rank", seed=seed)
        trial.append(made, cell, {"value": rank, **about})
    trial.append(made, Cell("softmax", "", recipe="small gap"), {"value": 0.525, "what": "a gap"})
    deep = Cell("activations", "mlp", "none", "square", "spiral 4", "1 hidden layer", 0)
    numbers = {"accuracy": 0.7, "fresh_accuracy": 0.65, "off_affine": 0.3, "bend": 0.25}
    trial.append(made, deep, {**numbers, "degree": 2})
    trial.append(made, replace(deep, variant="relu"), {**numbers, "bend": None, "degree": 9})
    cool = Cell("calibration", "lenet", "none", "softmax", "fashion-mnist", "2 epochs", 0)
    values = {"accuracy": 88.0, "confidence": 93.0, "ece": 5.0}
    trial.append(made, cool, {**values, "temperature": 1.6, "ece_cooled": 1.0})
    found = notes.fragments(made)
    links = notes_attention.fragments(made)["properties-links"]
    assert ">4<" in links and ">3<" in links
    assert "no chance in it" in found["softmax"] and ">0.525<" in found["softmax"]
    text = notes_trained.activations(made)
    assert (
        text.count("overflows") == 1
        and "above 8" in text
        and "square, 1 hidden layer" in text
        and ">0.650<" in text
    )
    assert ">93.00<" in notes_trained.calibration(made)
    assert len(notes_figures.calibration(made).values) == 2
    assert len(notes_figures.activations(made).values) == 2


def test_names_of_a_legend_keep_their_distance(store):
    """A reader's font may be a third wider than the one that the legend was set for."""
    spec = notes_figures.spiral(store).spec("light")
    legends = [
        channel["legend"]
        for layer in spec["layer"]
        for channel in layer["encoding"].values()
        if channel.get("legend")
    ]
    assert legends and all(legend["columnPadding"] >= 40 for legend in legends)
    assert spec["config"]["legend"]["layout"]["top"]["direction"] == "vertical"


def test_without_rows_the_facts_say_not_measured(tmp_path):
    found = notes.facts(Store(tmp_path))
    assert found["claim.spiral-pair"] == found["notes.spiral.time"] == "not measured"


def test_the_time_of_an_experiment_is_that_of_all_its_cells_on_whatever_machine(tmp_path):
    """Of a cell that two machines have it is the newest's."""
    made = Store(tmp_path)
    for seed, machine, seconds in ((0, "a", 50.0), (0, "b", 20.0), (1, "b", 30.0)):
        done = row(Cell("spiral", "mlp", seed=seed), {}, "f" * 12, seconds=seconds)
        made.append("spiral", {**done, "machine": machine, "measured_at": f"2026-01-0{seed + 1}"})
    assert notes.facts(made)["notes.spiral.time"] == "50 s of one core for 2 rows"


CLAIM = Claim("x", "y", "r*k", "k of it", "wrong", "So.", "spiral", "1", "it is {1}", "")


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (HOLDS, "*Measured:* it is 1."),
        (FAILS, "**The tables no longer support this verdict:** it is 1."),
        (NOT_YET, "Not measured yet."),
    ],
)
def test_a_claim_is_quoted_with_its_verdict_and_what_the_tables_say(status, shown):
    text = notes.quoted(Checked(CLAIM, status, "it is 1"))
    quote = '> r\\*k\n> {: lang="zh" }\n>\n> *(k of it)*\n\n'
    assert text.startswith(f"{quote}**Wrong.** So. ") and shown in text


def test_a_minus_of_the_evidence_is_a_minus_on_the_page():
    text = notes.quoted(Checked(CLAIM, HOLDS, "it is -1.5 [-2, -.5], 2.2e-16 in resnet-50"))
    assert "it is −1.5 [−2, −.5], 2.2e−16 in resnet-50" in text


def test_a_claim_without_words_or_without_a_table_says_so():
    silent = replace(CLAIM, quote="", condition="", evidence="", unmeasured="It is history.")
    text = notes.quoted(Checked(silent, NEVER, "It is history."))
    assert "not in the notes: k of it" in text
    assert text.rstrip().endswith("*No table decides it.* It is history.")
    printed = notes.quoted(Checked(replace(CLAIM, experiment="reported"), HOLDS, "1 %"))
    assert "*Printed:* 1 %." in printed


def test_claims_without_words_of_the_notes_are_counted_apart(monkeypatch, tmp_path):
    silent = replace(CLAIM, quote="", verdict="right")
    found = [Checked(one, NOT_YET, "") for one in (CLAIM, CLAIM, silent)]
    monkeypatch.setattr(notes.claims, "checked", lambda store: found)
    made = notes.facts(Store(tmp_path))
    assert (made["claims.total"], made["claims.quoted"], made["claims.implied"]) == ("3", "2", "1")
    assert (made["claims.quoted.wrong"], made["claims.quoted.right"]) == ("2", "0")
    assert (made["claims.implied.wrong"], made["claims.implied.right"]) == ("0", "1")
    assert "3 claims, 1 of them without words of the notes" in notes._claims(found)
    assert "of them" not in notes._claims(found[:2])


def test_every_claim_is_on_the_page_that_it_names():
    for claim in claims():
        page = ROOT / "docs" / "notes" / f"{claim.page}.md"
        shown = {f'table("claim-{claim.id}")', f'r("claim.{claim.id}")'}
        assert any(words in page.read_text(encoding="utf-8") for words in shown), claim.id
