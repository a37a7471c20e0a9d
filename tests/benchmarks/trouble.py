"""A benchmark that goes wrong on demand; `python trouble.py run ...` is the suite with it.

The recipe of a cell says what becomes of it, see `Trouble.measure`.
"""

import os
import signal
import sys
import time
from pathlib import Path

from benchmarks import cells
from benchmarks.cells import Benchmark, Busy, Cell, Column, Diverged, Selection


def cell(recipe: str, seed: int = 0, group: str = "") -> Cell:
    """What is to become of it, which repetition, and with which others it goes together."""
    return Cell("trouble", "backbone", recipe=recipe, seed=seed, data=group)


def gone(pid, seconds):
    """Whether the process ends within this time."""
    import psutil

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


class Quiet:
    """Takes note of what begins and of what is done."""

    def __init__(self):
        self.begun = []
        self.finished = []

    def begin(self, cells):
        self.begun += cells

    def done(self, finished):
        self.finished.append(finished)


class Trouble(Benchmark):
    name = "trouble"
    title = "What can go wrong"
    code = ("benchmarks/recipes.py",)
    limit_seconds = 60.0
    columns = (
        Column("third", "number", "", "a third of the seed"),
        Column("count", "integer", "", "a large integer and the seed"),
        Column("even", "boolean", "", "whether the seed is even"),
        Column("word", "string", "", "text"),
        Column("pid", "integer", "", "the process"),
    )
    wanted = tuple(os.environ.get("TROUBLE", "").split())
    """The recipes to plan, each with a seed of its own."""

    def cells(self, want: Selection):
        for seed, recipe in enumerate(self.wanted):
            yield cell(recipe, seed)

    def group(self, cell: Cell):
        return cell.data or cell

    def measure(self, cell: Cell):
        seed = cell.seed or 0
        values = {
            "third": seed / 3,
            "count": 2**60 + seed,
            "even": seed % 2 == 0,
            "word": cell.recipe,
            "pid": os.getpid(),
        }
        if cell.recipe == "fail":
            raise RuntimeError("it went\nwrong, 'badly', \"twice\"")
        if cell.recipe == "memory":
            raise MemoryError("no more")
        if cell.recipe == "diverge":
            raise Diverged("the loss is nan\rin epoch 2", {"third": 0.1, "count": 2})
        if cell.recipe == "busy":
            raise Busy("another job holds the machine")
        if cell.recipe == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if cell.recipe == "exit":
            sys.exit(3)
        if cell.recipe == "tf32":
            return {**values, "word": os.environ.get("NVIDIA_TF32_OVERRIDE", "unset")}
        if cell.recipe == "nothing":
            return None
        if cell.recipe == "unpicklable":
            return {**values, "word": lambda: None}
        if cell.recipe == "slow":
            time.sleep(1.0)
        if cell.recipe == "meet":
            self._meet(Path(os.environ["TROUBLE_MEETS"]), seed)
        if cell.recipe == "hang":
            Path(os.environ.get("TROUBLE_HANGS", os.devnull)).write_text(str(os.getpid()))
            time.sleep(600)
        return values

    @staticmethod
    def _meet(place: Path, seed: int):
        """Wait until another cell is there too."""
        (place / str(seed)).touch()
        end = time.monotonic() + 60
        while len(list(place.iterdir())) < 2:
            if time.monotonic() > end:
                raise RuntimeError("nobody came")
            time.sleep(0.02)


TROUBLE = cells._BENCHMARKS.pop("trouble")


if __name__ == "__main__":
    import trouble

    from benchmarks import __main__ as command_line

    cells._BENCHMARKS["trouble"] = trouble.TROUBLE
    sys.exit(command_line.main())
