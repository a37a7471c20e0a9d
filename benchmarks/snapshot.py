"""A store that is read once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.store import Store


class Snapshot(Store):
    """A store whose tables are read once: for readers that ask for them again and again."""

    def __init__(self, root: Path | str) -> None:
        super().__init__(root)
        self._tables: dict[str, pd.DataFrame] = {}

    def table(self, name: str) -> pd.DataFrame:
        """As ``Store.table``, as it was when first asked for."""
        if name not in self._tables:
            self._tables[name] = super().table(name)
        return self._tables[name].copy()
