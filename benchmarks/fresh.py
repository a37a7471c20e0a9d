"""Fresh processes: a function call in one, which ends when the process that asked ends.

Also what other files need that start a process of their own: its environment, how it ended.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.cells import ROOT


class ProcessDied(RuntimeError):
    """The process ended without an answer; the message says how."""


def in_fresh_process(function: Callable[..., Any], *arguments: Any, threads: int = 1) -> Any:
    """``function(*arguments)`` in a new Python process that has imported nothing heavy yet.

    The function is named by its module, which must not import torch at its top: the number of
    threads is in the environment before it runs. What it raises comes as a RuntimeError that names
    it. Raises ProcessDied if the process ends without an answer (a crash, memory).
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    job = (theirs, os.getpid(), threads, function, arguments)
    process = context.Process(target=_serve, args=job)
    process.start()
    theirs.close()
    try:
        good, answer = ours.recv()
        process.join(10)
    except EOFError:
        process.join(10)
        raise ProcessDied(f"the measuring process {ending(process.exitcode)}") from None
    finally:
        process.kill()
        process.join()
        ours.close()
    if not good:
        raise answer
    return answer


def keep_memory() -> bool:
    """Let this process keep the memory that it frees, where its C library is glibc.

    glibc gives large blocks back to the system, at sizes that depend on what was freed before; the
    next call then pays for a page fault every 4 KiB, up to the time of the operation itself.
    Returns whether it was done.
    """
    mmap_max, top_pad, trim_threshold = -4, -2, -1
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # not glibc, or not a Unix
        return False
    wanted = ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 2**26))
    return all(mallopt(number, value) == 1 for number, value in wanted)


KEEPING = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TOP_PAD_": str(2**26),
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
}
"""What `keep_memory` sets, as glibc reads it when a process begins."""


@contextmanager
def keeping_memory() -> Iterator[None]:
    """Processes begun meanwhile keep the memory that they free, as by `keep_memory`.

    What the user has set of malloc stays as it is.
    """
    mine = [name for name in KEEPING if name not in os.environ]
    os.environ.update((name, KEEPING[name]) for name in mine)
    try:
        yield
    finally:
        for name in mine:
            del os.environ[name]


def environment(threads: int) -> dict[str, str]:
    """Ours for a Python process that computes in so many threads and finds this checkout."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    counts = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return {**os.environ, **counts, "PYTHONPATH": os.pathsep.join(paths)}


def ending(code: int | None) -> str:
    """How a process ended, by its return code."""
    if code is not None and code < 0:
        return f"was ended by signal {signal.Signals(-code).name}"
    return f"ended with code {code}"


def _serve(
    answer: Connection,
    parent: int,
    threads: int,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=leave_with, args=(parent,), daemon=True).start()
    os.environ |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    try:
        found = True, function(*arguments)
    except Exception as error:
        found = False, RuntimeError(" ".join(f"{type(error).__name__}: {error}".split()))
    answer.send(found)


def leave_with(parent: int) -> None:
    """End this process as soon as its parent has ended; for a thread of its own."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
