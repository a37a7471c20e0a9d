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


PREEMPTED = 0.02
"""A sample is counted as preempted when its thread was off the processor for this share of it."""


@dataclass
class Timing:
    """One arm: seconds a forward in each round, forwards a sample, or why there are none.

    ``busy`` is the processor time of this thread in the same samples, also a forward.
    """

    seconds: list[float] = field(default_factory=list)
    calls: int = 0
    error: str = ""
    busy: list[float] = field(default_factory=list)

    @property
    def preempted(self) -> int:
        """Samples in which the thread had to wait for the processor."""
        pairs = zip(self.seconds, self.busy, strict=False)
        return sum(wall - busy > PREEMPTED * wall for wall, busy in pairs)


@dataclass(frozen=True)
class Record:
    """The timings in the order of the arms, and the order in which each round ran them.

    ``discarded`` counts the rounds that were thrown away, by reason; ``clocks_mhz`` are the clocks
    of a GPU at the ends of the rounds.
    """

    timings: list[Timing]
    order: list[list[int]]
    discarded: dict[str, int] = field(default_factory=dict)
    clocks_mhz: list[int] = field(default_factory=list)


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
    watch: Callable[[], str] | None = None,
) -> Record:
    """One sample of every arm a round, each round in a new random order.

    A string in place of a forward is the reason why that arm can't run; an arm that raises is
    left out from there on, without samples. ``begin`` is told which arm warms up, and at last
    None, when the rounds begin. ``watch`` is asked after each round why it doesn't count ("" if it
    does); a round with a reason is thrown away and another one run, until as many were thrown away
    as were wanted.
    """
    timings = [Timing(error=f) if isinstance(f, str) else Timing() for f in forwards]
    order: list[list[int]] = []
    discarded: dict[str, int] = {}

    def attempt(i: int) -> None:
        forward, timing = forwards[i], timings[i]
        assert not isinstance(forward, str)
        try:
            if not timing.calls:
                timing.calls = calibrate(forward, timer, sample_s, warmup_s)
                return
            before = time.thread_time()
            seconds = timer(forward, timing.calls)
            busy = time.thread_time() - before
            timing.seconds.append(seconds / timing.calls)
            timing.busy.append(busy / timing.calls)
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
        if watch:
            watch()  # what came before the first round is not its fault
        while len(order) < rounds and sum(discarded.values()) < rounds:
            order.append(shuffled())
            for i in order[-1]:
                attempt(i)
            if watch and (why := watch()):
                discarded[why] = discarded.get(why, 0) + 1
                _forget(timings, order.pop())
    finally:
        gc.enable()
    return Record(timings, order, discarded)


def _forget(timings: Sequence[Timing], arms: Sequence[int]) -> None:
    """Take back the last sample of these arms."""
    for timing in (timings[i] for i in arms if not timings[i].error):
        timing.seconds.pop()
        timing.busy.pop()


def reason(error: BaseException) -> str:
    """An exception as one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
