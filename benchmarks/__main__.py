"""The command line: ``python -m benchmarks plan|run|status|verify|table|cite``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext

from benchmarks import OF_NOX

try:
    import filelock  # noqa: F401
    import packaging  # noqa: F401
    import pandas  # noqa: F401
    from rich.console import Console
except ModuleNotFoundError as error:  # a Python without the packages of the suite
    sys.exit(
        f"error: {sys.executable} lacks what the suite needs ({error}). Use {OF_NOX}, "
        "which `nox -s bench` makes unless ATTN_BENCH_PYTHON is set, or install it with pip 25.1 "
        "or newer: python -m pip install . --group bench"
    )

from benchmarks import (
    budget,
    display,
    engine,
    listing,
    models,
    own_modules,
    packages,
    preflight,
    provenance,
    runner,
    selection,
    snapshot,
    summary,
    tables,
    terminal,
    verify,
)
from benchmarks.cells import ROOT, SUITES, Selection, benchmarks, choose
from benchmarks.options import parser
from benchmarks.progress import Show, duration
from benchmarks.runner import Plan
from benchmarks.status import Standing, standing
from benchmarks.store import Store, StoreError

INTERRUPTED = 130

NARROWING = ("suite", "only", "module", "backbone", "device")
"""Options that select what is measured."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, 1 if cells gave no value, 2 for bad input, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    terminal.show_all_signs(csv=getattr(options, "csv", False))
    console = terminal.Terminal(width=None if sys.stdout.isatty() else 100)
    # Without a GPU torch's profiler logs errors about the missing one, in every process.
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # GPUs numbered as in nvidia-smi
    keeps = options.command == "run" or (options.command == "verify" and options.stale)
    kept = " Finished rows are kept; the same command goes on from there." * keeps
    with terminal.stopped_by_signals():
        try:
            return COMMANDS[options.command](options, console)
        except KeyboardInterrupt:
            console.print(f"\nstopped.{kept}")
            return INTERRUPTED
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if keeps:
                terminal.complain(f"stopped: nobody reads what this prints.{kept}")
            return 1
        except SystemExit as error:
            words = "a module's file ended Python while it was tried; guard what runs as a script"
            terminal.complain(f"error: {words} (SystemExit: {error.code})")
            return 2
        except (ValueError, TypeError, OSError, StoreError, _data_error()) as error:
            terminal.complain(f"error: {error}")
            return 2


def _data_error() -> type[Exception]:
    """DataError if the data loaders were imported; they need torch, reading tables does not."""
    module = sys.modules.get("benchmarks.data")
    return module.DataError if module else StoreError


def _suite(options: argparse.Namespace) -> str:
    return choose("quick" if options.suite is None else options.suite, list(SUITES), "suite")


def _selection(options: argparse.Namespace) -> Selection:
    suite = SUITES[_suite(options)]
    device = suite.device if options.device is None else options.device
    selection.require_device(device)
    modules = None
    if options.module:
        split = [word.strip().partition(" ") for word in options.module]
        own_modules.require_options(rest for _, _, rest in split)
        modules = tuple((name, " ".join(sorted(rest.split()))) for name, _, rest in split)
        modules = tuple(dict.fromkeys(modules))  # options in another order are the same cell
    backbones = tuple(options.backbone) if options.backbone else None
    want = Selection(suite.name, modules, backbones, device)
    _check_names(want)
    selection.require_cells(want, options.only)
    return want


def _work(options: argparse.Namespace, want: Selection, store: Store):
    return runner.plan(
        want,
        store,
        only=options.only,
        stale=options.stale,
        retry=options.retry,
        again=options.again,
    )


def _check_names(want: Selection) -> None:
    """Raise ValueError or TypeError for a module or a backbone that is not what it should be."""
    if not want.modules and not want.backbones:
        return
    models.register()
    for module, variant in want.modules or ():
        own_modules.require_module(module, variant, want.device)
    for backbone in want.backbones or ():
        models.require_backbone(backbone)
        models.create(backbone, device="meta")


def _plan(options: argparse.Namespace, console: Console) -> int:
    if options.effect is not None:
        budget.require_difference(options.effect)
        if not options.power:
            raise ValueError("--effect was given without --power, which it is for: add --power")
    if options.power:
        why = "it looks at every comparison that the tables hold"
        others = ("stale", "retry", "again", "jobs")
        _require_none_of((*NARROWING, *others), options, "plan --power", why)
        store = Store(options.results)
        _look_for_folder(store)
        print(budget.text(store, options.effect), end="")
        return 0
    packages.require()
    want = _selection(options)
    store = Store(options.results)
    _look_for_folder(store)
    work = _work(options, want, store)
    preflight.check_models(work, want)
    for name, cells in work.todo.items():
        seconds = sum(work.seconds[cell] for cell in cells)
        guessed = len(work.guessed.intersection(cells))
        words = "; a guess for want of rows like them" if guessed == len(cells) else ""
        if 0 < guessed < len(cells):
            words = f"; a guess for {guessed} of them, for want of rows like them"
        console.print(f"{name}: {len(cells)} cells, {duration(seconds)} of work{words}")
        for cell in cells[:20]:
            console.print(f"  {cell.title}", markup=False)
        if len(cells) > 20:
            console.print(f"  ... and {len(cells) - 20} more")
    console.print(
        f"{len(work.seconds)} to measure{_estimate(work, options.jobs)}; {work.current} current, "
        f"{len(work.stale)} stale and kept (--stale), "
        f"{len(work.failed)} without a value and kept (--retry)"
    )
    return 0


def _estimate(work: Plan, jobs: int | None) -> str:
    """How long a plan takes, with how many processes, and how that is known; "" for no work."""
    if not work.seconds:
        return ""
    time = duration(work.wall_seconds(jobs))
    most = work.most_processes(jobs)
    processes = "1 process" if most == 1 else f"up to {most} processes"
    known, guessed = len(work.seconds) - len(work.guessed), len(work.guessed)
    how = ["by the times of earlier rows"] if known else []
    how += [f"a guess for {display.many(guessed, 'cell')}"] if guessed else []
    return f"; about {time} with {processes} ({', '.join(how)})"


def _require_none_of(
    names: Sequence[str], options: argparse.Namespace, what: str, why: str
) -> None:
    given = [f"--{name}" for name in names if getattr(options, name)]
    if given:
        raise ValueError(
            f"{what} was asked for with {' and '.join(given)}, but {why}; leave these options out"
        )


def _status(options: argparse.Namespace, console: Console) -> int:
    packages.require()
    want = _selection(options)
    store = Store(options.results)
    _look_for_folder(store)
    chosen = [name for name in benchmarks() if not options.only or name in options.only]
    found = {name: standing(benchmarks()[name], want, store) for name in chosen}
    for name, one in found.items():
        console.print("; ".join(filter(None, [f"{name}: {one.words()}", one.other_words()])))
    total = sum(found.values(), Standing())
    if total.others_stale:
        old = ", ".join(f"{n} {one.others_stale}" for n, one in found.items() if one.others_stale)
        console.print(f"stale beside suite {want.suite} (another suite or machine): {old}")
    these = f" ({', '.join(chosen)})" if options.only else ""
    console.print(f"suite {want.suite}{these}: {total.words()}")
    return 0


def _run(options: argparse.Namespace, console: Console) -> int:
    packages.require()
    want = _selection(options)
    preflight.check_device(want.device)
    store = Store(options.results)
    _require_no_file(store)
    begun = time.monotonic()
    with store.writing():
        for name in benchmarks():  # the summary reads all of them: a broken one is told of before
            store.table(name)
        work = _work(options, want, store)
        preflight.check(work, want)
        cells = len(work.seconds)
        console.print(
            f"suite {want.suite}: {display.many(cells, 'cell')} to measure, {work.current} "
            f"current{_estimate(work, options.jobs)}"
        )
        if cells and provenance.commit() == "unknown":
            terminal.note(f"rows will name no commit: {provenance.why_unknown()}")
        if not cells:
            console.print("nothing to do: these rows are there already; --again measures anew")
        with Show(work, options.jobs, console) as show:
            counts = runner.run(work, store, jobs=options.jobs, show=show)
    _report(options, console, store, want, counts, work)
    console.print(f"{sum(counts.values())} cells in {duration(time.monotonic() - begun)}")
    return 1 if set(counts) - {"ok"} else 0


def _verify(options: argparse.Namespace, console: Console) -> int:
    packages.require()
    if options.stale and options.rows:
        raise ValueError(
            "--rows was asked for with --stale, which takes one row of each arm; leave one out"
        )
    if options.key:
        why = "a key names its row by itself"
        _require_none_of((*NARROWING, "rows", "stale"), options, "--key", why)
    want = _selection(options)
    preflight.check_device(want.device)
    store = Store(options.results)
    _look_for_folder(store)
    with store.writing() if options.stale else nullcontext():
        if options.stale:
            work = verify.stale(want, store, only=options.only)
        elif options.key:
            work = verify.of_keys(options.key, store)
        else:
            work = verify.spot_check(want, store, options.rows, only=options.only)
        preflight.check(work, want)
        what = "" if options.key else f"suite {want.suite}: "
        console.print(
            f"{what}{display.many(len(work.seconds), 'row')} to measure again"
            f"{_estimate(work, options.jobs)}"
        )
        if not work.todo:
            what = "is stale, trained and of this machine" if options.stale else "is current"
            console.print(f"nothing to compare: no row of the selection {what}")
        judge = verify.Judge(store, work, keep=options.stale)
        with Show(work, options.jobs, console) as show:
            counts = runner.run(work, store, jobs=options.jobs, show=show, judge=judge)
    differ, lost = counts.get("differs", 0), counts.get(verify.LOST, 0)
    equal = sum(counts.values()) - differ - lost
    rows, values = display.many(equal, "row"), display.many(judge.values, "equal value")
    console.print(f"{rows} with {values}, to the bit; {differ} differ")
    if lost:
        console.print(f"{display.many(lost, 'row')} could not be measured again", style="red")
    if options.stale:
        left = len(runner.plan(want, store, only=options.only).stale)
        console.print(f"{left} trained rows are stale (run --stale measures them again)")
    return 1 if differ or lost else 0


def _report(options, console: Console, store: Store, want: Selection, counts, work) -> None:
    console.print()
    arms = [tables.arm(*pair) for pair in want.modules or ()]
    narrowed = (options.only, want.backbones or (), arms)
    print(summary.text_summary(snapshot.Snapshot(store.root), want.suite, *narrowed))
    for status, n in counts.items():
        if status == engine.BUSY:
            console.print(f"{n} cells not measured; the same command measures them", style="red")
        elif status == runner.KEPT:
            words = f"{n} cells gave no value this time; their earlier rows stay. The same command"
            console.print(f"{words} measures what is stale of them, --again all", style="red")
        elif status != "ok":
            console.print(f"{n} cells {status}; their rows say why", style="red")
    if work.stale:
        console.print(
            f"{len(work.stale)} rows are older than the code (--stale measures them again; "
            "verify --stale finds out whether a few of them would change)"
        )
    if work.failed:
        console.print(
            f"{len(work.failed)} rows of an earlier run have no value (--retry measures again)"
        )
    for name in benchmarks():
        if name in work.todo and store.table_path(name).exists():
            console.print(f"wrote {store.table_path(name)}", markup=False)


def _require_no_file(store: Store) -> None:
    """Raise ValueError for tables whose folder is a file, or a link to nothing."""
    if store.root.is_file():
        raise ValueError(f"--results names the file {store.root}; name the folder of the tables")
    if store.root.is_symlink() and not store.root.exists():
        raise ValueError(
            f"--results names {store.root}, a link to {store.root.readlink()}, which is not there; "
            "make that folder or remove the link"
        )


def _look_for_folder(store: Store) -> None:
    """Say that a folder is not there: it has no rows yet, or its name is mistyped.

    Raises ValueError for a file.
    """
    _require_no_file(store)
    if not store.root.exists():
        terminal.note(f"there is no folder {store.root}; a run would make it")


def _table(options: argparse.Namespace, console: Console) -> int:
    store = Store(options.results)
    _look_for_folder(store)
    suite = _suite(options)
    if options.name is None:
        if options.columns or options.csv:
            raise ValueError(
                "--columns and --csv show one table, and none was named: "
                f"python -m benchmarks table accuracy; there are {', '.join(benchmarks())}"
            )
        print(summary.text_summary(snapshot.Snapshot(store.root), suite))
        return 0
    why = "a table has the rows of all suites"
    _require_none_of(("suite",), options, "the table of a benchmark", why)
    name = choose(options.name, list(benchmarks()), "table")
    frame = store.table(name)
    if options.csv:
        for column in options.columns or ():
            choose(column, list(frame.columns), "column")
        frame.to_csv(sys.stdout, index=False, columns=options.columns, lineterminator="\n")
        return 0
    print(listing.listed(frame, options.columns))
    return 0


def _cite(options: argparse.Namespace, console: Console) -> int:
    store = Store(options.results)
    _look_for_folder(store)
    if options.key:
        print("\n".join(listing.origin(store, key) for key in options.key))
        return 0
    print((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    print(f"# The commits that the rows of {options.results} were measured at:")
    print("\n".join(f"# {line}" for line in listing.commits(store) or ["there are no rows"]))
    return 0


COMMANDS = {
    "plan": _plan,
    "run": _run,
    "status": _status,
    "verify": _verify,
    "table": _table,
    "cite": _cite,
}


if __name__ == "__main__":
    sys.exit(main())
