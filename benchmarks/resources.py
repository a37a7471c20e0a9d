"""What this process may use of the machine: cores and memory, within the limits of a container."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")

GIB_A_JOB = 1.5
"""Memory that a measuring process may take: torch, the images as floats, a network in training."""

UNASKED = 4
"""Most processes side by side where the memory can't be asked (Windows)."""


def cores() -> int:
    """Cores that this process may use: its affinity, and no more than its container is granted."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    shares = [text.split() for text in _limits("cpu.max")]  # quota and period, "max" is no quota
    old = ("cpu.cfs_quota_us", "cpu.cfs_period_us")  # a quota of -1 is none
    shares += map(list, zip(*(_limits(name, "cpu") for name in old), strict=False))
    granted = [int(quota) // int(period) for quota, period in shares if quota.isdigit()]
    return max(1, min([count or 1, *granted]))


def memory_gib() -> float | None:
    """Memory of the machine or of the container, None where neither can be asked."""
    limits = _limits("memory.max") + _limits("memory.limit_in_bytes", "memory")
    found = [int(text) for text in limits if text.isdigit()]
    with suppress(ValueError, OSError, AttributeError):  # no such question on this system
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(found) / 2**30 if found else None


def jobs() -> int:
    """Processes that may measure side by side here: one a core, as far as the memory goes."""
    memory = memory_gib()
    most = UNASKED if memory is None else int(memory / GIB_A_JOB)
    return max(1, min(cores(), most))


def _limits(name: str, controller: str = "") -> list[str]:
    """The limits of this process's control group and of those around it.

    Those of cgroups of version 2, or of a controller of version 1, which has a tree of its own. A
    container sees its own group as the root, and may still be told its path on the host.
    """
    try:
        groups = [line.split(":", 2) for line in OWN_GROUP.read_text().splitlines()]
        inside = next(path for _, names, path in groups if controller in names.split(","))
    except (OSError, StopIteration, ValueError):
        return []
    root = CGROUP / controller
    group = root / inside.lstrip("/")
    found = []
    for folder in (group, *group.parents):
        if folder.is_relative_to(root):
            with suppress(OSError):
                found.append((folder / name).read_text().strip())
    return found
