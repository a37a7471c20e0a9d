"""The committed tables as plain data: what a reader may rely on without running anything."""

import hashlib
import json
import subprocess
import sys

import pandas as pd
import pytest

from benchmarks import runner
from benchmarks.cells import CELL_COLUMNS, ROOT, Cell, benchmarks
from benchmarks.schema import columns
from benchmarks.store import Store

STORE = Store(ROOT / "results")
NAMES = [name for name in benchmarks() if STORE.table_path(name).exists()]
EMPTY = {
    ("activations", "bend"),  # of a line there is none
    ("clock", "half_width"),  # the other ways of timing give no interval
    ("clock", "sample_ms"),
    ("clock", "builds_mean"),
    ("floors", "top1"),  # of scenes or of pixels
    ("floors", "pixel_accuracy"),
    ("floors", "miou"),
    ("overhead", "plan_s"),  # a row times a run or a store
    ("overhead", "run_s"),
    ("overhead", "append_s"),
    ("overhead", "read_s"),
}
"""Numbers that some measured rows of a table do not have."""

LATER = {"load_average"}
"""Numbers that the suite began to keep later: rows of older code may lack them."""

WORDS = {"ok", "failed", "diverged", "crashed", "timeout"}


def now(name, cell):
    """The fingerprint that the cell would have, None if its benchmark no longer knows it."""
    try:
        return runner.fingerprint(benchmarks()[name], cell)
    except (KeyError, ValueError):
        return None


def cell_of(row):
    """The cell of a row of a table."""
    values = {c.name: getattr(row, c.name) for c in CELL_COLUMNS}
    return Cell(**{name: v for name, v in values.items() if not pd.isna(v)})


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def rows(name):
    return STORE.table(name)


def test_a_table_has_rows_and_the_columns_that_are_described(name, rows):
    header = STORE.table_path(name).read_text().partition("\n")[0].split(",")
    described = [c.name for c in columns(benchmarks()[name])]
    assert header == [column for column in described if column in header]
    assert len(rows)
    if set(described) - set(header):  # the suite began to keep more after these rows
        current = {r.key for r in rows.itertuples() if r.fingerprint == now(name, cell_of(r))}
        assert not current


def test_a_cell_has_one_row_a_machine_and_its_key_is_its_hash(rows):
    assert not rows.duplicated(["key", "machine"]).any()
    fields = [c.name for c in CELL_COLUMNS]
    for row in rows[[*fields, "key"]].astype(object).to_dict("records"):
        key = row.pop("key")
        assert Cell(**{f: v for f, v in row.items() if not pd.isna(v)}).key == key


def test_a_row_is_measured_or_says_why_not(name, rows):
    assert set(rows["status"]) <= WORDS
    good, bad = rows[rows["status"] == "ok"], rows[rows["status"] != "ok"]
    numbers = [c.name for c in benchmarks()[name].columns if c.type == "number"]
    numbers = [number for number in numbers if (name, number) not in EMPTY]
    formula = good["backbone"] == "sawtooth"  # nothing trained: its pieces are whole numbers
    allowed = dict.fromkeys(numbers, formula)
    if name == "speed":  # a system without a C++ compiler times the other arms all the same
        without = good["compiled_reason"].fillna("") != ""
        allowed |= {number: without for number in numbers if number.startswith("compiled_")}
    lacking = [number for number in numbers if good.loc[~allowed[number], number].isna().any()]
    assert set(lacking) <= LATER
    older = good[good[lacking].isna().any(axis=1)] if lacking else good[:0]
    assert all(row.fingerprint != now(name, cell_of(row)) for row in older.itertuples())
    assert name == "depth" or not formula.any()
    assert (bad["reason"] != "").all()
    assert not rows["reason"].str.contains("/home/|/root/|/Users/").any()


def test_a_row_comes_from_a_commit(committed_tables, rows):
    assert rows["commit"].str.fullmatch("[0-9a-f]{40}").all()
    assert not rows["dirty"].any()


def test_a_row_comes_from_a_known_machine_with_known_versions(rows):
    for folder, column in (("machines", "machine"), ("environments", "environment")):
        for record in rows[column].unique():
            assert (STORE.root / folder / f"{record}.json").is_file()


def test_the_data_package_describes_the_files_that_are_there():
    package = json.loads((STORE.root / "datapackage.json").read_text())
    assert {r["path"] for r in package["resources"]} == {p.name for p in STORE.root.glob("*.csv")}
    for resource in package["resources"]:
        data = (STORE.root / resource["path"]).read_bytes()
        assert resource["bytes"] == len(data)
        assert resource["hash"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
        fields = resource["schema"]["fields"]
        assert all(field["description"] for field in fields)
        assert [field["name"] for field in fields] == data.decode().partition("\n")[0].split(",")


def test_trained_arms_are_paired(committed_tables):
    rows = STORE.table("accuracy")
    alike = ["data", "backbone", "recipe", "device", "precision", "layout"]
    for _, mine in rows.groupby(alike):
        bare = set(mine.loc[mine["module"] == "none", "seed"])
        for arm, seeds in mine.groupby(["module", "variant"])["seed"]:
            assert set(seeds) <= bare, arm


def test_the_readme_shows_these_tables(committed_tables):
    check = [sys.executable, "-m", "benchmarks.site", "--readme", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_latency_is_of_the_protocol_that_the_site_describes():
    """Rows of an earlier one, the minimum of each process, named no clock."""
    rows = STORE.table("latency")
    done = rows[rows["status"] == "ok"]
    assert len(done) and (done["clock"].fillna("") != "").all()
