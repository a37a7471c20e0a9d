"""Which process holds the folder of the tables: what a second run is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from filelock import Timeout

from benchmarks.store import Store, StoreError

NOTE = ".holder.lock"
"""Holds the number of the process; it lies beside the store's lock, and git ignores both."""


@contextmanager
def holding(store: Store) -> Iterator[None]:
    """`Store.writing`, with a note of this process for whoever comes while it holds the folder.

    Raises StoreError as that does; it names the process if another run holds the folder.
    """
    note = store.root / NOTE
    with ExitStack() as stack:
        try:
            stack.enter_context(store.writing())
        except StoreError as error:
            if not isinstance(error.__context__, Timeout):
                raise
            raise StoreError(f"{_process(store)}{error}") from None
        note.write_text(str(os.getpid()))
        stack.callback(note.unlink, missing_ok=True)
        yield


def _process(store: Store) -> str:
    """The process that noted itself; "" where none did, as a run of an older version."""
    with suppress(OSError, ValueError):
        return f"process {int((store.root / NOTE).read_text())} holds the folder: "
    return ""
