"""What is written is what is read: values, order, descriptions, and damage is named."""

import hashlib
import json
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rows import a_row
from trouble import TROUBLE, Trouble

from benchmarks import reproduced
from benchmarks import store as store_file
from benchmarks.cells import CELL_COLUMNS, Cell
from benchmarks.schema import ROW_COLUMNS, columns
from benchmarks.store import Store, StoreError, read_record, row


def everything(folder):
    """Every file below the folder with its content."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_journal_of_another_version_is_named_and_kept(store, monkeypatch):
    store.append("trouble", a_row(0, values={"word": "much"}))
    changed = [replace(column, type="number") for column in Trouble.columns]
    monkeypatch.setattr(Trouble, "columns", tuple(changed))
    with pytest.raises(StoreError, match=r"trouble\.jsonl holds .*column word: .*'much'"):
        store.fold()
    assert store._journal_path("trouble").exists()


@pytest.mark.parametrize("where", ["trouble.csv", "trouble.jsonl"])
def test_a_column_that_this_version_lacks_is_not_thrown_away(store, monkeypatch, where):
    store.append("trouble", a_row(0, values={"word": "much"}))
    if where == "trouble.csv":
        store.fold()
    fewer = tuple(column for column in Trouble.columns if column.name != "word")
    monkeypatch.setattr(Trouble, "columns", fewer)
    before = everything(store.root)
    words = "columns of another version of the suite: word"
    with pytest.raises(StoreError, match=f"(?s){where}.*{words}"):
        store.fold() if where == "trouble.jsonl" else store.table("trouble")
    assert everything(store.root) == before


def test_an_empty_column_that_this_version_lacks_is_no_obstacle(store, monkeypatch):
    store.append("trouble", a_row(0, values={"third": 0.5}))
    store.fold()
    fewer = tuple(column for column in Trouble.columns if column.name != "word")
    monkeypatch.setattr(Trouble, "columns", fewer)
    assert store.table("trouble")["third"].tolist() == [0.5]


def test_folding_twice_changes_nothing(store):
    store.append("trouble", a_row(1))
    assert {path.name for path in store.fold()} == {"trouble.csv", "datapackage.json"}
    before = everything(store.root)
    assert store.fold() == []
    assert everything(store.root) == before


@pytest.mark.parametrize("step", ["replace", "unlink"])
def test_a_fold_that_is_killed_is_repeated_without_loss(store, monkeypatch, step):
    store.append("trouble", a_row(0))
    store.fold()
    store.append("trouble", a_row(1))
    old = store.table_path("trouble").read_bytes()

    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(*((os, "replace", die) if step == "replace" else (Path, "unlink", die)))
        with pytest.raises(KeyboardInterrupt):
            store.fold()
    if step == "replace":
        assert store.table_path("trouble").read_bytes() == old
    assert store.table("trouble")["seed"].tolist() == [0, 1]
    store.fold()
    assert not store._journal_path("trouble").exists()
    assert store.table("trouble")["seed"].tolist() == [0, 1]
    check_datapackage(store)


def test_a_fold_killed_before_it_described_the_tables_describes_them_next_time(store):
    store.append("trouble", a_row(0))
    store.fold()
    (store.root / "datapackage.json").unlink()
    with store.writing():
        pass
    check_datapackage(store)


def test_the_last_row_of_a_cell_and_machine_stays_and_machines_are_kept_apart(store, other_machine):
    store.append("trouble", a_row(1, values={"third": 0.1}))
    store.append("trouble", a_row(1, values={"third": 0.2}))
    store.fold()
    store.append("trouble", a_row(1, values={"third": 0.3}))
    assert store.table("trouble")["third"].tolist() == [0.3]
    store.fold()
    assert store.table("trouble")["third"].tolist() == [0.3]
    other_machine()
    store.append("trouble", a_row(1, values={"third": 0.4}))
    store.fold()
    table = store.table("trouble")
    assert sorted(table["third"]) == [0.3, 0.4]
    assert not table.duplicated(["key", "machine"]).any()
    assert {path.stem for path in (store.root / "machines").iterdir()} == set(table["machine"])


def test_rows_lie_sorted_whatever_their_order_of_arrival(store, tmp_path):
    other = Store(tmp_path / "other")
    stamp = {"measured_at": "2026-01-01T00:00:00Z"}
    for seed in (0, 1, 2, 10):
        store.append("trouble", {**a_row(seed), **stamp})
    for seed in (10, 2, 0, 1):
        other.append("trouble", {**a_row(seed), **stamp})
    store.fold()
    other.fold()
    assert store.table("trouble")["seed"].tolist() == [0, 1, 2, 10]
    assert everything(store.root) == everything(other.root)


NUMBERS = [0.1, 1 / 3, 1e22, 5e-324, 1.7976931348623157e308, -0.0, 2.0, math.pi * 1e-7, math.inf]
WORDS = [
    "",
    "a,b",
    'say "no"',
    "two\nlines",
    " spaces ",
    "NA",
    "nan",
    "None",
    "é ± µ",
    "-1",
    "'",
    "#",
]


@pytest.mark.parametrize("folded", [False, True])
def test_values_come_back_as_they_were(store, folded):
    for seed, value in enumerate(NUMBERS):
        store.append("trouble", a_row(seed, values={"third": value, "count": 2**62 + 1 + seed}))
    for seed, word in enumerate(WORDS, len(NUMBERS)):
        store.append("trouble", a_row(seed, values={"word": word, "even": seed % 2 == 0}))
    if folded:
        store.fold()
    table = store.table("trouble")
    with_number, with_word = table[: len(NUMBERS)], table[len(NUMBERS) :]
    assert [repr(v) for v in with_number["third"]] == [repr(v) for v in NUMBERS]
    assert with_number["count"].tolist() == [2**62 + 1 + i for i in range(len(NUMBERS))]
    assert with_word["word"].tolist() == WORDS
    assert with_word["even"].tolist() == [seed % 2 == 0 for seed in with_word["seed"]]
    assert with_number["even"].isna().all()
    assert with_word["third"].isna().all()
    assert with_word["count"].isna().all()
    kinds = {"string": "string", "integer": "Int64", "number": "float64", "boolean": "boolean"}
    for column in columns(TROUBLE):
        assert table[column.name].dtype == kinds[column.type], column.name


def test_numpy_values_are_plain_values(store):
    values = {"third": np.float64(0.1), "count": np.int64(7), "even": np.bool_(True)}
    store.append("trouble", a_row(values=values))
    store.fold()
    found = store.table("trouble").iloc[0]
    assert (found["third"], found["count"], found["even"]) == (0.1, 7, True)


@pytest.mark.parametrize(
    ("reason", "stored"),
    [
        ("carriage\rreturn", "carriage\nreturn"),
        ("windows\r\nline", "windows\nline"),
        ("a name that is no text: \udcff", "a name that is no text: \\udcff"),
        ("zero \0 byte", "zero  byte"),
        ('commas, "quotes", \n\n new lines', 'commas, "quotes", \n\n new lines'),
    ],
)
def test_any_reason_can_be_stored(store, reason, stored):
    store.append("trouble", a_row(0, status="failed", reason=reason))
    store.append("trouble", a_row(1))
    store.fold()
    table = Store(store.root).table("trouble")
    assert table["reason"].tolist() == [stored, ""]
    assert table["status"].tolist() == ["failed", "ok"]


@pytest.mark.parametrize(
    "values", [{"count": 1.5}, {"third": "much"}, {"even": 2}, {"word": 3}, {"word": ["a"]}]
)
def test_a_value_of_the_wrong_type_is_refused_before_it_is_written(store, values):
    store.append("trouble", a_row(0))
    with pytest.raises(ValueError, match=next(iter(values)) + "|plain values"):
        store.append("trouble", a_row(1, values=values))
    assert store.table("trouble")["seed"].tolist() == [0]


def test_an_empty_store_has_typed_tables_without_rows(store):
    table = store.table("trouble")
    assert len(table) == 0
    assert [*table.columns[: len(CELL_COLUMNS)]] == [c.name for c in CELL_COLUMNS]
    assert [*table.columns[-len(ROW_COLUMNS) :]] == [c.name for c in ROW_COLUMNS]
    assert not store.root.exists()


def check_datapackage(store):
    package = json.loads((store.root / "datapackage.json").read_text())
    (resource,) = package["resources"]
    data = (store.root / resource["path"]).read_bytes()
    assert resource["bytes"] == len(data)
    assert resource["hash"] == "sha256:" + hashlib.sha256(data).hexdigest()
    fields = resource["schema"]["fields"]
    header = data.decode().partition("\n")[0].split(",")
    assert [field["name"] for field in fields] == header
    for field in fields:
        assert field["description"].strip()
        assert field["type"] in {"string", "integer", "number", "boolean"}
    assert set(resource["schema"]["primaryKey"]) <= set(header)
    return package


def test_the_datapackage_describes_the_files(store):
    for seed in range(3):
        store.append("trouble", a_row(seed))
    store.fold()
    package = check_datapackage(store)
    assert package["name"].islower()
    assert package["licenses"][0]["name"]
    seconds = [f for f in package["resources"][0]["schema"]["fields"] if f["name"] == "seconds"]
    assert seconds[0]["unit"] == "s"


@pytest.mark.parametrize("kind", ["machines", "environments"])
def test_every_row_names_a_record_even_when_the_run_is_killed(store, kind):
    store.append("trouble", a_row(0))
    name = store.table("trouble")[kind.rstrip("s")][0]
    record = json.loads((store.root / kind / f"{name}.json").read_text())
    canonical = json.dumps(record, sort_keys=True).encode()
    assert hashlib.sha256(canonical).hexdigest()[:12] == name


DAMAGE = {
    "cut in a row": lambda text: text[: text.rfind(",ok,") + 2],
    "a merge conflict": lambda text: text.replace("\n", "\n<<<<<<< HEAD\n", 1),
    "not text": lambda text: "\udcff\udcfe" + text,
    "empty": lambda text: "",
    "another header": lambda text: text.replace("key", "kex", 1),
    "a word for a number": lambda text: text.replace(",0.5,", ",half,", 1),
    "too many fields": lambda text: text + "a," * 60 + "\n",
    "two fields too many": lambda text: text.rstrip("\n") + ",a,b\n",
    "no column of the cell": lambda text: text.replace("backbone", "backbones", 1),
    "a row twice": lambda text: text + text.splitlines()[1] + "\n",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_table_is_named_and_left_alone(store, damage, monkeypatch):
    store.append("trouble", a_row(0))
    store.fold()
    path = store.table_path("trouble")
    broken = DAMAGE[damage](path.read_text()).encode("utf-8", "surrogateescape")
    path.write_bytes(broken)
    with pytest.raises(StoreError) as caught:
        store.table("trouble")
    assert str(path) in str(caught.value)
    assert "git checkout" not in str(caught.value), "it lies in no clone"
    monkeypatch.setattr(store_file, "ROOT", store.root)
    with pytest.raises(StoreError, match=f"`git checkout -- {path}`"):
        store.table("trouble")
    store.append("trouble", a_row(1))
    began = False
    with pytest.raises(StoreError), store.writing():
        began = True
    assert not began, "before the work, not after it"
    assert path.read_bytes() == broken
    assert store._journal_path("trouble").exists()


def test_the_line_of_a_merge_conflict_is_named(store):
    store.append("trouble", a_row(0))
    store.fold()
    path = store.table_path("trouble")
    path.write_text(path.read_text() + "=======\n")
    with pytest.raises(StoreError, match="line 3 is a mark of a merge conflict: ======="):
        store.table("trouble")


@pytest.mark.parametrize("line", ["{}", '{"key": null}', "42", "null", "[1, 2]"])
def test_a_line_of_the_journal_that_is_no_row_keeps_the_journal(store, line):
    store.append("trouble", a_row(0))
    journal = store._journal_path("trouble")
    kept = journal.read_text() + line + "\n"
    journal.write_text(kept)
    with pytest.raises(StoreError, match=r"line 2 of .*trouble\.jsonl is no row"):
        store.fold()
    assert journal.read_text() == kept and not store.table_path("trouble").exists()


def test_a_folder_may_be_named_from_the_users_own(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Store("~/rows").root == tmp_path / "rows"


@pytest.mark.parametrize("key", ["d4d64a19", "1.2e+46", "D4D64A19984C"])
def test_a_key_that_was_cut_or_edited_is_named(store, key):
    store.append("trouble", a_row(0))
    store.fold()
    path = store.table_path("trouble")
    path.write_text(path.read_text().replace(a_row(0)["key"], key))
    with pytest.raises(StoreError, match="the key of row 1 is none"):
        store.table("trouble")


@pytest.mark.parametrize("text", ["<<<<<<< HEAD", "{", "[]"])
def test_a_record_that_cannot_be_read_is_named(tmp_path, text):
    path = tmp_path / "record.json"
    assert read_record(path) == {}
    path.write_text(text)
    with pytest.raises(StoreError, match=r"record\.json (is no JSON|holds no JSON object)"):
        read_record(path)
    path.write_text('{"cores": 2}')
    assert read_record(path) == {"cores": 2}


def test_a_damaged_list_of_equal_code_is_named(store):
    path = store.root / reproduced.FILE
    path.parent.mkdir()
    names = [column.name for column in reproduced.COLUMNS]
    path.write_text(f"{','.join(names)}\n<<<<<<< HEAD\n")
    with pytest.raises(StoreError, match="line 2 is a mark of a merge conflict"):
        store.codes("trouble")
    path.write_text(f"{','.join(names)}\nx{',' * (len(names) - 1)}\n")
    with pytest.raises(StoreError, match="row 1 lacks one of its codes"):
        store.codes("trouble")


def test_a_table_that_is_a_link_stays_one(store, tmp_path):
    elsewhere = tmp_path / "elsewhere.csv"
    store.append("trouble", a_row(0))
    store.fold()
    store.table_path("trouble").rename(elsewhere)
    store.table_path("trouble").symlink_to(elsewhere)
    store.append("trouble", a_row(1))
    store.fold()
    assert store.table_path("trouble").is_symlink()
    assert len(elsewhere.read_text().splitlines()) == 3


@pytest.mark.parametrize("name", [".journal", "machines"])
def test_a_file_in_place_of_a_folder_is_told_before_any_work(store, name):
    store.root.mkdir(exist_ok=True)
    (store.root / name).write_text("")
    with pytest.raises(StoreError, match=f"{name} is a file and no folder"), store.writing():
        pytest.fail("work began")


def test_a_row_carries_the_cell_and_its_key(store):
    measured = Cell("trouble", "resnet18", "se", "reduction=8", seed=3, threads=2)
    store.append("trouble", row(measured, {}, "abc", seconds=1.0))
    store.fold()
    found = store.table("trouble").iloc[0]
    for column in CELL_COLUMNS:
        value = getattr(measured, column.name)
        assert pd.isna(found[column.name]) if value is None else found[column.name] == value
    assert found["key"] == measured.key
