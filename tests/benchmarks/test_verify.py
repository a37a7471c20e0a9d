"""A spot-check changes nothing; a stale row whose values are equal speaks for other seeds."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from trouble import Trouble, cell

from benchmarks import __main__ as command_line
from benchmarks import reproduced, runner, schema, tables, verify
from benchmarks.cells import Selection
from benchmarks.snapshot import Snapshot
from benchmarks.store import StoreError, row

WANT = Selection()
HERE = tables.here()


class Silent:
    def begin(self, cells):
        pass

    def done(self, finished):
        self.last = finished


@pytest.fixture
def old(store, trouble, monkeypatch):
    """Put rows of older code into the store: their seeds, and values unlike those of today."""
    monkeypatch.setattr(Trouble, "trained", True)
    monkeypatch.setattr(verify, "VARYING", ("pid",))

    def put(*seeds, code="a" * 12, **other):
        trouble.wanted = (*trouble.wanted, *("ok" for _ in seeds))
        for seed in seeds:
            values = {"third": seed / 3, "count": 2**60 + seed, "even": seed % 2 == 0, "pid": 1}
            made = row(cell("ok", seed), {**values, "word": "ok", **other}, code, seconds=0.5)
            store.append("trouble", made)

    return put


def run(store, work=None):
    """What `verify --stale` does; counts by status, and the cell that came last."""
    keep = work is None
    work, show = work or verify.stale(WANT, store), Silent()
    judge = verify.Judge(store, work, keep=keep)
    counts = runner.run(work, store, jobs=1, show=show, judge=judge)
    return counts, show.last


def test_what_is_lost_with_its_process_was_not_compared(store, old):
    old(0)
    (before,) = store.table("trouble").to_dict("records")
    judge = verify.Judge(store, verify.stale(WANT, store), keep=True)
    for status in ("crashed", "timeout", "busy"):
        new = {**before, "status": status, "reason": "its process ended"}
        assert judge(new) == (verify.LOST, f"{status}: its process ended")
    assert judge({**before, "status": "failed", "reason": "no"}) == ("differs", "no")


def test_one_row_of_each_code_is_planned(store, old):
    old(0, 1, 2)
    old(3, 4, code="b" * 12)
    work = verify.stale(WANT, store)
    assert [one.seed for one in work.todo["trouble"]] == [0, 3]
    assert [one.seed for one in work.stale] == [1, 2, 4]
    assert work.wall_seconds(1) == 1.0


def test_after_a_second_change_of_code_one_row_speaks_for_all_that_were_equal(store, old):
    """Rows of two codes that gave the same values take one run, not two."""
    old(0, 1)
    old(2, code="b" * 12)
    found = {**vars(cell("ok", 0)), "before": "a" * 12, "after": "b" * 12, "values": 4}
    store.confirm({**row(cell("ok", 0), {}, "b" * 12, seconds=0.5), **found})
    work = verify.stale(WANT, store)
    assert [one.seed for one in work.todo["trouble"]] == [0]
    assert run(store)[0] == {"ok": 1}
    assert runner.plan(WANT, store).current == 3


def test_equal_values_make_all_rows_of_that_code_current(store, old):
    old(0, 1, 2)
    assert runner.plan(WANT, store).current == 0
    assert run(store)[0] == {"ok": 1}
    work = runner.plan(WANT, store)
    assert (work.current, work.stale, work.todo) == (3, [], {})
    assert store.by_code("trouble")["fingerprint"].nunique() == 1
    found = store.reproduced().iloc[0]
    assert found["before"] == "a" * 12
    assert found["after"] == store.table("trouble")["fingerprint"][0]
    assert store.table("trouble")["fingerprint"].tolist()[1:] == ["a" * 12] * 2
    assert (found["values"], found["seed"]) == (4, 0)  # the process is no value


def test_a_snapshot_stays_as_it_was_whatever_is_measured_or_written_into_it(store, old):
    old(0, 1, 2)
    snapshot = Snapshot(store.root)
    for read in (snapshot.table, snapshot.by_code):
        rows = read("trouble")
        rows["word"] = "changed by a reader"
        rows.loc[0, "fingerprint"] = "changed by a reader"
    codes = snapshot.codes("trouble")
    run(store)
    assert snapshot.codes("trouble") is codes
    for read in (snapshot.table, snapshot.by_code):
        assert read("trouble")["fingerprint"].tolist() == ["a" * 12] * 3
        assert read("trouble")["word"].tolist() == ["ok"] * 3
    assert Snapshot(store.root).table("trouble")["fingerprint"][0] != "a" * 12


def test_the_files_keep_what_measured_them(store, old):
    old(0, 1)
    run(store)
    store.fold()
    kept = pd.read_csv(store.table_path("trouble"))["fingerprint"].tolist()
    assert kept == [store.reproduced()["after"][0], "a" * 12]
    package = (store.root / "datapackage.json").read_text()
    assert '"path": "reproduced.csv"' in package


def test_another_value_keeps_rows_stale_and_the_row_as_it_was(store, old):
    old(0, 1, third=0.25)
    before = store.table("trouble")
    counts, last = run(store)
    assert counts == {"differs": 1}
    assert last.reason == "third is 0.0, was 0.25"
    pd.testing.assert_frame_equal(store.table("trouble"), before)
    assert store.reproduced().empty
    assert len(runner.plan(WANT, store).stale) == 2


def test_a_failure_keeps_the_row_that_is_there(store, old, trouble):
    old(0)
    bad = cell("fail", 0)
    trouble.wanted = ("fail",)
    made = row(bad, {"third": 0.0}, "a" * 12, seconds=0.5)
    store.append("trouble", made)
    counts, last = run(store)
    assert counts == {"differs": 1}
    assert last.reason.startswith("RuntimeError: it went wrong")
    table = store.table("trouble")
    assert table["status"].tolist() == ["ok", "ok"]


def test_only_a_row_of_this_machine_can_be_compared(store, old, other_machine):
    old(0, 1)
    other_machine()
    work = verify.stale(WANT, store)
    assert work.todo == {}
    assert len(work.stale) == 2


def test_a_value_that_is_there_differs_from_one_that_is_not():
    assert not verify._equal(pd.NA, 1)
    assert not verify._equal(1, pd.NA)
    assert verify._equal(pd.NA, pd.NA)


def test_an_empty_value_equals_an_empty_one_and_nothing_else(store, old):
    old(0, word=None)
    assert run(store)[1].reason == "word is ok, was "
    old(1, code="b" * 12, third=None)
    assert "third is 0.333" in run(store)[1].reason


def steps(*pairs, **other):
    """The table with so many rows of one kind, in time."""
    kind = {**vars(cell("ok", 5)), "machine": HERE, "commit": "c", "dirty": False}
    rows = [{**kind, "before": before, "after": after, **other} for before, after in pairs]
    return schema.typed(pd.DataFrame(rows, dtype=object), reproduced.COLUMNS)


def of(code, seed=0, machine=HERE, **other):
    """A row of older code as a table has it."""
    fields = {**vars(cell("ok", seed)), "machine": machine, "fingerprint": code, **other}
    return SimpleNamespace(**fields)


def test_codes_that_give_the_same_values_are_equal_over_several_steps():
    codes = reproduced.Codes(steps(("a", "b"), ("x", "y"), ("y", "b"), ("b", "c")))
    assert all(codes.gives(of(one), other) for one in "abcxy" for other in "abcxy")
    assert not codes.gives(of("a"), "d")
    assert codes.gives(of("d"), "d")


def test_equal_codes_have_the_name_of_the_newest():
    """Or rows of another machine, which measured with it, would be of another code."""
    codes = reproduced.Codes(steps(("a", "b"), ("b", "c"), ("z", "c")))
    assert {codes.code(of(one)) for one in "abcz"} == {"c"}
    assert codes.code(of("c", machine="elsewhere")) == "c"
    assert codes.code(of("a", machine="elsewhere")) == "a"


def test_code_that_returned_has_one_name_on_every_machine():
    """Here a was found to give b's values, and is the present code again."""
    codes = reproduced.Codes(steps(("a", "b")))
    rows = [of("b", 0), of("a", 1), of("a", 2, machine="elsewhere")]
    table = pd.DataFrame([{**vars(row), "measured_at": f"{n}"} for n, row in enumerate(rows)])
    assert codes.named(table)["fingerprint"].tolist() == ["a"] * 3
    older = table.assign(measured_at=["2", "1", "0"])
    assert codes.named(older)["fingerprint"].tolist() == ["b", "b", "a"]


def test_code_that_returns_to_what_it_was_has_its_rows_again():
    codes = reproduced.Codes(steps(("a", "b")))
    assert codes.gives(of("a"), "a") and codes.gives(of("a"), "b") and codes.gives(of("b"), "a")


def test_a_row_speaks_for_other_seeds_alone():
    codes = reproduced.Codes(steps(("a", "b")))
    assert codes.gives(of("a", seed=7), "b")
    assert not codes.gives(of("a", machine="elsewhere"), "b")
    assert not codes.gives(of("a", data="g"), "b")


def test_the_commits_are_those_of_what_is_in_git():
    made = pd.concat([steps(("a", "b")), steps(("b", "c"), commit="d", dirty=True)])
    codes = reproduced.Codes(made)
    assert codes.commits(of("c")) == ["c"]
    assert codes.commits(of("z")) == []


def test_a_damaged_table_is_named(store, old):
    old(0)
    store.write(reproduced.FILE, "benchmark,key\ntrouble,1\n")
    with pytest.raises(StoreError, match=r"reproduced\.csv is not a readable table .*before"):
        store.codes("trouble")


def test_rows_of_another_benchmark_are_not_touched(store, old):
    old(0)
    other = {**vars(cell("ok", 0)), "benchmark": "other", "machine": HERE}
    store.confirm({**other, "before": "a" * 12, "after": "b" * 12, "values": 1})
    assert not store.codes("trouble").gives(of("a" * 12), "b" * 12)
    assert store.codes("other").gives(of("a" * 12, benchmark="other"), "b" * 12)


def test_the_command_keeps_what_is_equal_and_says_what_is_left(store, old, capsys):
    command = ["verify", "--stale", "--results", str(store.root)]
    old(0, 1)
    assert command_line.main(command) == 0
    said = capsys.readouterr().out
    assert "1 row with 4 equal values, to the bit; 0 differ" in said
    assert "0 trained rows are stale" in said
    assert not store._journal_path("trouble").exists()
    old(2, 3, code="b" * 12, third=9.0)
    assert command_line.main(command) == 1
    said = capsys.readouterr().out
    assert "0 rows with 0 equal values, to the bit; 1 differ" in said
    assert "third is 0.6" in said and "2 trained rows are stale" in said


@pytest.fixture
def fresh(store, old, trouble):
    """Rows of present code with their true values."""
    code = runner.fingerprint(trouble, cell("ok", 0))

    def put(*seeds, **other):
        old(*seeds, code=code, **other)

    return put


def test_a_spot_check_takes_some_rows_and_writes_none(store, fresh):
    fresh(0, 1, 2, 3)
    store.fold()
    before = {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()}
    work = verify.spot_check(WANT, store, 3)
    assert len(work.todo["trouble"]) == 3
    assert run(store, work)[0] == {"equal": 3}
    assert {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()} == before


def test_a_spot_check_takes_the_same_rows_each_time_those_of_here_first(
    store, fresh, other_machine
):
    fresh(0, 1, 2)
    other_machine()
    fresh(3)
    (first, *rest) = verify.spot_check(WANT, store, 2).todo["trouble"]
    assert first.seed == 3
    assert rest == [min((cell("ok", seed) for seed in range(3)), key=lambda one: one.key)]


def test_a_value_that_came_out_otherwise_elsewhere_says_so(store, fresh, other_machine):
    fresh(0, third=0.25)
    assert run(store, verify.spot_check(WANT, store))[1].reason == "third is 0.0, was 0.25"
    other_machine()
    counts, last = run(store, verify.spot_check(WANT, store))
    assert counts == {"differs": 1}
    assert last.reason.endswith("(it was measured on another machine, which may round otherwise)")


def test_stale_rows_and_rows_without_a_value_are_not_spot_checked(store, old, fresh, trouble):
    old(0)
    fresh(1)
    failed = row(cell("fail", 2), {}, "a" * 12, status="failed", seconds=0.5)
    store.append("trouble", failed)
    trouble.wanted = ("ok", "ok", "fail")
    assert [one.seed for one in verify.spot_check(WANT, store).todo["trouble"]] == [1]


def test_one_row_is_measured_again_by_its_key_whatever_its_code(store, old, fresh):
    fresh(0)
    old(1, third=0.25)
    keys = [cell("ok", seed).key for seed in (0, 1)]
    assert run(store, verify.of_keys(keys[:1], store))[0] == {"equal": 1}
    counts, last = run(store, verify.of_keys(keys[1:], store))
    assert counts == {"differs": 1} and last.reason.startswith("third is ")
    assert len(verify.of_keys(keys, store).seconds) == 2
    with pytest.raises(ValueError, match="no row of .* has the key 'abc'; a key is"):
        verify.of_keys([*keys, "abc"], store)


def test_the_key_of_a_row_without_a_value_is_refused(store, trouble):
    failed = row(cell("fail", 2), {}, "a" * 12, status="failed", seconds=0.5)
    store.append("trouble", failed)
    words = r"the row of the key '\w+', trouble.*, has no value to compare with \(failed"
    with pytest.raises(ValueError, match=words):
        verify.of_keys([failed["key"]], store)


def test_times_are_not_compared(store, fresh, trouble):
    fresh(0)
    trouble.exclusive = True
    assert verify.spot_check(WANT, store).todo == {}
    with pytest.raises(ValueError, match=r"'trouble' was asked for, but it measures times"):
        verify.spot_check(WANT, store, only=["trouble"])
    with pytest.raises(ValueError, match="trouble.*, is a time, which never comes out equal"):
        verify.of_keys([cell("ok", 0).key], store)


def test_the_key_of_a_counted_row_names_a_row_that_is_counted_again(committed_tables, published):
    row = published.table("cost").iloc[0]
    assert row["device"] == "meta"
    work = verify.of_keys([row["key"]], published)
    assert [cell.key for cell in work.todo["cost"]] == [row["key"]]


def test_a_key_of_a_preview_elsewhere_or_of_a_device_that_is_not_here_is_told(
    store, trouble, fresh, other_machine, monkeypatch
):
    fresh(0)
    other_machine()
    monkeypatch.setattr(trouble, "same_machine", lambda cell: True)
    with pytest.raises(ValueError, match="is a preview of another machine"):
        verify.of_keys([cell("ok", 0).key], store)
    on_gpu = replace(cell("ok", 1), device="cuda")
    store.append("trouble", row(on_gpu, {"third": 1 / 3}, "a" * 12, seconds=0.5))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device cuda was asked for"):
        verify.of_keys([on_gpu.key], store)
