"""What a column holds: its kind, its numbers, its shape."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = {"least": 0.0, "lower": 0.25, "median": 0.5, "upper": 0.75, "most": 1.0}
BINS = 20
# Text values that stand on more than this share of the rows, each its own, are no categories but free text.
FREE = 0.5
# Rows by which the kind of a column is judged.
JUDGED = 1000


def kind_of(values: Sequence[Any]) -> str:
    """Say what a column of a table holds: number, date, category, text; or empty.

    Source: Dasu and Johnson 2003, Exploratory data mining and data cleaning, section 2.3.
    """
    present = [value for value in values if not is_missing(value)]
    if not present:
        return "empty"
    if all(isinstance(value, (int, float, np.number)) for value in present):
        return "number"
    some = [str(value) for value in present[:: max(1, len(present) // JUDGED)]]
    if all(_is_date(value) for value in some):
        return "date"
    return "text" if len(some) > 20 and len(set(some)) > FREE * len(some) else "category"


def is_missing(value: Any) -> bool:
    """Return whether a cell holds nothing.

    Source: Little and Rubin 2019, Statistical analysis with missing data, section 1.2.
    """
    return value is None or value == "" or (isinstance(value, float) and value != value)


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    # A bare year or number is no date yet.
    return "-" in text or "T" in text


def summarise(values: NDArray[np.float64]) -> dict[str, float]:
    """Return mean, deviation and five quantiles of the numbers that are there.

    Shapes: values (rows,) float64, may hold NaN
    Source: Tukey 1977, Exploratory data analysis, section 2B (the five-number summary).
    """
    present = values[np.isfinite(values)]
    if not len(present):
        return {}
    quantiles = np.quantile(present, list(QUANTILES.values()))
    found = {
        "mean": float(present.mean()),
        "deviation": float(present.std()),
        **dict(zip(QUANTILES, quantiles.tolist(), strict=True)),
    }
    return {name: float(f"{value:.6g}") for name, value in found.items()}


def edges_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the bounds of equal bins over all but the most extreme hundredth on each side, which the outer bins take in.

    Shapes: values (rows,) float64 -> (bins + 1,) float64
    Source: Scott 2015, Multivariate density estimation, section 3.1.
    """
    present = values[np.isfinite(values)]
    if not len(present):
        return np.array([0.0, 1.0])
    low, high = np.quantile(present, [0.01, 0.99])
    if low == high:
        low, high = float(present.min()), float(present.max())
    return np.array([low - 0.5, low + 0.5]) if low == high else np.linspace(low, high, BINS + 1)


def count_in(values: NDArray[np.float64], edges: NDArray[np.float64]) -> list[int]:
    """Count the numbers in each bin; the outer bins hold what lies beyond them.

    Shapes: values (rows,) float64, edges (bins + 1,) float64 -> bins counts
    Source: Scott 2015, Multivariate density estimation, section 3.1.
    """
    present = np.clip(values[np.isfinite(values)], edges[0], edges[-1])
    return np.histogram(present, edges)[0].tolist()
