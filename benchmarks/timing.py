"""The timing protocol itself: calibrated samples of several arms, interleaved in random order."""

from __future__ import annotations

import gc
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

SAMPLE_S = 0.010
WARMUP_S = 0.2

Forward = Callable[[], object]
Timer = Callable[[Forward, int], float]


@dataclass
class Timing:
    """One arm: seconds a forward in each round, forwards a sample, or why there are none."""

    seconds: list[float] = field(default_factory=list)
    calls: int = 0
    error: str = ""


@dataclass(frozen=True)
class Record:
    """The timings in the order of the arms, and the order in which each round ran them."""

    timings: list[Timing]
    order: list[list[int]]


def cpu_timer(forward: Forward, calls: int) -> float:
    """Wall-clock seconds of ``calls`` forwards."""
    start = time.perf_counter()
    for _ in range(calls):
        forward()
    return time.perf_counter() - start


def cuda_timer(cuda: Any) -> Timer:
    """A timer by two events around the calls and one wait; ``cuda`` is ``torch.cuda``."""
    start, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)

    def timer(forward: Forward, calls: int) -> float:
        start.record()
        for _ in range(calls):
            forward()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1000

    return timer


def calibrate(
    forward: Forward, timer: Timer, sample_s: float = SAMPLE_S, warmup_s: float = WARMUP_S
) -> int:
    """Forwards that fill a sample of ``sample_s`` seconds, found while warming up."""
    timer(forward, 1)
    calls, spent = 1, 0.0
    while True:
        seconds = timer(forward, calls)
        spent += seconds
        if seconds < sample_s:
            # 1.2: a warm network is faster than the calibrating one
            wanted = 1.2 * calls * sample_s / max(seconds, 1e-9)
            calls = max(calls + 1, min(math.ceil(wanted), 100 * calls))
        elif spent >= warmup_s:
            return calls


def interleave(
    forwards: Sequence[Forward | str],
    timer: Timer,
    rounds: int,
    rng: random.Random,
    sample_s: float = SAMPLE_S,
    warmup_s: float = WARMUP_S,
    begin: Callable[[int | None], object] = lambda i: None,
) -> Record:
    """One sample of every arm a round, each round in a new random order.

    A string in place of a forward is the reason why that arm can't run; an arm that raises is
    left out from there on, without samples. ``begin`` is told which arm warms up, and at last
    None, when the rounds begin.
    """
    timings = [Timing(error=f) if isinstance(f, str) else Timing() for f in forwards]
    order: list[list[int]] = []

    def attempt(i: int) -> None:
        forward, timing = forwards[i], timings[i]
        assert not isinstance(forward, str)
        try:
            if not timing.calls:
                timing.calls = calibrate(forward, timer, sample_s, warmup_s)
            else:
                timing.seconds.append(timer(forward, timing.calls) / timing.calls)
        except Exception as error:
            timings[i] = Timing(error=reason(error))

    def shuffled() -> list[int]:
        alive = [i for i, timing in enumerate(timings) if not timing.error]
        return rng.sample(alive, len(alive))

    for i in shuffled():
        begin(i)
        attempt(i)
    begin(None)
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            order.append(shuffled())
            for i in order[-1]:
                attempt(i)
    finally:
        gc.enable()
    return Record(timings, order)


def reason(error: BaseException) -> str:
    """An exception as one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
