"""README and claims hold what the tables hold, and it is noticed when they are older."""

import json
import re
from dataclasses import replace

import pytest
import trial

from benchmarks import compare
from benchmarks.site import charts, readme
from benchmarks.snapshot import Snapshot
from benchmarks.store import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Snapshot(trial.everything(tmp_path_factory.mktemp("trial")).root)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    marks = "".join(f"<!-- {n}:begin -->\n<!-- {n}:end -->\n" for n in ("table", "figure"))
    (tmp_path / "README.md").write_text(f"before\n{marks}after\n", encoding="utf-8")
    drawing = "<svg><!-- {0.digest} --></svg>"
    monkeypatch.setattr(charts.Figure, "svg", lambda self, scheme: drawing.format(self))
    return tmp_path


def top1_of(store, module):
    which = compare.main_first(store)[0]
    return compare.accuracy_table(store, which).set_index("arm")["top1"][module]


def test_the_readme_is_filled_and_its_age_is_checked(store, checkout, capsys):
    assert readme.update(store, checkout, check=True) == 1
    assert "README.md is stale" in capsys.readouterr().err
    assert readme.update(store, checkout, check=False) == 0
    text = (checkout / "README.md").read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("after\n")
    (se,) = (line for line in text.splitlines() if line.startswith("| `se` |"))
    top1, *rest = se.strip("| ").split(" | ")[1:5]
    assert rest == ["+1.00 [+1.00, +1.00]", "higher", "10"]
    assert float(top1) == pytest.approx(top1_of(store, "se"), abs=0.005)
    assert re.search(r"\*\*Timed\.\*\* [^,]+, cpu, 1 thread, ", text), (
        "with the name of the processor"
    )
    assert "is adjusted for all modules" in text
    assert "9 (without a value: 1)" in text and "not measured" in text
    assert readme.update(store, checkout, check=True) == 0


def test_a_new_row_makes_the_readme_stale(checkout, tmp_path):
    results = Store(tmp_path / "results")
    trial.accuracy(results)
    readme.update(results, checkout, check=False)
    trial.append(results, replace(trial.ACCURACY, module="danet", seed=0), trial.outcome(91.0))
    assert readme.update(results, checkout, check=True) == 1


def test_claims_are_written_beside_the_rows_and_their_age_is_checked(checkout, tmp_path, capsys):
    results = Store(tmp_path / "results")
    trial.accuracy(results)
    readme.update(results, checkout, check=False)
    kept = results.root / "claims.csv"
    package = json.loads((results.root / "datapackage.json").read_text())
    assert "claims.csv" in [resource["path"] for resource in package["resources"]]
    kept.write_text(kept.read_text().replace("not measured", "holds"))
    assert readme.update(results, checkout, check=True) == 1
    assert "claims.csv is stale" in capsys.readouterr().err
    assert "holds" in kept.read_text()


def test_a_readme_without_marks_is_named(checkout, store):
    (checkout / "README.md").write_text("nothing\n", encoding="utf-8")
    with pytest.raises(ValueError, match="lacks the marks <!-- table:begin -->"):
        readme.update(store, checkout, check=False)
