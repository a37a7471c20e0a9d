"""Plan and run: the cells of a selection, less those that the store already has.

A row is current while the code that decides its value is unchanged; a stale one stays until it is
measured again: cheap benchmarks at the next run, trained ones only when asked, or beside a
reader's own module.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import engine, provenance, resources, tables
from benchmarks.cells import (
    ROOT,
    Benchmark,
    Cell,
    Selection,
    benchmarks,
    choose,
)
from benchmarks.own_modules import is_own, source_file
from benchmarks.schema import columns
from benchmarks.store import Store, row
from benchmarks.watch import Watch

KEPT = "kept"
"""Status of what gave no value this time and keeps its earlier row; no row has it."""


@dataclass
class Plan:
    """What is left to measure, and why the rest is not."""

    todo: dict[str, list[Cell]] = field(default_factory=dict)
    seconds: dict[Cell, float] = field(default_factory=dict)
    """Estimated time of each cell to do."""
    guessed: set[Cell] = field(default_factory=set)
    """Cells whose time is a guess, as no row is like them."""
    current: int = 0
    stale: list[Cell] = field(default_factory=list)
    """Rows whose code has changed and that are kept until `--stale` asks for them again."""
    beside: set[Cell] = field(default_factory=set)
    """Cells that are timed only beside a user's module: their rows stay those of their session."""
    failed: list[Cell] = field(default_factory=list)
    """Rows of the selection that failed before; kept until `--retry` asks for them again."""

    def most_processes(self, jobs: int | None) -> int:
        """The most processes that measure at a time, see `processes`."""
        counts = [processes(benchmarks()[name], cells, jobs) for name, cells in self.todo.items()]
        return max(counts, default=1)

    def wall_seconds(self, jobs: int | None) -> float:
        """Estimated wall-clock time with ``jobs`` processes, see `processes`."""
        total = 0.0
        for name, cells in self.todo.items():
            work = sum(self.seconds[cell] for cell in cells)
            total += work / processes(benchmarks()[name], cells, jobs)
        return total


def processes(benchmark: Benchmark, cells: Iterable[Cell], jobs: int | None) -> int:
    """How many processes measure at a time: one for times and on a GPU for memory, else ``jobs``.

    If that is None, one on a GPU, else as many as cores and memory allow; no more than there are
    groups of cells.
    """
    cells = list(cells)
    on_gpu = any(cell.device.startswith("cuda") for cell in cells)
    if benchmark.exclusive or (on_gpu and not benchmark.trained):
        return 1
    wanted = jobs or (1 if on_gpu else resources.jobs())
    return max(1, min(wanted, len({benchmark.group(cell) for cell in cells})))


@cache
def _module_files(module: str) -> tuple[Path, ...]:
    """The file of a module, and those of `attn` that it calculates with."""
    return () if module == "none" else tuple(with_imports(source_file(module)))


def with_imports(file: Path) -> list[Path]:
    """A file and the files of `attn` that it imports anywhere, and what those import.

    Not `attn.arguments`, which refuses bad options; what widths it gives shows in the layers.
    """
    found, files = [], [file]
    while files:
        file = files.pop()
        if file in found or not file.exists():
            continue
        found.append(file)
        tree = ast.parse(file.read_text(encoding="utf-8"))
        inside = "attn" if file.parent == ROOT / "attn" else ""
        names = [name for node in ast.walk(tree) for name in _imported(node, inside)]
        names = [name for name in names if name.startswith("attn.") and name != "attn.arguments"]
        files += [ROOT / f"{name.replace('.', '/')}.py" for name in names]
    return found


def _imported(node: ast.AST, package: str) -> list[str]:
    """What a statement may import, modules and names in them, by their full names.

    ``package`` is what a leading dot stands for.
    """
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    words = [package] if node.level else []
    words += [node.module] if node.module else []
    return [".".join([*words, *more]) for more in ([], *([alias.name] for alias in node.names))]


def sources(benchmark: Benchmark, cell: Cell) -> list[str]:
    """The code that decides the value of a cell: the benchmark's and the module's."""
    code = [f"{ROOT}/{name}" for name in benchmark.code]
    return code + [file for file in map(str, _module_files(cell.module)) if file not in code]


def fingerprint(benchmark: Benchmark, cell: Cell) -> str:
    """Hash of what decides the value of a cell: the code and the benchmark's configuration."""
    return provenance.fingerprint(sources(benchmark, cell), benchmark.configuration(cell))


def plan(
    want: Selection,
    store: Store,
    *,
    only: Sequence[str] = (),
    stale: bool = False,
    retry: bool = False,
    again: bool = False,
) -> Plan:
    """Compare the selection with the store. Raises ValueError for an unknown benchmark name.

    Beside a reader's own module the bare backbone is trained again where its row is stale: a pair
    is of one code. Its current values stay there, ``again`` or not, unless the bare backbone was
    named too: it has not changed. What is timed side by side is timed again as a whole. The bare
    backbone that is timed beside a user's module, and has a current row, keeps that row: it belongs
    to the session of the others.
    """
    known = benchmarks()
    for name in only:
        choose(name, list(known), "benchmark")
    result = Plan()
    beside_own = any(is_own(module) for module, _ in want.modules or ())
    unnamed = beside_own and ("none", "") not in (want.modules or ())
    for name, benchmark in known.items():
        if only and name not in only:
            continue
        rows = tables.Rows(benchmark, store)
        cells = list(dict.fromkeys(benchmark.cells(want)))
        todo: list[Cell] = []
        current: set[Cell] = set()
        for cell in cells:
            found = rows.find(cell)
            kept = found and found.status == "ok" and cell.module == "none" and unnamed
            if (again and not kept) or found is None or (retry and found.status != "ok"):
                todo.append(cell)
            elif not rows.codes.gives(found, fingerprint(benchmark, cell)):
                own = is_own(cell.module)  # short runs, and the reader is at work on it
                redo = stale or own or not benchmark.trained
                (todo if redo else result.stale).append(cell)
            elif found.status != "ok":
                result.failed.append(cell)
            else:
                current.add(cell)
        if beside_own and (bare := [cell for cell in result.stale if cell.module == "none"]):
            result.stale = [cell for cell in result.stale if cell.module != "none"]
            redone = {*todo, *bare}
            todo = [cell for cell in cells if cell in redone]
        if todo and benchmark.exclusive:
            again_too = {benchmark.group(cell) for cell in todo}
            todo = [cell for cell in cells if benchmark.group(cell) in again_too]
            result.stale = [cell for cell in result.stale if cell not in todo]
            result.failed = [cell for cell in result.failed if cell not in todo]
            if want.modules:
                result.beside |= {c for c in current & set(todo) if c.module == "none"}
        result.current += len(current - set(todo))
        if todo:
            result.todo[name] = todo
            times = _known_times(todo, rows.table)
            for cell in todo:
                result.seconds[cell] = times.get(cell) or benchmark.guess(cell)
            result.guessed |= set(todo) - set(times)
    return result


def _known_times(todo: list[Cell], table: pd.DataFrame) -> dict[Cell, float]:
    """Seconds of the cells that have rows of the same work, or else of the same backbone.

    Rows of this kind of machine come before those of others.
    """
    done = table[table["status"] == "ok"]
    near = ["device", "backbone", "recipe"]
    alike = [*near, "module", "threads"]
    places = (done[done["machine"] == tables.here()], done)
    known = [
        rows.groupby(columns, dropna=False)["seconds"].median().to_dict()
        for rows in places
        for columns in (alike, near)
    ]
    result = {}
    for cell in todo:
        threads = cell.threads if cell.threads is not None else pd.NA
        key = (cell.device, cell.backbone, cell.recipe)
        keys = [(*key, cell.module, threads), key]
        found = (times.get(one) for times, one in zip(known, 2 * keys, strict=True))
        if seconds := next(filter(None, found), None):
            result[cell] = seconds
    return result


def groups(benchmark: Benchmark, cells: Iterable[Cell]) -> list[list[Cell]]:
    """Cells that are measured together, in the order in which their first one comes."""
    found: dict[Any, list[Cell]] = {}
    for cell in cells:
        found.setdefault(benchmark.group(cell), []).append(cell)
    return list(found.values())


def run(
    work: Plan,
    store: Store,
    *,
    jobs: int | None,
    show: Any,
    judge: Callable[[dict[str, Any]], tuple[str, str]] | None = None,
) -> dict[str, int]:
    """Measure what the plan holds and store each row as it comes; returns counts by status.

    ``show`` is told of what begins (`begin`) and what is done (`done`), see ``progress``. ``judge``
    gets each row and gives a status and a reason; the row is stored if its status is the same.
    Nothing is stored of what found the machine busy, nor of what crashed or ran too long where a
    row of this machine has a value. The code is fingerprinted before the first measurement. Raises
    StoreError when it changes later: what a worker then ran is unknown, so that row is not stored.
    """
    provenance.forget()  # the code of now: workers import it
    provenance.commit()  # kept from now on, as the fingerprints are
    provenance.dirty()
    counts: dict[str, int] = {}
    used = {
        name: {source for cell in cells for source in sources(benchmarks()[name], cell)}
        for name, cells in work.todo.items()
    }
    watch = Watch(set().union(*used.values()))
    prints = {
        cell: fingerprint(benchmarks()[name], cell)
        for name, cells in work.todo.items()
        for cell in cells
    }
    for name, cells in work.todo.items():
        benchmark = benchmarks()[name]
        watch.check(used[name])
        allowed = {c.name for c in columns(benchmark)}
        at_a_time = processes(benchmark, cells, jobs)
        results = engine.measure(benchmark, groups(benchmark, cells), at_a_time, show.begin)
        try:
            for finished in results:
                unknown = set(finished.values) - allowed
                if unknown:
                    raise KeyError(f"{name} measured {sorted(unknown)}, which are no columns of it")
                watch.check(used[name])
                made = _row(finished, prints[finished.cell])
                if judge:
                    status, reason = judge(made)
                    finished = replace(finished, status=status, reason=reason)
                beside = finished.cell in work.beside
                lost = finished.status in engine.ENDED and _has_value(store, name, made)
                if lost or (beside and finished.status not in ("ok", engine.BUSY)):
                    finished = replace(finished, status=KEPT, reason=_why_kept(finished))
                kept = beside or finished.status == engine.BUSY
                if finished.status == made["status"] and not kept:
                    store.append(name, made)
                counts[finished.status] = counts.get(finished.status, 0) + 1
                show.done(finished)
        finally:
            results.close()
    return counts


def _has_value(store: Store, name: str, made: dict[str, Any]) -> bool:
    """Whether the table has a value of the same cell and machine."""
    rows = tables.ok(store.table(name))
    return bool(((rows["key"] == made["key"]) & (rows["machine"] == made["machine"])).any())


def _why_kept(finished: engine.Finished) -> str:
    return f"{finished.status}: {finished.reason}; its earlier row stays"


def _row(finished: engine.Finished, code: str) -> dict[str, Any]:
    how = {"status": finished.status, "reason": finished.reason}
    seconds = round(finished.seconds, 3)
    made = row(finished.cell, finished.values, code, **how, seconds=seconds)
    module = finished.cell.module
    if is_own(module):  # of a file that the commit may not have
        made["dirty"] |= not all(map(provenance.holds, _module_files(module)))
    return made
