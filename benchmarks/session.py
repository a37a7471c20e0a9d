"""One fresh process that builds the arms of a comparison and times them side by side.

``python -m benchmarks.session`` reads a ``Session`` as one line of JSON on standard input and
writes a ``Record`` for each build of the arms on standard output. It ends as soon as its standard
input is closed, so that it never outlives the process that started it.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks import models
from benchmarks.device import Watch, gpu_look
from benchmarks.fresh import ending, environment
from benchmarks.timing import (
    WARMUP_S,
    Forward,
    Record,
    Timer,
    Timing,
    cpu_timer,
    cuda_timer,
    interleave,
    reason,
)


@dataclass(frozen=True)
class Session:
    """What one process times: ``arms`` are pairs (module, variant), the first two the baseline.

    An arm with a third word is in the backbone of that name. All arms are built ``builds`` times,
    and timed for ``rounds`` rounds after each.

    ``skip`` are pairs (index of an arm, why): arms that have ended a process before.
    """

    backbone: str
    arms: tuple[tuple[str, ...], ...]
    device: str = "cpu"
    precision: str = "fp32"
    layout: str = "nchw"
    image_size: int = 224
    batch_size: int = 1
    threads: int = 1
    builds: int = 1
    rounds: int = 30
    seed: int = 0
    skip: tuple[tuple[int, str], ...] = ()


class SessionDied(RuntimeError):
    """The process ended without an answer; ``arm`` is the one that it was preparing, or None."""

    def __init__(self, message: str, arm: int | None) -> None:
        super().__init__(message)
        self.arm = arm


def measure(session: Session, begin: Callable[[int | None], object]) -> list[Record]:
    """Build the arms in random order (so that none always gets the same memory) and time them.

    ``begin`` is told which arm is built or warms up, and None when the rounds begin.
    """
    import torch

    torch.set_num_threads(session.threads)
    torch.manual_seed(session.seed)
    rng = random.Random(session.seed)
    timer: Timer = cpu_timer
    look = None
    if session.device.startswith("cuda"):
        torch.cuda.set_device(torch.device(session.device).index or 0)
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = session.precision == "tf32"
        torch.set_float32_matmul_precision("high" if session.precision == "tf32" else "highest")
        timer = cuda_timer(torch.cuda)
        look = gpu_look(torch.cuda)
    records = []
    for build in range(session.builds):
        forwards = _built(session, rng, begin)
        warmup_s = WARMUP_S if build == 0 else WARMUP_S / 4  # only its own memory is still cold
        watch = Watch(look) if look else None
        words = {"warmup_s": warmup_s, "begin": begin, "watch": watch}
        with torch.inference_mode():
            record = interleave(forwards, timer, session.rounds, rng, **words)
        records.append(replace(record, clocks_mhz=watch.clocks if watch else []))
    return records


def _built(
    session: Session, rng: random.Random, begin: Callable[[int | None], object]
) -> list[Forward | str]:
    """Every arm made anew, or why it can't be."""
    skip = dict(session.skip)
    forwards: list[Forward | str] = [skip.get(i, "") for i in range(len(session.arms))]
    for i in rng.sample(range(len(session.arms)), len(session.arms)):
        if i in skip:
            continue
        begin(i)
        try:
            forwards[i] = _forward(session, *session.arms[i])
        except Exception as error:
            forwards[i] = reason(error)
    return forwards


def _forward(session: Session, module: str, variant: str, backbone: str = "") -> Forward:
    import torch

    layout = torch.channels_last if session.layout == "nhwc" else torch.contiguous_format
    model = models.create(backbone or session.backbone, module, variant)
    model = model.eval().to(session.device, memory_format=layout)
    channels = model.pretrained_cfg["input_size"][0]
    size = (session.batch_size, channels, session.image_size, session.image_size)
    images = torch.randn(size, device=session.device).to(memory_format=layout)
    kind = torch.device(session.device).type
    if session.precision != "bf16":
        return lambda: model(images)

    def forward() -> object:
        with torch.autocast(kind, dtype=torch.bfloat16):
            return model(images)

    return forward


def in_fresh_process(session: Session) -> list[Record]:
    """``measure`` in a new Python process with the thread counts in its environment.

    SessionDied if it dies. Whatever interrupts the wait ends the process.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.session"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(session.threads),
            text=True,
        )
        with child:
            try:
                answer = _ask(child, json.dumps(asdict(session)))
            finally:
                child.kill()
        last = _last(answer)
        if isinstance(last, list):
            return [Record(**{**r, "timings": [Timing(**t) for t in r["timings"]]}) for r in last]
        log.seek(0)
        words = (log.read().strip().splitlines() or ["it said nothing"])[-1]
    raise SessionDied(f"the timing process {ending(child.returncode)}: {words}", last)


def _last(answer: str) -> Any:
    """The records (a list), or the arm that had begun when the answer broke off."""
    try:
        return json.loads(answer.splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        return None


def _ask(child: subprocess.Popen[str], question: str) -> str:
    assert child.stdin and child.stdout
    try:
        child.stdin.write(question + "\n")
        child.stdin.flush()
    except BrokenPipeError:
        pass  # it died at once; its return code says so
    answer = child.stdout.read()
    child.wait()
    return answer


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


def main() -> None:
    """Answer one session: a line for each arm that begins, then the records.

    What the measured code prints goes to standard error.
    """
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    content = json.loads(sys.stdin.readline())
    pairs = {name: tuple(map(tuple, content[name])) for name in ("arms", "skip")}
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def say(what: object) -> None:
        answer.write(json.dumps(what) + "\n")
        answer.flush()

    records = measure(Session(**{**content, **pairs}), begin=say)
    say([asdict(record) for record in records])
    answer.close()


if __name__ == "__main__":
    main()
