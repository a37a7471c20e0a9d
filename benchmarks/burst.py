"""A load that comes and goes: ``python -m benchmarks.burst SEED`` is busy and idle by turns.

Busy and idle periods last between 5 and 200 ms each, drawn evenly from a generator with that seed,
so that half of one processor is used. Half of the busy periods add up numbers, the other half copy
8 MB of memory over and over. It ends when its standard input is closed, so with whoever started it.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHORTEST_S, LONGEST_S = 0.005, 0.200


@contextmanager
def bursts(seeds: tuple[int, ...]) -> Iterator[None]:
    """One such process for each seed while the context lasts."""
    root = str(Path(__file__).resolve().parent.parent)
    command = [sys.executable, "-m", "benchmarks.burst"]
    children = [
        subprocess.Popen([*command, str(seed)], stdin=subprocess.PIPE, cwd=root) for seed in seeds
    ]
    try:
        if children:
            time.sleep(1.0)  # until they are at it
        yield
    finally:
        for child in children:
            child.kill()
            child.communicate()


def _alternate(rng: random.Random) -> None:
    copied, copy = bytearray(2**23), bytearray(2**23)
    while True:
        moves = rng.random() < 0.5
        end = time.perf_counter() + rng.uniform(SHORTEST_S, LONGEST_S)
        while time.perf_counter() < end:
            if moves:
                copy[:] = copied
            else:
                sum(range(2000))
        time.sleep(rng.uniform(SHORTEST_S, LONGEST_S))


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _alternate(random.Random(int(sys.argv[1])))
