"""What this process may use of the machine: cores and memory, within the limits of a container."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")

GIB_A_JOB = 1.5
"""Memory that a measuring process may take: torch, the images as floats, a network in training."""


def cores() -> int:
    """Cores that this process may use: its affinity, and no more than its container is granted."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    granted, _, period = _limit("cpu.max").partition(" ")
    if granted.isdigit() and period.isdigit():
        count = min(count or 1, max(1, int(granted) // int(period)))
    return count or 1


def memory_gib() -> float | None:
    """Memory of the machine or of the container, None where neither can be asked."""
    found = [int(text) for text in [_limit("memory.max")] if text.isdigit()]
    with suppress(ValueError, OSError, AttributeError):  # no such question on this system
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(found) / 2**30 if found else None


def jobs() -> int:
    """Processes that may measure side by side here: one a core, as far as the memory goes."""
    memory = memory_gib()
    return cores() if memory is None else max(1, min(cores(), int(memory / GIB_A_JOB)))


def _limit(name: str) -> str:
    """A limit of this process's control group (version 2), "" where there is none."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        inside = next(line[3:] for line in lines if line.startswith("0::"))
    except (OSError, StopIteration):
        return ""
    for folder in (CGROUP / inside.lstrip("/"), CGROUP):  # a container sees its own as the root
        try:
            return (folder / name).read_text().strip()
        except OSError:
            continue
    return ""
