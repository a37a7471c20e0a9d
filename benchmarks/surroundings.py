"""What a timing job runs in: load, frequency governor, processors, memory allocation."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.cells import Column

COLUMNS = (
    Column("load_average", "number", "processes", "load of the machine before the session"),
    Column("governor", "string", "", "frequency governor of the processor, if it can be read"),
    Column("affinity", "string", "", "processors that the process may run on"),
    Column("malloc", "string", "", "C library, preloaded libraries and settings of malloc"),
)
"""The columns of what is timed on a processor alone."""


PLACE = r"[~./\w-]*/[^\s,:;]*"
"""A path: no table names a reader's folders."""


def of_processor() -> dict[str, Any]:
    """The values of ``COLUMNS`` now."""
    found = surroundings("cpu")
    return {column.name: found[column.name] for column in COLUMNS}


def surroundings(device: str) -> dict[str, Any]:
    """The columns of `latency` that say what else decides its times."""
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    try:
        name = governor.read_text().strip()
    except OSError:
        name = ""
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return {
        "load_average": load,
        "governor": name,
        "affinity": affinity(),
        "malloc": malloc(os.environ),
        "cudnn_benchmark": True if device.startswith("cuda") else None,
    }


def affinity() -> str:
    """Processors that this process may run on as ranges, ``0-3,8``; "" where none can be asked."""
    if not hasattr(os, "sched_getaffinity"):
        return ""
    allowed = sorted(os.sched_getaffinity(0))
    starts = [n for n in allowed if n - 1 not in allowed]
    ends = [n for n in allowed if n + 1 not in allowed]
    pairs = zip(starts, ends, strict=True)
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in pairs)


def malloc(environment: Mapping[str, str]) -> str:
    """C library, preloaded libraries (file names only) and what is set of malloc.

    ``glibc 2.39``, ``glibc 2.39; LD_PRELOAD=libtcmalloc.so.4; MALLOC_ARENA_MAX=2``.
    """
    words = [" ".join(platform.libc_ver()).strip() or platform.system()]
    preloaded = [Path(name).name for name in re.split("[: ]+", environment.get("LD_PRELOAD", ""))]
    if any(preloaded):
        words.append(f"LD_PRELOAD={','.join(filter(None, preloaded))}")
    for name in sorted(environment):
        if name.startswith("MALLOC_") or name == "GLIBC_TUNABLES":
            words.append(f"{name}={re.sub(PLACE, '(a path)', environment[name])}")
    return "; ".join(words)
