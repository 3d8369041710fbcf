"""The view of tables: columns, and their values in the units of the data."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ...tasks.columns import DATE, NUMBER, unscaled
from ...tasks.task import Examples
from .view import Cut, Name, View, repeated

ENCODED = ("numbers", "missing", "codes")


def build(training: Examples, hidden: str, patches: int) -> View:
    """Return the view of rows with the columns that the training part has."""
    columns = training.learnt["columns"]
    places = _places(columns)
    neutral = _neutral(training, hidden == "empty")
    gaps: np.ndarray = np.any(np.asarray(training.columns["missing"]), axis=0)
    return View(
        cut=partial(_cut, places=places, neutral=neutral, parts=tuple(column["name"] for column in columns)),
        read=partial(_read, columns=columns, places=places, gaps=gaps),
        names=tuple(
            name for column, place in zip(columns, places, strict=True) for name in _names(column, place, gaps)
        ),
        deal=partial(_deal, places=places),
        veil=partial(_veil, places=places, neutral=neutral),
    )


def _places(columns: list[dict[str, Any]]) -> list[tuple[bool, int]]:
    """Return, for each column, whether it is a number, and where it stands among its like."""
    numbers = [column["type"] in (NUMBER, DATE) for column in columns]
    return [(number, numbers[:place].count(number)) for place, number in enumerate(numbers)]


def _neutral(training: Examples, empty: bool) -> dict[str, np.ndarray]:
    """Return the row in which every part is hidden."""
    numbers, missing, codes = (np.asarray(training.columns[name]) for name in ENCODED)
    there = np.where(missing, np.nan, numbers)
    if empty:
        # A missing number stands in the table as the median.
        middle = np.array([np.nanmedian(column) if not np.isnan(column).all() else 0.0 for column in there.T])
        frequent = np.zeros(codes.shape[1], codes.dtype)
    else:
        middle = np.array([np.nanmean(column) if not np.isnan(column).all() else 0.0 for column in there.T])
        frequent = np.array([np.bincount(column).argmax() for column in codes.T], dtype=codes.dtype)
    return {
        "numbers": middle.astype(numbers.dtype)[None].reshape(1, numbers.shape[1]),
        "missing": np.full((1, missing.shape[1]), empty),
        "codes": frequent[None].reshape(1, codes.shape[1]),
    }


def _cut(
    examples: Examples,
    index: int,
    places: list[tuple[bool, int]],
    neutral: dict[str, np.ndarray],
    parts: tuple[str, ...],
) -> Cut:
    example = examples.take(np.array([index]))

    def hide(masks: np.ndarray) -> Examples:
        return _veil(repeated(example, len(masks)), masks, places, neutral)

    return Cut(example, repeated(example, 1, **neutral), parts, hide, partial(_gather, places=places))


def _veil(
    examples: Examples, shown: np.ndarray, places: list[tuple[bool, int]], neutral: dict[str, np.ndarray]
) -> Examples:
    """Put the neutral values where columns are not shown, in every row alike or in each by its own mask."""
    is_number = np.array([number for number, _ in places], dtype=np.bool_)
    masks = {name: shown[..., ~is_number if name == "codes" else is_number] for name in ENCODED}
    changed = {
        name: np.where(masks[name], np.asarray(examples.columns[name]), neutral[name]).astype(neutral[name].dtype)
        for name in ENCODED
    }
    return Examples({**examples.columns, **changed}, examples.learnt)


def _gather(inputs: dict[str, np.ndarray], places: list[tuple[bool, int]]) -> tuple[np.ndarray, None]:
    """Add up what belongs to one column: a number and whether it is missing, or all numbers of an embedding."""
    embedded = [found for name, found in inputs.items() if name not in ENCODED]
    weights = [
        inputs["numbers"][0, place] + inputs["missing"][0, place] if is_number else embedded[place][0].sum()
        for is_number, place in places
    ]
    return np.array(weights, dtype=np.float64), None


def _deal(examples: Examples, cells: np.ndarray, places: list[tuple[bool, int]]) -> Examples:
    columns = {name: np.asarray(column) for name, column in examples.columns.items()}
    dealt = {name: np.array(columns[name]) for name in ENCODED}
    for part, (is_number, place) in enumerate(places):
        for name in ("numbers", "missing") if is_number else ("codes",):
            dealt[name][:, place] = columns[name][cells[:, part], place]
    return Examples({**columns, **dealt}, examples.learnt)


def _names(column: dict[str, Any], place: tuple[bool, int], gaps: np.ndarray) -> list[Name]:
    name = column["name"]
    if not place[0]:
        return [(f"{name} is not {category}", f"{name} is {category}") for category in column["categories"]]
    missing = [(f"{name} is there", f"{name} is missing")] if gaps[place[1]] else []
    return [("", f"{name} (days since 1970)" if column["type"] == DATE else name), *missing]


def _read(
    examples: Examples, columns: list[dict[str, Any]], places: list[tuple[bool, int]], gaps: np.ndarray
) -> np.ndarray:
    """Return numbers in the units of the data, and 1 for the category that a row has, else 0."""
    numbers, missing, codes = (np.asarray(examples.columns[name]) for name in ENCODED)
    found: list[np.ndarray] = []
    for column, (is_number, place) in zip(columns, places, strict=True):
        if is_number:
            found.append(unscaled(numbers[:, place].astype(np.float64), column)[:, None])
            if gaps[place]:
                found.append(missing[:, place, None].astype(np.float64))
        else:
            found.append((codes[:, place, None] == np.arange(1, len(column["categories"]) + 1)).astype(np.float64))
    return np.concatenate(found, axis=1)
