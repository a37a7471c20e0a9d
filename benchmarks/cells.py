"""The words of the suite: a cell is one thing to measure, a benchmark turns cells into rows.

Nothing here imports torch, so that tables can be read without it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Literal

from benchmarks import FILES

ROOT = Path(__file__).resolve().parent.parent

_BENCHMARKS: dict[str, Benchmark] = {}

MODULES = ("none", "se", "cbam", "sk", "pam", "cam", "danet", "eca", "coord")
"""The arms of every comparison: the bare backbone and the modules of the six papers."""


@dataclass(frozen=True)
class Column:
    """One column of a table: its name, type, unit ("" if it has none) and what it says."""

    name: str
    type: Literal["string", "integer", "number", "boolean"]
    unit: str
    description: str


@dataclass(frozen=True)
class Cell:
    """One thing to measure. It says everything that its measurement needs.

    ``module`` is a registered name, ``none`` for the bare backbone, or ``package:Class``;
    ``variant`` holds the module's options as ``"reduction=8 bias=False"``; ``seed`` is the number
    of the repetition (the random seed itself is derived from it, see ``accuracy``). A field that a
    benchmark does not use stays at its default and does not enter the key.
    """

    benchmark: str
    backbone: str
    module: str = "none"
    variant: str = ""
    data: str = ""
    recipe: str = ""
    seed: int | None = None
    device: str = "cpu"
    precision: str = "fp32"
    layout: str = "nchw"
    image_size: int | None = None
    batch_size: int | None = None
    threads: int | None = None

    @property
    def key(self) -> str:
        """Hash of the content, 12 hexadecimal digits; fields left empty do not enter it."""
        content = {k: v for k, v in asdict(self).items() if v not in (None, "")}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def arm(self) -> str:
        """The module with its options, as people read it."""
        return f"{self.module} {self.variant}".strip()

    def __str__(self) -> str:
        """What `speed` draws its random numbers from: it stays as it is. People read `title`."""
        words = [self.benchmark, self.backbone, self.arm, self.data, self.recipe]
        if self.seed is not None:
            words.append(f"seed {self.seed}")
        if self.threads is not None:
            words.append(f"{self.threads} threads")
        return " · ".join(w for w in words if w)

    @property
    def title(self) -> str:
        """The cell in words that tell it from the others of its benchmark."""
        words = [self.benchmark, self.backbone, self.arm, self.data, self.recipe]
        if self.seed is not None:
            words.append(f"seed {self.seed}")
        usual = {"device": "cpu", "precision": "fp32", "layout": "nchw"}
        words += [getattr(self, name) for name in usual if getattr(self, name) != usual[name]]
        if self.image_size is not None:
            words.append(f"{self.image_size} px")
        if self.batch_size is not None:
            words.append(f"batch of {self.batch_size}")
        if self.threads is not None:
            words.append(f"{self.threads} thread{'' if self.threads == 1 else 's'}")
        return " · ".join(w for w in words if w)


CELL_COLUMNS = (
    Column("benchmark", "string", "", "benchmark that the cell belongs to"),
    Column("backbone", "string", "", "timm architecture"),
    Column("module", "string", "", "attention module; none is the bare backbone"),
    Column("variant", "string", "", "options of the module that differ from its defaults"),
    Column("data", "string", "", "data set"),
    Column("recipe", "string", "", "training recipe"),
    Column("seed", "integer", "", "repetition; equal numbers are paired across modules"),
    Column("device", "string", "", "device: cpu, cuda or meta"),
    Column("precision", "string", "", "numeric precision"),
    Column("layout", "string", "", "memory layout: nchw or nhwc (channels last)"),
    Column("image_size", "integer", "px", "height and width of the input"),
    Column("batch_size", "integer", "images", "images in a batch"),
    Column("threads", "integer", "", "threads of one process"),
)
assert tuple(c.name for c in CELL_COLUMNS) == tuple(f.name for f in fields(Cell))


@dataclass(frozen=True)
class Suite:
    """A named choice of cells and the device it is meant for."""

    name: str
    device: str
    description: str


SUITES = {
    s.name: s
    for s in (
        Suite("quick", "cpu", "a preview of everything in minutes on two cores"),
        Suite("cpu", "cpu", "the published tables that a processor can measure"),
        Suite("gpu", "cuda", "latency, memory and training on one NVIDIA GPU"),
    )
}


@dataclass(frozen=True)
class Selection:
    """What a user asked for: a suite, and what to take instead of the suite's own choice.

    ``modules`` are pairs (name, variant); ``None`` means the suite's choice.
    """

    suite: str = "quick"
    modules: tuple[tuple[str, str], ...] | None = None
    backbones: tuple[str, ...] | None = None
    device: str = "cpu"

    def arms(self) -> tuple[tuple[str, str], ...]:
        """The pairs (module, variant) to measure, the bare backbone first."""
        chosen = self.modules or tuple((name, "") for name in MODULES)
        return (("none", ""), *(arm for arm in chosen if arm != ("none", "")))


class Diverged(RuntimeError):
    """A training run whose loss left the finite numbers; its row keeps what was measured."""

    def __init__(self, message: str, values: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.values = values or {}


class Busy(RuntimeError):
    """The machine can't measure now. It says nothing of a cell, so no row is stored of it."""


class Benchmark:
    """What to measure and how. Subclass it in a file of its own and name the file in ``FILES``.

    ``cells`` lists what a selection asks for, ``measure`` returns the values of ``columns`` for
    one cell. Cells with an equal ``group`` are handed to ``measure_group`` together, for
    measurements that only mean something side by side. No benchmark writes a file.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    columns: ClassVar[tuple[Column, ...]] = ()
    code: ClassVar[tuple[str, ...]] = ()
    """Files, relative to the checkout, whose source decides the values (beside the module's);
    ``"file.py::name"`` is one function or class of a file."""
    trained: ClassVar[bool] = False
    """Expensive: a stale row is measured again only when asked (``--stale``)."""
    exclusive: ClassVar[bool] = False
    """Times something: one process at a time, nothing beside it."""
    rounds_fp32: ClassVar[bool] = False
    """Says itself, cell by cell, where a GPU may round fp32 (TF32); for others it never does."""
    plugs: ClassVar[bool] = True
    """A cell whose model can't be built is the user's mistake, not a finding."""
    needs: ClassVar[str] = ""
    """What to do where no suite has cells here, in words."""
    default_seconds: ClassVar[float] = 1.0
    """First guess of the time of a cell, until rows tell better (see ``guess``)."""
    limit_seconds: ClassVar[float] = 3600.0
    """A group of cells that runs longer than this, for each of its cells, is stopped."""

    def cells(self, want: Selection) -> Iterator[Cell]:
        """Every cell of the selection, cheapest comparison first."""
        raise NotImplementedError(f"{type(self).__name__} does not say which cells it has")

    def check(self, cells: Sequence[Cell]) -> None:
        """Raise before any work if these cells can't be measured here (data, device)."""

    def same_machine(self, cell: Cell) -> bool:
        """Whether only a row of this machine counts as measured."""
        return False

    def configuration(self, cell: Cell) -> Any:
        """What else decides the values, as plain data: the fingerprint of a row covers it."""
        return None

    def guess(self, cell: Cell) -> float:
        """Seconds that a cell may take, before any row tells."""
        return self.default_seconds

    def group(self, cell: Cell) -> Hashable:
        """Cells with an equal group are measured together."""
        return cell

    def measure(self, cell: Cell) -> dict[str, Any]:
        """The values of ``columns`` for one cell."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it measures")

    def measure_group(
        self, cells: Sequence[Cell]
    ) -> Iterator[tuple[Cell, dict[str, Any] | Exception]]:
        """The values of each cell of one group, or the exception that became of it."""
        for cell in cells:
            try:
                yield cell, self.measure(cell)
            except Exception as error:
                yield cell, error

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.name:
            return
        other = _BENCHMARKS.get(cls.name)
        if other is not None and other.__class__.__qualname__ != cls.__qualname__:
            raise ValueError(
                f"benchmark name {cls.name!r} is taken by {type(other).__qualname__}; "
                f"give {cls.__qualname__} another name"
            )
        _BENCHMARKS[cls.name] = cls()


def benchmarks() -> dict[str, Benchmark]:
    """All benchmarks by name: those of ``FILES``, then others that were imported."""
    for file in FILES:
        importlib.import_module(f"benchmarks.{file}")
    names = sorted(_BENCHMARKS, key=lambda n: FILES.index(n) if n in FILES else len(FILES))
    return {name: _BENCHMARKS[name] for name in names}


def is_readers_own(module: str) -> bool:
    """Whether a module is one of a reader's own file, named as file:Class."""
    return ":" in module and not module.startswith(("benchmarks.", "timm."))


def choose(asked: str, allowed: Sequence[str], what: str) -> str:
    """``asked`` if it is allowed, else a ValueError that lists what is."""
    if asked in allowed:
        return asked
    near = get_close_matches(asked, allowed, n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(f"unknown {what} {asked!r}; allowed: {', '.join(allowed)}.{hint}")
