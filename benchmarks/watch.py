"""Notices that code changes while a run measures with it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks import provenance
from benchmarks.store import StoreError


class Watch:
    """Notices that code changed since a run began."""

    def __init__(self, sources: Iterable[str]) -> None:
        self.seen = {source: self._state(source) for source in sources}

    def _state(self, source: str) -> tuple[int, str]:
        return Path(source.partition("::")[0]).stat().st_mtime_ns, provenance.fingerprint([source])

    def check(self, sources: Iterable[str]) -> None:
        """Raise StoreError if one of these sources does something else now."""
        for source in sources:
            written, before = self.seen[source]
            try:
                if Path(source.partition("::")[0]).stat().st_mtime_ns == written:
                    continue
                provenance.forget()
                self.seen[source] = now = self._state(source)
            except (OSError, SyntaxError, ValueError):
                now = 0, ""  # gone, or half written
            if now[1] != before:
                raise StoreError(
                    f"{source} changed since this run began; what it has stored is kept, and the "
                    "same command goes on with the code as it is now"
                )
