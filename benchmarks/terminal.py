"""The terminal: what is printed where, and signals that end a command."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Console

GRACE_S = 15.0
"""How long a stopped command may take to end before another signal ends it as it is."""

STOPS = tuple(
    number
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if (number := getattr(signal, name, None)) is not None
)


class Terminal(Console):
    """A console that raises BrokenPipeError where its reader has gone, as `print` does."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def complain(text: str) -> None:
    """Print an error in red on the standard error output."""
    Console(stderr=True).print(text, style="red", markup=False, soft_wrap=True)


def note(text: str) -> None:
    """Print a note on the standard error output."""
    Console(stderr=True).print(f"note: {text}", markup=False, soft_wrap=True)


def show_all_signs(*, csv: bool) -> None:
    """A terminal without a sign shows its number; a file of values gets the sign or an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not csv:
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Signals that ask for an end raise KeyboardInterrupt meanwhile.

    SIGINT is ignored in a shell's background and heeded here; a SIGHUP that is ignored (nohup)
    stays ignored.
    """
    before = {number: signal.signal(number, _interrupt) for number in _heeded()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _heeded() -> list[int]:
    return [n for n in STOPS if n == signal.SIGINT or signal.getsignal(n) != signal.SIG_IGN]


def _interrupt(*_: object) -> None:
    """Say so at once, as what runs may take seconds to end; no second signal cuts that short."""
    until = time.monotonic() + GRACE_S

    def again(number: int, _: object) -> None:
        if time.monotonic() > until:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in _heeded():
        signal.signal(number, again)
    with suppress(OSError):
        os.write(2, b"\nstopping ...\n")
    raise KeyboardInterrupt
