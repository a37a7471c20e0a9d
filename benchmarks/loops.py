"""The suite's training loop and the bare one, side by side in a process that times on request.

``python -m benchmarks.loops`` reads a ``Setup`` as one line of JSON on standard input, answers
``ready``, and then each line with the name of a loop by the seconds that one epoch of it took.
It ends when its standard input is closed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks import models
from benchmarks.fresh import environment

RECIPE = "full"
"""The recipe of both loops, that of the main table."""


@dataclass(frozen=True)
class Setup:
    """What a process times: one epoch is ``batches`` batches of the recipe."""

    backbone: str
    data: str = "fashion-mnist"
    layout: str = "nchw"
    precision: str = "fp32"
    threads: int = 1
    batches: int = 16
    seed: int = 0


class LoopFailed(RuntimeError):
    """A loop could not be timed; the message says why."""


def loops(setup: Setup) -> dict[str, Callable[[], float]]:
    """Seconds of one epoch of each loop; ``copy`` is the bare loop on a second copy of the model.

    Models and images are equal; the bare loop's batches are cut and laid out beforehand, and of
    the recipe it has the optimiser, the loss and what is changed in a fresh model.
    """
    import torch

    from benchmarks import data, training
    from benchmarks.recipes import RECIPES

    torch.set_num_threads(setup.threads)
    recipe = replace(RECIPES[RECIPE], epochs=1)
    images = data.load(setup.data)
    n = setup.batches * recipe.batch_size
    images = replace(
        images,
        train_x=images.train_x[:n],
        train_y=images.train_y[:n],
        test_x=images.test_x[:10],
        test_y=images.test_y[:10],
    )
    memory_format = torch.channels_last if setup.layout == "nhwc" else torch.contiguous_format

    def build() -> Any:
        torch.manual_seed(setup.seed)
        channels = images.train_x.shape[1]
        model = models.create(setup.backbone, num_classes=images.num_classes, in_chans=channels)
        training.prepare(model, images.normalised()[0], recipe)
        return model.to(memory_format=memory_format).train()

    mine = build()

    def suite() -> float:
        outcome = training.train(
            mine, images, recipe, seed=setup.seed, precision=setup.precision, layout=setup.layout
        )
        return n / outcome.images_per_second

    parts = [x.contiguous() for x in images.normalised()[0].split(recipe.batch_size)]
    parts = [x.contiguous(memory_format=memory_format) for x in parts]
    batches = list(zip(parts, images.train_y.split(recipe.batch_size), strict=True))
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=setup.precision == "bf16")

    def bare(model: Any) -> Callable[[], float]:
        optimizer = training._optimizer(model, recipe)
        for group in optimizer.param_groups:
            group["lr"] = 0.01

        def epoch() -> float:
            start = time.perf_counter()
            for x, y in batches:
                with autocast:
                    loss = torch.nn.functional.cross_entropy(
                        model(x), y, label_smoothing=recipe.label_smoothing
                    )
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            return time.perf_counter() - start

        return epoch

    return {"suite": suite, "bare": bare(build()), "copy": bare(build())}


class Process:
    """A fresh process with the loops of a setup; use it as a context. Raises LoopFailed."""

    def __init__(self, setup: Setup) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.loops"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(setup.threads),
            text=True,
        )
        self.ask(json.dumps(asdict(setup)))

    def ask(self, line: str) -> None:
        """Send a line; ``answer`` waits for what became of it."""
        assert self.child.stdin
        try:
            self.child.stdin.write(line + "\n")
            self.child.stdin.flush()
        except BrokenPipeError as error:
            raise LoopFailed(f"the process ended with code {self.child.wait()}") from error

    def answer(self) -> str:
        """The next line."""
        assert self.child.stdout
        line = self.child.stdout.readline().strip()
        if not line:
            raise LoopFailed(f"the process ended with code {self.child.wait()}")
        if line.startswith("error: "):
            raise LoopFailed(line.removeprefix("error: "))
        return line

    def seconds(self, loop: str) -> float:
        """One epoch of a loop."""
        self.ask(loop)
        return float(self.answer())

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()
        self.child.communicate()


def main() -> None:
    """Answer until standard input is closed; what the measured code prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(what: object) -> None:
        answers.write(f"{what}\n")
        answers.flush()

    try:
        known = loops(Setup(**json.loads(sys.stdin.readline())))
        say("ready")
        for line in sys.stdin:
            say(known[line.strip()]())
    except Exception as error:
        say("error: " + " ".join(f"{type(error).__name__}: {error}".split()))


if __name__ == "__main__":
    main()
