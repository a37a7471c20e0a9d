"""What git knows of this checkout and of the commits that rows name; no torch is needed.

Whether a row is of older code is read from the files that its benchmark and its module name: what
they did at the row's commit, and what they do now. A row's fingerprint says more (recipes, layers,
versions of libraries), but only torch can calculate it again.
"""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import provenance
from benchmarks.cells import ROOT, Benchmark
from benchmarks.runner import with_imports

SHORT = 10
"""Digits of a commit that pages show."""

FOLDERS = ("attn", "benchmarks")


def git(*arguments: str) -> bytes | None:
    """What a command of git prints, None where it fails or the checkout has no git of its own."""
    if not provenance.is_checkout(ROOT):
        return None
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        return subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def head() -> str:
    """The commit of the checkout, short, and whether anything differs from it; or ``unknown``."""
    commit = git("rev-parse", f"--short={SHORT}", "HEAD")
    if commit is None:
        return "unknown"
    changed = git("status", "--porcelain") != b""
    return commit.decode().strip() + " with changes that are in no commit" * changed


def year() -> str:
    """The year of the checkout's commit; "" where there is no git."""
    return (git("show", "--no-patch", "--format=%cs", "HEAD") or b"").decode()[:4]


def older(benchmark: Benchmark, module: str, commit: str) -> bool | None:
    """Whether code that decides a row's values has changed since its commit.

    None if it can't be told: the commit is not in this history, or the module is a user's own.
    """
    files, changed = module_files(module), _changed(commit)
    if changed is None:
        return None
    parts = [source.partition("::") for source in (*benchmark.code, *(files or ()))]
    if any(_differs(file, name, commit) for file, _, name in parts if file in changed):
        return True
    return None if files is None else False


@cache
def _changed(commit: str) -> frozenset[str] | None:
    """Files of the suite that differ from a commit, as paths in the checkout."""
    listed = git("diff", "--name-only", "--no-renames", "--relative", "-z", commit, "--", *FOLDERS)
    if listed is None:
        return None
    new = git("ls-files", "--others", "--exclude-standard", "-z", "--", *FOLDERS) or b""
    return frozenset((listed + new).decode().split("\0")) - {""}


@cache
def _differs(file: str, name: str, commit: str) -> bool:
    """Whether a file, or a function or class of it, did something else at a commit."""
    then = git("show", f"{commit}:./{file}")
    if then is None:
        return True
    now = provenance.fingerprint([f"{ROOT / file}::{name}"])
    with TemporaryDirectory() as folder:
        old = Path(folder) / Path(file).name
        old.write_bytes(then)
        try:
            return provenance.fingerprint([f"{old}::{name}"]) != now
        except ValueError:  # the file did not define the name
            return True


@cache
def module_files(module: str) -> tuple[str, ...] | None:
    """The file of a module and those of `attn` that it imports, as `runner.sources` has them.

    Of timm's modules there is none: the row's environment names their release. None for a module
    that is neither of `attn` nor of the suite, which names some of its own as ``benchmarks.x:X``.
    """
    if module == "none" or module.startswith("timm."):
        return ()
    package, named, _ = module.partition(":")
    if named and package.startswith("benchmarks."):
        file = ROOT / f"{package.replace('.', '/')}.py"
    else:
        file = ROOT / "attn" / f"{_builtin().get(module, '')}.py"
    found = with_imports(file)
    return tuple(path.relative_to(ROOT).as_posix() for path in found) or None


@cache
def _builtin() -> dict[str, str]:
    """The file of each module by name, read from the text of the registry, which imports torch."""
    tree = ast.parse((ROOT / "attn" / "registry.py").read_text(encoding="utf-8"))
    (table,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_BUILTIN"
    )
    assert isinstance(table, ast.Dict)
    pairs = zip(table.keys, table.values, strict=True)
    return {
        ast.literal_eval(key): ast.literal_eval(made.args[0])
        for key, made in pairs
        if key is not None and isinstance(made, ast.Call)
    }
