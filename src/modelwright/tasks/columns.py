"""What is learnt of each column of a table, on the training part only, and how a column is encoded with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from ..core.errors import DataError

NUMBER, DATE, CATEGORY = "number", "date", "category"
SECONDS_PER_DAY = 86_400.0
QUANTILES = 257
# The distance between the quartiles of a normal distribution, in standard deviations.
IQR_OF_NORMAL = 1.3489795003921634


def learn_columns(features: dict[str, Sequence[Any]], most_categories: int, scale: str) -> list[dict[str, Any]]:
    """Return one description per column that has any value: its type, and its scale or its categories."""
    learnt = []
    for name, values in features.items():
        present = [value for value in values if value is not None]
        if not present:
            continue
        type_ = _type_of(present)
        column: dict[str, Any] = {"name": name, "type": type_}
        if type_ == CATEGORY:
            counts = Counter(map(str, present))
            column["categories"] = sorted(sorted(counts), key=lambda value: -counts[value])[: most_categories - 1]
        else:
            numbers = np.array([_days(value) if type_ == DATE else float(value) for value in present])
            taken_off, divided_by = _linear(numbers, scale)
            column |= {
                "mean": taken_off,
                "deviation": divided_by or 1.0,
                "median": float(np.median(numbers)),
                "scale": scale,
            }
            if scale == "quantile":
                column["quantiles"] = np.quantile(numbers, np.linspace(0, 1, QUANTILES)).tolist()
        learnt.append(column)
    return learnt


def _linear(numbers: np.ndarray, scale: str) -> tuple[float, float]:
    """Return what is taken off each number and what it is divided by: mean and deviation, and what stands in for them."""
    low, high = float(numbers.min()), float(numbers.max())
    if scale == "unit":
        return low, high - low
    if scale == "symmetric":
        return (low + high) / 2, (high - low) / 2
    if scale == "robust":
        first, middle, third = np.quantile(numbers, [0.25, 0.5, 0.75])
        # A column of which half is one value has no middle half: its deviation stands in.
        return float(middle), float(third - first) / IQR_OF_NORMAL or float(numbers.std())
    return float(numbers.mean()), float(numbers.std())


def encode_column(
    values: Sequence[Any], column: dict[str, Any], origins: Sequence[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Encode one column: codes (and None) for categories; scaled numbers and where they were missing for the rest.

    Shapes: n values -> (n,) float32 with (n,) bool, or (n,) int32 with None

    Raises:
        DataError: a value that is not what the column holds; names the row.
    """
    if column["type"] == CATEGORY:
        codes = {value: code for code, value in enumerate(column["categories"], 1)}
        return np.fromiter(
            (0 if value is None else codes.get(str(value), 0) for value in values), dtype=np.int32, count=len(values)
        ), None
    missing = np.fromiter((value is None for value in values), dtype=np.bool_, count=len(values))
    numbers = np.full(len(values), column["median"])
    for row in np.flatnonzero(~missing).tolist():
        try:
            numbers[row] = _days(values[row]) if column["type"] == DATE else float(values[row])
        except (TypeError, ValueError):
            raise DataError(
                f"'{values[row]}' is not a {column['type']}",
                where=f"{origins[row]}, column {column['name']}",
                expected=f"a {column['type']}",
            ) from None
        if not np.isfinite(numbers[row]):
            raise DataError(
                f"'{values[row]}' is not finite",
                where=f"{origins[row]}, column {column['name']}",
                expected="a finite number",
            )
    return _scaled(numbers, column).astype(np.float32), missing


def _scaled(numbers: np.ndarray, column: dict[str, Any]) -> np.ndarray:
    if column["scale"] == "quantile":
        from scipy.special import ndtri

        ranks = np.interp(numbers, column["quantiles"], np.linspace(0, 1, QUANTILES))
        return ndtri(np.clip(ranks, 1e-3, 1 - 1e-3))
    return (numbers - column["mean"]) / column["deviation"]


def unscaled(values: Any, column: dict[str, Any]) -> Any:
    """Return a scaled number, or an array of them, in the units of the data again."""
    if column["scale"] == "quantile":
        from scipy.special import ndtr

        return np.interp(ndtr(values), np.linspace(0, 1, QUANTILES), column["quantiles"])
    return values * column["deviation"] + column["mean"]


def _type_of(present: list[Any]) -> str:
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in present):
        return NUMBER
    try:
        for value in present:
            _days(value)
        return DATE
    except (TypeError, ValueError):
        return CATEGORY


def _days(value: Any) -> float:
    """Return the days since 1970 of an ISO 8601 date or time; a bare year is not one."""
    if not isinstance(value, str) or len(value) < 8:
        raise ValueError(value)
    moment = datetime.fromisoformat(value)
    return (moment.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds() / SECONDS_PER_DAY
