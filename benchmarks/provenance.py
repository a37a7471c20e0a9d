"""Where a row comes from: the commit, the machine, the library versions, the code that made it.

Records are named by the hash of their content and carry no host and no user name.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.cells import ROOT

LIBRARIES = ("torch", "torchvision", "timm", "fvcore", "numpy", "pandas", "torchmetrics")


HANGS_S = 60.0
"""Seconds in which any command that is asked here should have answered."""


def digest(content: Any) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of the content as sorted JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _git(*args: str) -> str | None:
    """What git says of the checkout, None where there is none: an archive may lie in another."""
    if not is_checkout(ROOT):
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *args], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


@cache
def is_checkout(folder: Path) -> bool:
    """Whether a folder is a git repository itself, and not only somewhere inside one."""
    inside = _printed("git", "-C", str(folder), "rev-parse", "--is-inside-work-tree")
    return inside == "true" and not _printed("git", "-C", str(folder), "rev-parse", "--show-prefix")


@cache
def commit() -> str:
    """The commit of the checkout, or ``unknown`` outside git."""
    return _git("rev-parse", "HEAD") or "unknown"


def why_unknown() -> str:
    """Why there is no commit, as git says it or as it is."""
    if not (ROOT / ".git").exists():
        return f"{ROOT} is no clone"
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True
        )
    except OSError as error:
        return f"git can't be run ({error.strerror})"
    return " ".join(done.stderr.split()) or "git gave none"


@cache
def dirty() -> bool:
    """Whether anything but ``results/`` differs from the commit (or there is no commit).

    New files count where the suite's code is. A reader's own module beside it changes no row of
    another; for its own rows there is `holds`.
    """
    changes = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!results")
    new = _git("status", "--porcelain", "--", "attn", "benchmarks")
    return changes is None or bool(changes or new)


@cache
def holds(file: Path) -> bool:
    """Whether the commit has a file, as far as its name goes."""
    inside = file.resolve().is_relative_to(ROOT.resolve())
    return inside and bool(_git("ls-files", "--", str(file.resolve())))


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    name = platform.processor() or platform.machine()
    return " ".join(filter(None, [name, _cpu_model()]))


def _cpu_model() -> str:
    """What tells two processors of one architecture apart, on systems whose name for both is one.

    Apple's brand string; elsewhere the parts of an ARM processor, which Linux gives as numbers.
    """
    if platform.system() == "Darwin":
        return _printed("sysctl", "-n", "machdep.cpu.brand_string")
    wanted = ("CPU implementer", "CPU part", "CPU variant")
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    pairs = [tuple(part.strip() for part in line.partition(":")[::2]) for line in lines]
    found = dict.fromkeys(f"{name.split()[1]} {value}" for name, value in pairs if name in wanted)
    return ", ".join(found)


def _memory_gib() -> int | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (ValueError, OSError, AttributeError):  # no such question on this system
        return None


@cache
def machine() -> dict[str, Any]:
    """What decides a time on this machine: processor, cores, memory, system, GPUs."""
    record: dict[str, Any] = {
        "processor": _cpu_name(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "system": platform.system(),
        "gpus": _gpus(),
    }
    return record


def _gpus() -> list[str]:
    """The GPU that ``CUDA_VISIBLE_DEVICES`` names first, else all; then slices of one (MIG)."""
    query = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0].strip()
    listed = _printed("nvidia-smi", f"--id={first}", *query) if first else ""
    listed = listed or _printed("nvidia-smi", *query)
    slices = [line.strip() for line in _printed("nvidia-smi", "-L").splitlines()]
    slices = [line.partition("Device")[0] for line in slices if line.startswith("MIG ")]
    return [line.strip() for line in (*listed.splitlines(), *slices) if line.strip()]


def _printed(*command: str) -> str:
    """What a command prints, "" where it fails or there is none. OSError if it hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=HANGS_S)
    except subprocess.TimeoutExpired as error:
        raise OSError(
            f"{' '.join(command)} gave no answer in {HANGS_S:.0f} s, so rows could not say what "
            "they are of; mend that, or take it from PATH"
        ) from error
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


@cache
def environment() -> dict[str, Any]:
    """Versions of Python and of the libraries that a measurement can depend on.

    Where there is a GPU, also of what torch computes with there.
    """
    record = {"python": platform.python_version(), **versions(*LIBRARIES)}
    return {**record, **(_gpu_libraries() if machine()["gpus"] else {})}


def _gpu_libraries() -> dict[str, str | None]:
    """The CUDA that torch was built for, and the versions of CUDA, cuDNN and Triton beside it."""
    spec = find_spec("torch")  # not imported: tables are read without it
    places = spec.submodule_search_locations if spec else None
    file = Path(next(iter(places), "")) / "version.py" if places else Path()
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    built = re.search(r"^cuda\b.*?= *['\"]([^'\"]+)", text, re.MULTILINE)
    beside = {d.name: d.version for d in metadata.distributions() if _of_a_gpu(d.name)}
    return {"cuda": built[1] if built else None, **dict(sorted(beside.items()))}


def _of_a_gpu(name: str | None) -> bool:
    return bool(name) and name.startswith(("nvidia-cuda-runtime", "nvidia-cudnn", "triton"))


def versions(*names: str) -> dict[str, str | None]:
    """The installed version of each distribution, None for one that is not there."""
    return {name: _version(name) for name in names}


@cache
def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fingerprint(sources: Iterable[str | Path], configuration: Any = None) -> str:
    """Hash of what code does, with its resolved configuration (plain data).

    A source is a file or ``"file.py::name"``, one function or class of it. Comments, docstrings
    and layout do not count. Raises ValueError for a name that the file does not define.
    """
    begun = _code_hash(tuple(map(str, sources))).copy()
    begun.update(f", {json.dumps(configuration, sort_keys=True)}]".encode())
    return begun.hexdigest()[:12]


@cache
def _code_hash(sources: tuple[str, ...]) -> Any:
    """The hash of ``digest([code, configuration])`` as far as the code goes: the long part."""
    parts = []
    for source in sources:
        file, _, name = source.partition("::")
        parts.append([Path(file).name, name, _normalised(Path(file), name)])
    parts.sort(key=lambda part: part[:2])  # not by folder: a checkout may lie anywhere
    return hashlib.sha256(f"[{json.dumps(parts, sort_keys=True)}".encode())


def forget() -> None:
    """Read the sources again at the next fingerprint."""
    _code_hash.cache_clear()
    _normalised.cache_clear()


@cache
def _normalised(path: Path, name: str = "") -> Any:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not name:
        return _plain(tree)
    for node in tree.body:
        if getattr(node, "name", None) == name:
            return _plain(node)
    raise ValueError(f"{path} defines no {name!r} at its top level; mend the benchmark's `code`")


def _plain(node: Any) -> Any:
    """A syntax tree as lists, without docstrings and without fields that are empty."""
    if isinstance(node, ast.AST):
        named = {
            name: value
            for name, value in ast.iter_fields(node)
            if value not in (None, []) and (name, value) != ("is_lazy", 0)  # new in Python 3.15
        }
        if "body" in named and isinstance(named["body"], list):
            named["body"] = [s for s in named["body"] if not _is_docstring(s)]
        return [type(node).__name__, {name: _plain(value) for name, value in named.items()}]
    if isinstance(node, list):
        return [_plain(item) for item in node]
    return repr(node)


def _is_docstring(statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
