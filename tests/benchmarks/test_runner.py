"""What is measured is not measured twice, failures stay visible."""

from dataclasses import replace
from pathlib import Path

import pytest
from trouble import Quiet, Trouble, cell

from benchmarks import provenance, runner
from benchmarks.cells import Cell, Selection
from benchmarks.engine import Finished
from benchmarks.progress import duration
from benchmarks.store import row

WANT = Selection()


def test_a_second_run_measures_nothing(suite, store):
    assert suite("ok", "ok", "ok") == [0, 1, 2]
    before = store.table("trouble")
    assert suite() == []
    assert store.table("trouble").equals(before)
    store.fold()
    assert suite() == []


def test_only_what_is_missing_is_measured(suite):
    suite("ok", "ok")
    assert suite("ok", "ok", "ok", "ok") == [2, 3]


def test_again_measures_everything_and_keeps_one_row_each(suite, store):
    suite("ok", "ok")
    assert suite(again=True) == [0, 1]
    assert len(store.table("trouble")) == 2


def test_rows_carry_their_status_and_failures_wait_for_retry(suite, store):
    recipes = ("ok", "fail", "diverge", "crash")
    assert suite(*recipes) == [0, 1, 2, 3]
    table = store.table("trouble").set_index("seed").sort_index()
    assert table["status"].tolist() == ["ok", "failed", "diverged", "crashed"]
    assert table.loc[2, "third"] == 0.1
    assert (table["reason"] != "").tolist() == [False, True, True, True]
    assert suite() == []
    assert runner.plan(WANT, store).failed == [cell(r, s) for s, r in enumerate(recipes)][1:]
    assert suite(retry=True) == [1, 2, 3]
    assert len(store.table("trouble")) == 4


def test_one_missing_cell_takes_all_that_is_timed_beside_it_along(suite, store, monkeypatch):
    group = [cell("ok", 0, "g"), cell("fail", 1, "g"), cell("ok", 2, "g")]
    monkeypatch.setattr(Trouble, "exclusive", True)
    monkeypatch.setattr(Trouble, "cells", lambda self, want: [*group[:2], cell("ok", 3)])
    assert suite() == [0, 1, 3]
    assert runner.plan(WANT, store).failed == group[1:2]
    monkeypatch.setattr(Trouble, "cells", lambda self, want: [*group, cell("ok", 3)])
    work = runner.plan(WANT, store)
    assert work.todo == {"trouble": group}
    assert not (work.failed or work.stale or work.beside)
    assert work.current == 1, "the one that is timed by itself"
    assert suite() == [0, 1, 2]
    assert sorted(store.table("trouble")["seed"]) == [0, 1, 2, 3]


def test_a_row_of_another_machine_counts_unless_it_must_be_this_one(
    suite, store, monkeypatch, other_machine
):
    suite("ok")
    other_machine()
    assert suite() == []
    monkeypatch.setattr(Trouble, "same_machine", lambda self, cell: True)
    assert suite() == [0]
    assert store.table("trouble")["machine"].nunique() == 2
    assert suite() == []


@pytest.mark.parametrize(("trained", "left"), [(False, 1), (True, 0)])
def test_what_a_gpu_measures_of_itself_is_of_that_gpu(
    store, trouble, monkeypatch, other_machine, trained, left
):
    monkeypatch.setattr(Trouble, "trained", trained)
    on_gpu = replace(cell("ok"), device="cuda")
    monkeypatch.setattr(Trouble, "cells", lambda self, want: [on_gpu])
    runner.run(runner.plan(WANT, store), store, jobs=1, show=Quiet())
    assert not runner.plan(WANT, store).seconds
    other_machine()
    assert len(runner.plan(WANT, store).seconds) == left


def test_of_other_machines_the_newest_row_with_a_value_counts(suite, store, trouble, other_machine):
    suite("ok")
    (good,) = store.table("trouble").to_dict("records")
    for name, status in (("a" * 12, "failed"), ("f" * 12, "failed")):
        store.append("trouble", {**good, "machine": name, "status": status, "reason": "no"})
    other_machine()
    assert suite() == [] and not runner.plan(WANT, store).failed


def test_what_found_the_machine_busy_leaves_the_row_that_is_there(suite, store, trouble):
    suite("ok", "ok")
    before = store.table("trouble")
    trouble.wanted = ("busy", "ok")
    store.append("trouble", row(cell("busy"), {"third": 0.0}, "a" * 12, seconds=0.5))
    work, show = runner.plan(WANT, store, again=True), Quiet()
    assert runner.run(work, store, jobs=1, show=show) == {"busy": 1, "ok": 1}
    assert show.finished[0].reason == "another job holds the machine"
    kept = store.table("trouble")
    assert kept["status"].tolist() == ["ok"] * 3 and len(before) == 2


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        ("crash", "crashed: its process was ended by signal SIGSEGV; its earlier row stays"),
        ("hang", "timeout: stopped after 1 s; its earlier row stays"),
    ],
)
def test_what_is_lost_with_its_process_leaves_the_value_that_is_there(
    store, trouble, code, recipe, reason, other_machine
):
    if recipe == "hang":
        trouble.limit_seconds = 1.0
    trouble.wanted = (recipe,)
    store.append("trouble", row(cell(recipe), {"third": 0.5}, "a" * 12, seconds=0.5))
    show = Quiet()
    assert runner.run(runner.plan(WANT, store), store, jobs=1, show=show) == {"kept": 1}
    assert show.finished[0].reason == reason
    (kept,) = store.table("trouble").itertuples()
    assert (kept.status, kept.third) == ("ok", 0.5)
    assert runner.plan(WANT, store).todo, "it is still to be measured by the present code"
    other_machine()  # which has no value of its own
    status = {"crash": "crashed", "hang": "timeout"}[recipe]
    assert runner.run(runner.plan(WANT, store), store, jobs=1, show=Quiet()) == {status: 1}


@pytest.mark.parametrize(("device", "jobs"), [("cpu", 3), ("cuda", 1), ("cuda:1", 1)])
def test_one_process_at_a_time_uses_a_gpu_unless_more_are_asked_for(
    trouble, device, jobs, monkeypatch
):
    monkeypatch.setattr(runner.resources, "jobs", lambda: 3)
    cells = [replace(cell("ok", seed), device=device) for seed in range(6)]
    assert runner.processes(trouble, cells, None) == jobs
    assert runner.processes(trouble, cells, 2) == (2 if device == "cpu" else 1), "its memory"
    monkeypatch.setattr(Trouble, "trained", True)
    assert runner.processes(trouble, cells, 2) == 2
    work = runner.Plan({"trouble": cells}, dict.fromkeys(cells, 1.0))
    assert (work.wall_seconds(None), work.most_processes(None)) == (6 / jobs, jobs)


def test_cells_of_a_group_are_handed_over_together_in_their_order():
    benchmark = Trouble()
    cells = [cell("ok", 0, "a"), cell("ok", 1, "b"), cell("ok", 2, "a"), cell("ok", 3)]
    assert runner.groups(benchmark, cells) == [[cells[0], cells[2]], [cells[1]], [cells[3]]]


def test_an_exclusive_benchmark_has_one_process_at_a_time(suite, store, trouble):
    trouble.exclusive = True
    suite("ok", "ok", "ok", jobs=3)
    assert store.table("trouble")["pid"].nunique() == 1


@pytest.fixture
def beside(suite, store, trouble, monkeypatch):
    """A bare backbone with a row is timed once more beside a user's module: the user's choice."""
    trouble.exclusive = True
    monkeypatch.setattr(Trouble, "group", lambda *_: "one session")
    assert suite("ok") == [0]
    trouble.wanted = ("ok", "ok")
    return Selection(modules=(("mine:Gate", ""),))


def test_a_bare_backbone_timed_beside_a_users_module_keeps_its_row(beside, store):
    """Its row is of the session of the others; the ratio of the module is in the module's row."""
    before = store.table("trouble")
    work = runner.plan(beside, store)
    assert work.beside == {cell("ok", 0)} and len(work.todo["trouble"]) == 2
    assert runner.run(work, store, jobs=1, show=Quiet()) == {"ok": 2}
    after = store.table("trouble")
    assert after[after["seed"] == 0].reset_index(drop=True).equals(before)
    assert after["seed"].tolist() == [0, 1]


def test_beside_a_users_module_again_leaves_the_trained_bare_backbone_alone(
    suite, store, monkeypatch
):
    bare, gate = cell("ok"), replace(cell("ok", 1), module="mine:Gate")
    monkeypatch.setattr(Trouble, "cells", lambda self, want: iter([bare, gate]))
    monkeypatch.setattr(runner, "source_file", lambda module: Path("nowhere.py"))
    monkeypatch.setattr(runner, "is_own", lambda module: module == "mine:Gate")
    assert suite() == [0, 1]
    want = Selection(modules=(("mine:Gate", ""),))
    assert runner.plan(want, store, again=True).todo == {"trouble": [gate]}
    named = Selection(modules=(("none", ""), ("mine:Gate", "")))
    assert runner.plan(named, store, again=True).todo == {"trouble": [bare, gate]}
    both = Selection(modules=(("se", ""),))
    assert runner.plan(both, store, again=True).todo == {"trouble": [bare, gate]}


def test_a_bare_backbone_that_fails_beside_a_users_module_keeps_its_row(beside, store, monkeypatch):
    before = store.table("trouble")
    work = runner.plan(beside, store)
    failed = [Finished(one, {}, "failed", "no", 1.0) for one in work.todo["trouble"]]
    monkeypatch.setattr(runner.engine, "measure", lambda *_: _closing(failed))
    assert runner.run(work, store, jobs=1, show=Quiet()) == {runner.KEPT: 1, "failed": 1}
    after = store.table("trouble")
    assert after[after["seed"] == 0].reset_index(drop=True).equals(before)


def _closing(results):
    yield from results


@pytest.mark.parametrize(
    ("module", "held", "dirty"),
    [
        ("mine:Gate", False, True),
        ("mine:Gate", True, False),
        ("timm.layers:SEModule", False, False),
        ("benchmarks.constant:ConstantGate", True, False),
        ("se", True, False),
    ],
)
def test_rows_of_a_file_that_the_commit_lacks_are_not_of_the_commit(
    monkeypatch, module, held, dirty
):
    monkeypatch.setattr(provenance, "dirty", lambda: False)
    monkeypatch.setattr(provenance, "holds", lambda file: held)
    monkeypatch.setattr(runner, "_module_files", lambda module: (Path("some.py"),))
    done = Finished(Cell("cost", "net", module), {}, "ok", "", 1.0)
    assert runner._row(done, "f" * 12)["dirty"] is dirty


def test_a_value_without_a_column_is_the_author_s_mistake(suite, trouble, monkeypatch):
    monkeypatch.setattr(Trouble, "columns", Trouble.columns[1:])
    with pytest.raises(KeyError, match=r"trouble measured \['third'\]"):
        suite("ok")


def test_finished_rows_are_kept_when_the_run_is_interrupted(suite, store, monkeypatch):
    def done(self, finished):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Quiet, "done", done)
        with pytest.raises(KeyboardInterrupt):
            suite("ok", "ok", "ok")
    assert store.table("trouble")["seed"].tolist() == [0]
    assert suite() == [1, 2]


def test_an_unknown_benchmark_is_answered_with_the_known_ones(trouble, store):
    with pytest.raises(ValueError, match="unknown benchmark 'accurcy'; allowed: trouble"):
        runner.plan(WANT, store, only=["accurcy"])


def test_time_is_estimated_from_like_rows_then_from_the_backbone_then_guessed(trouble, store, code):
    def known(module, seconds, seed, threads=None):
        like = Cell("trouble", "net", module, recipe="r", seed=seed, threads=threads)
        store.append("trouble", row(like, {}, "f", seconds=seconds))

    for seed, seconds in enumerate([10.0, 30.0, 20.0]):
        known("se", seconds, seed)
    known("eca", 5.0, 0, threads=2)
    slow = row(Cell("trouble", "net", "se", recipe="r", seed=3), {}, "f", seconds=500.0)
    store.append("trouble", {**slow, "machine": "another"})
    away = row(Cell("trouble", "far", "se", recipe="r", seed=3), {}, "f", seconds=7.0)
    store.append("trouble", {**away, "machine": "another"})
    wanted = {
        Cell("trouble", "net", "se", recipe="r", seed=9): 20.0,
        Cell("trouble", "net", "eca", recipe="r", seed=9, threads=2): 5.0,
        Cell("trouble", "net", "sk", recipe="r", seed=9): 15.0,
        Cell("trouble", "far", "se", recipe="r", seed=9): 7.0,
        Cell("trouble", "other", "sk", recipe="r", seed=9): 1.0,
    }
    trouble.cells = lambda want: iter(wanted)
    plan = runner.plan(WANT, store)
    assert plan.seconds == wanted
    assert plan.guessed == {cell for cell in wanted if wanted[cell] == 1.0}
    assert plan.wall_seconds(2) == sum(wanted.values()) / 2
    trouble.exclusive = True
    assert plan.wall_seconds(2) == sum(wanted.values())
    on_gpu = Cell("trouble", "net", "se", recipe="r", seed=9, device="cuda")
    trouble.cells = lambda want: iter([on_gpu])
    plan = runner.plan(WANT, store)
    assert (plan.seconds, plan.guessed) == ({on_gpu: 1.0}, {on_gpu}), "rows of a processor"


@pytest.mark.parametrize(
    ("seconds", "words"), [(45, "45 s"), (180, "3 min"), (9000, "2.5 h"), (0, "0 s")]
)
def test_a_duration_is_said_as_people_say_it(seconds, words):
    assert duration(seconds) == words
