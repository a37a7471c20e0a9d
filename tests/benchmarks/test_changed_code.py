"""Code that has changed since a row was measured, or changes while one is, is known."""

from dataclasses import replace

import pytest
from trouble import Quiet, Trouble, cell

from benchmarks import cells as benchmark_cells
from benchmarks import runner
from benchmarks.cells import Selection
from benchmarks.store import StoreError, row

WANT = Selection()


def test_cheap_rows_of_older_code_are_measured_again(suite, store, code):
    suite("ok", "ok")
    code("# a comment\nlr = 0.1")
    assert suite() == []
    code("lr = 0.2")
    old = set(store.table("trouble")["fingerprint"])
    assert suite() == [0, 1]
    assert not old & set(store.table("trouble")["fingerprint"])
    assert suite() == []


def test_trained_rows_of_older_code_are_kept_until_asked(suite, store, code, trouble):
    trouble.trained = True
    suite("ok", "ok")
    before = store.table("trouble")
    code("lr = 0.2")
    assert suite() == []
    assert store.table("trouble").equals(before)
    plan = runner.plan(WANT, store)
    assert (plan.stale, plan.current, plan.todo) == ([cell("ok", 0), cell("ok", 1)], 0, {})
    assert suite(stale=True) == [0, 1]
    assert runner.plan(WANT, store).current == 2


def test_trained_rows_of_a_module_that_the_reader_has_changed_are_measured_again(
    store, code, trouble, tmp_path, monkeypatch
):
    (tmp_path / "gate_of_a_reader.py").write_text("class Gate:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    trouble.trained = True
    code("lr = 0.1")
    own = replace(cell("ok", 0), module="gate_of_a_reader:Gate")
    trouble.cells = lambda want: [own]
    values = {"third": 0.0, "count": 1, "even": True, "word": "ok", "pid": 1}
    store.append("trouble", row(own, values, runner.fingerprint(trouble, own), seconds=1.0))
    assert runner.plan(WANT, store).current == 1
    code("lr = 0.2")
    assert runner.plan(WANT, store).todo == {"trouble": [own]}


def test_a_trained_row_that_failed_is_retried_when_its_code_was_mended(suite, code, trouble):
    trouble.trained = True
    suite("fail", "ok")
    code("lr = 0.2")
    assert suite(retry=True) == [0]


def test_a_changed_configuration_makes_stale(suite, monkeypatch):
    suite("ok")
    monkeypatch.setattr(Trouble, "configuration", lambda self, cell: {"lr": 0.5})
    assert suite() == [0]
    assert suite() == []


def test_code_that_changes_during_a_run_stops_it_and_makes_no_row(suite, store, code, monkeypatch):
    began = Quiet.begin

    def begin(self, cells):
        code("lr = 0.3")
        began(self, cells)

    monkeypatch.setattr(Quiet, "begin", begin)
    with pytest.raises(StoreError, match="changed since this run began"):
        suite("ok", "ok")
    monkeypatch.setattr(Quiet, "begin", began)
    assert len(store.table("trouble")) == 0
    code("lr = 0.1  # a comment changes nothing")
    assert suite("ok", "ok") == [0, 1]


@pytest.mark.parametrize("text", [None, "def f("], ids=["gone", "half written"])
def test_code_that_can_no_longer_be_read_stops_the_run_too(
    suite, code, tmp_path, monkeypatch, text
):
    began = Quiet.begin

    def begin(self, cells):
        file = tmp_path / "code.py"
        file.unlink() if text is None else file.write_text(text)
        began(self, cells)

    monkeypatch.setattr(Quiet, "begin", begin)
    with pytest.raises(StoreError, match="changed since this run began"):
        suite("ok", "ok")


def test_code_of_a_later_benchmark_that_changes_makes_no_row_either(
    suite, store, code, tmp_path, monkeypatch
):
    class Later(Trouble):
        name = ""
        code = ("later.py",)
        wanted = ("ok",)

    monkeypatch.setattr(Later, "name", "later")
    monkeypatch.setitem(benchmark_cells._BENCHMARKS, "later", Later())
    (tmp_path / "later.py").write_text("lr = 0.1")
    began = Quiet.begin

    def begin(self, cells):
        (tmp_path / "later.py").write_text("lr = 0.3")
        began(self, cells)

    monkeypatch.setattr(Quiet, "begin", begin)
    with pytest.raises(StoreError, match=r"later\.py changed since this run began"):
        suite("ok")
    assert len(store.table("trouble")) == 1
    assert len(store.table("later")) == 0


def test_a_comment_that_changes_during_a_run_does_not_stop_it(suite, store, code, monkeypatch):
    code("lr = 0.1")
    began = Quiet.begin

    def begin(self, cells):
        code("lr = 0.1  # a comment")
        began(self, cells)

    monkeypatch.setattr(Quiet, "begin", begin)
    assert suite("ok", "ok") == [0, 1]
    assert runner.plan(WANT, store).current == 2
