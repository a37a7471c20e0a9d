"""No measured row is lost or half written, whatever is killed, full or damaged."""

import errno
import hashlib
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from trouble import TROUBLE, Trouble, cell

from benchmarks import store as store_module
from benchmarks.cells import CELL_COLUMNS, ROOT, Cell
from benchmarks.schema import ROW_COLUMNS, columns
from benchmarks.store import Store, StoreError, row

HERE = Path(__file__).parent


def a_row(seed=0, recipe="ok", values=None, **outcome):
    values = {"third": seed / 3} if values is None else values
    return row(cell(recipe, seed), values, "f" * 12, seconds=0.5, **outcome)


def in_another_process(code, *arguments):
    """Run code that may use `store` (of the first argument) and `a_row`."""
    start = (
        "import os, signal, sys; from benchmarks import cells; from trouble import TROUBLE; "
        "cells.FILES = (); cells._BENCHMARKS['trouble'] = TROUBLE; "
        "from test_store import a_row, Store; store = Store(sys.argv[1]); "
    )
    return subprocess.Popen(
        [sys.executable, "-c", start + code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}"},
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def everything(folder):
    """Every file below the folder with its content."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_row_survives_a_kill_between_append_and_fold(store):
    code = "store.append('trouble', a_row(3)); os.kill(os.getpid(), signal.SIGKILL)"
    process = in_another_process(code, store.root)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -9, errors
    assert store.table("trouble")["third"].tolist() == [1.0]
    with store.writing():
        pass
    assert store.table_path("trouble").exists()
    assert Store(store.root).table("trouble")["third"].tolist() == [1.0]


def test_a_row_too_cheap_to_be_synced_by_itself_survives_a_kill_too(store):
    code = (
        "[store.append('trouble', {**a_row(n), 'seconds': 0.0}) for n in range(9)]; "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = in_another_process(code, store.root)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -9, errors
    assert store.table("trouble")["seed"].tolist() == list(range(9))


@pytest.mark.parametrize(
    ("seconds", "pause", "synced"),
    [
        ([0.0, 0.0, 0.0], 0.0, [1, 1, 1]),  # the first row always is
        ([0.0, 0.2, 9.0], 0.0, [1, 2, 3]),
        ([0.0, 0.1, 0.1, 0.1, 0.1], 0.0, [1, 1, 2, 2, 3]),  # 0.2 s of measuring are at risk
        ([0.0, 0.0, 0.0], 0.2, [1, 2, 3]),
        ([0.0, None, None], 0.0, [1, 2, 3]),
    ],
)
def test_a_power_cut_can_take_no_more_than_a_fifth_of_a_second(
    store, monkeypatch, seconds, pause, synced
):
    calls, clock = [], [100.0]
    store._records()
    monkeypatch.setattr(os, "fsync", calls.append)
    monkeypatch.setattr(store_module.time, "monotonic", lambda: clock[0])
    counts = []
    for seed, took in enumerate(seconds):
        store.append("trouble", {**a_row(seed), "seconds": took})
        counts.append(len(calls))
        clock[0] += pause
    assert counts == synced


def test_a_line_cut_anywhere_loses_only_itself(store):
    for seed in range(3):
        store.append("trouble", a_row(seed))
    journal = store._journal_path("trouble")
    first_two, last = journal.read_bytes().rsplit(b"\n", 2)[:2]
    for length in (*range(0, len(last), 40), len(last) - 1):
        journal.write_bytes(first_two + b"\n" + last[:length])
        assert store.table("trouble")["seed"].tolist() == [0, 1]
        store.append("trouble", a_row(7))
        store.append("trouble", a_row(8))
        assert store.table("trouble")["seed"].tolist() == [0, 1, 7, 8]
    journal.write_bytes(first_two + b"\n" + last)
    assert store.table("trouble")["seed"].tolist() == [0, 1, 2]
    store.append("trouble", a_row(7))
    assert store.table("trouble")["seed"].tolist() == [0, 1, 2, 7]


def test_a_journal_of_another_version_is_named_and_kept(store, monkeypatch):
    store.append("trouble", a_row(0, values={"word": "much"}))
    changed = [replace(column, type="number") for column in Trouble.columns]
    monkeypatch.setattr(Trouble, "columns", tuple(changed))
    with pytest.raises(StoreError, match=r"trouble\.jsonl holds .*column word: .*'much'"):
        store.fold()
    assert store._journal_path("trouble").exists()


def test_zeros_that_a_power_cut_leaves_in_the_journal_hide_no_row(store):
    store.append("trouble", a_row(0))
    with open(store._journal_path("trouble"), "ab") as file:
        file.write(b"\0" * 512)
    store.append("trouble", a_row(1))
    assert store.table("trouble")["seed"].tolist() == [0, 1]


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
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_table_is_named_and_left_alone(store, damage):
    store.append("trouble", a_row(0))
    store.fold()
    path = store.table_path("trouble")
    broken = DAMAGE[damage](path.read_text()).encode("utf-8", "surrogateescape")
    path.write_bytes(broken)
    with pytest.raises(StoreError) as caught:
        store.table("trouble")
    assert str(path) in str(caught.value)
    assert "git checkout" in str(caught.value)
    store.append("trouble", a_row(1))
    with pytest.raises(StoreError), store.writing():
        pytest.fail("work began")
    assert path.read_bytes() == broken
    assert store._journal_path("trouble").exists()


def test_a_second_writer_is_refused_with_advice(store):
    code = "w = store.writing(); w.__enter__(); print('held', flush=True); sys.stdin.read()"
    process = in_another_process(code, store.root)
    try:
        assert process.stdout.readline() == "held\n", process.stderr.read()
        with pytest.raises(StoreError, match=r"another run .*--results"), store.writing():
            pytest.fail("work began")
    finally:
        process.kill()
        process.communicate()
    with store.writing():
        store.append("trouble", a_row(0))
    assert len(store.table("trouble")) == 1


@pytest.mark.parametrize("place", ["below a file", "a file", "read-only"])
def test_a_folder_that_cannot_be_written_is_refused_before_work(tmp_path, trouble, place):
    file = tmp_path / "file"
    file.write_text("")
    root = {"below a file": file / "results", "a file": file, "read-only": Path("/proc/results")}
    if place == "read-only" and not Path("/proc").is_dir():
        pytest.skip("needs a folder that nobody can write to")
    with (
        pytest.raises(StoreError, match=r"can't write .*--results"),
        Store(root[place]).writing(),
    ):
        pytest.fail("work began")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_reported_and_what_was_written_stays(store, monkeypatch):
    store.append("trouble", a_row(0))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full_disk)
        with pytest.raises(StoreError, match="disk is full.*rows finished so far are kept"):
            store.append("trouble", a_row(1))
        with pytest.raises(StoreError, match="disk is full"):
            store.fold()
    assert not list(store.root.glob("**/*.tmp"))
    assert store.table("trouble")["seed"].tolist()[0] == 0
    store.append("trouble", a_row(2))
    store.fold()
    assert {0, 2} <= set(store.table("trouble")["seed"])


def test_a_full_disk_before_work_is_reported(store, monkeypatch):
    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(StoreError, match="disk is full"), store.writing():
        pytest.fail("work began")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_device_without_space_is_a_full_disk(store):
    journal = store._journal_path("trouble")
    journal.parent.mkdir(parents=True)
    journal.symlink_to("/dev/full")
    with pytest.raises(StoreError, match="disk is full"):
        store.append("trouble", a_row(0))


def test_rows_are_kept_when_the_work_stops_in_the_middle(store):
    with pytest.raises(KeyboardInterrupt), store.writing():
        store.append("trouble", a_row(0))
        raise KeyboardInterrupt
    assert pd.read_csv(store.table_path("trouble"))["seed"].tolist() == [0]
    assert not store._journal_path("trouble").exists()


def test_a_row_carries_the_cell_and_its_key(store):
    measured = Cell("trouble", "resnet18", "se", "reduction=8", seed=3, threads=2)
    store.append("trouble", row(measured, {}, "abc", seconds=1.0))
    store.fold()
    found = store.table("trouble").iloc[0]
    for column in CELL_COLUMNS:
        value = getattr(measured, column.name)
        assert pd.isna(found[column.name]) if value is None else found[column.name] == value
    assert found["key"] == measured.key
