"""Which packages the suite needs, read from `pyproject.toml`, and which of them are not there."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import Version

from benchmarks import OF_NOX
from benchmarks.cells import ROOT

GROUP = "bench"
OPTIONAL = "gpu"
"""A group in it that is used where it is there."""


def require() -> None:
    """Raise ValueError, before any work, if a package is missing or too old to measure with."""
    wrong = [words for requirement in requirements() if (words := lacks(requirement))]
    if wrong:
        raise ValueError(
            f"this Python lacks what the suite measures with: {'; '.join(wrong)}. Use "
            f"{OF_NOX}, which `nox -s bench` makes unless ATTN_BENCH_PYTHON is set, or "
            "install it with pip 25.1 or newer: python -m pip install . --group bench"
        )


def requirements() -> list[Requirement]:
    """The library's dependencies and those of `GROUP`, with the groups in it but the optional."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lines = [*project["project"]["dependencies"], *_of_group(project["dependency-groups"], GROUP)]
    return [Requirement(line) for line in lines]


def _of_group(groups: dict[str, list], name: str) -> Iterator[str]:
    for entry in groups[name]:
        if isinstance(entry, str):
            yield entry
        elif entry["include-group"] != OPTIONAL:
            yield from _of_group(groups, entry["include-group"])


def lacks(requirement: Requirement) -> str:
    """What is wrong with an installed package, "" where nothing is.

    A pre-release counts as what it precedes, as vendors' builds of torch have such versions.
    """
    if requirement.marker and not requirement.marker.evaluate():
        return ""
    try:
        found = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return f"{requirement.name} is not installed"
    allowed = requirement.specifier
    if any(allowed.contains(v, prereleases=True) for v in (found, Version(found).base_version)):
        return ""
    return f"{requirement.name} {found} is here, {requirement.specifier} is needed"
