"""What a search over rates found, read from rows: the best rate, and how many are nearly as good.

Neither torch nor timm is imported.
"""

from __future__ import annotations

import pandas as pd


def means(rows: pd.DataFrame, column: str) -> pd.Series:
    """The mean over the seeds for each recipe; without recipes that lost a run."""
    groups = rows.dropna(subset=[column]).groupby("recipe", sort=False)[column]
    found = groups.agg(["mean", "size"])
    return found[found["size"] == found["size"].max()]["mean"].astype(float)


def best(rows: pd.DataFrame, column: str) -> str:
    """The recipe with the highest mean of a column. ValueError if there are no rows."""
    found = means(rows, column)
    if found.empty:
        raise ValueError(f"no row has {column}: there is no best recipe; measure some first")
    return str(found.idxmax())


def near(rows: pd.DataFrame, column: str, within: float) -> int:
    """How many recipes have a mean that is at most ``within`` below the highest."""
    found = means(rows, column)
    return int((found >= found.max() - within).sum())


def near_by_seed(rows: pd.DataFrame, column: str, within: float) -> list[float]:
    """The same count for each seed on its own, against that seed's best."""
    return [float(near(mine, column, within)) for _, mine in rows.groupby("seed")]
