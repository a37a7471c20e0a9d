"""The tables of a folder as they were when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.reproduced import Codes
from benchmarks.store import Store


class Snapshot(Store):
    """A store whose tables are read once: for readers that ask for them again and again."""

    def __init__(self, root: Path | str) -> None:
        super().__init__(root)
        self._found: dict[tuple[str, str], Any] = {}

    def table(self, name: str) -> pd.DataFrame:
        """As ``Store.table``, as it was when first asked for."""
        return self._once(super().table, name).copy(deep=False)

    def codes(self, name: str) -> Codes:
        """As ``Store.codes``, as they were when first asked for."""
        return self._once(super().codes, name)

    def by_code(self, name: str) -> pd.DataFrame:
        """As ``Store.by_code``, as it was when first asked for."""
        return self._once(super().by_code, name).copy(deep=False)

    def _once(self, read: Callable[[str], Any], name: str) -> Any:
        key = read.__name__, name
        if key not in self._found:
            self._found[key] = read(name)
        return self._found[key]
