"""What a kill, a power cut, a full disk or a second writer can take, and what it can't."""

import errno
import os
from pathlib import Path

import pandas as pd
import pytest
from rows import a_row, in_another_process

from benchmarks import store as store_module
from benchmarks.store import NOTE, Store, StoreError


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


def test_a_row_that_is_folded_while_a_table_is_read_is_in_it(store, monkeypatch):
    """Another process may be at the end of its run just then."""
    store.append("trouble", a_row(0))
    read = Store._read_csv

    def slowly(self, *arguments):
        found = read(self, *arguments)
        if self is store:
            Store(self.root).fold()
        return found

    monkeypatch.setattr(Store, "_read_csv", slowly)
    assert store.table("trouble")["seed"].tolist() == [0]
    assert not store._journal_path("trouble").exists()


def test_zeros_that_a_power_cut_leaves_in_the_journal_hide_no_row(store):
    store.append("trouble", a_row(0))
    with open(store._journal_path("trouble"), "ab") as file:
        file.write(b"\0" * 512)
    store.append("trouble", a_row(1))
    assert store.table("trouble")["seed"].tolist() == [0, 1]


def test_a_second_run_is_told_which_process_holds_the_folder(store):
    code = "w = store.writing(); w.__enter__(); print('held', flush=True); sys.stdin.read()"
    process = in_another_process(code, store.root)
    try:
        assert process.stdout.readline() == "held\n", process.stderr.read()
        told = rf"^process {process.pid} holds the folder: another run .*--results"
        with pytest.raises(StoreError, match=told), store.writing():
            pytest.fail("work began")
    finally:
        process.kill()
        process.communicate()
    with store.writing():  # a note of a run that was killed does not matter
        assert (store.root / NOTE).read_text() == str(os.getpid())
        store.append("trouble", a_row(0))
    assert not (store.root / NOTE).exists()
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
