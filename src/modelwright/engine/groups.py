"""Declared groups of the rows, kept apart from the features: one folder of plain arrays, and the names of the groups."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DataError
from ..core.files import read_json, write_json
from ..tasks.task import Examples, Grouping

FOLDER, NAMES = "groups", "groups.json"
MISSING = "(missing)"
# A column of numbers with so few distinct values is one of codes, such as 0 and 1; with more it has to be cut into ranges.
MOST_CODES = 20


def group_column(values: Any) -> Grouping:
    """Return the groups of a column: its distinct values by name, or plain numbers where there are many of those.

    A missing value is a group of its own; among plain numbers it is NaN.
    """
    present = {value for value in values if value is not None}
    numeric = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in present)
    if numeric and len(present) > MOST_CODES:
        return Grouping(np.array([np.nan if value is None else float(value) for value in values]), ())
    shown = [MISSING if value is None else _name(value) for value in values]
    names = sorted(set(shown) - {MISSING}, key=float) if numeric else sorted(set(shown) - {MISSING})
    names += [MISSING] if MISSING in shown else []
    index = {name: number for number, name in enumerate(names)}
    return Grouping(np.fromiter((index[name] for name in shown), dtype=np.int32, count=len(shown)), tuple(names))


def _name(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    # Names stand in brackets in the names of claims, and in lists.
    return text.strip().replace("[", "(").replace("]", ")").replace(",", ";") or MISSING


def write_groups(folder: Path, groups: Mapping[str, Grouping], parts: Mapping[str, np.ndarray]) -> None:
    """Write the groups of each part's rows; a file is called by part and number, as columns may be called anything."""
    folder.mkdir()
    write_json(folder / NAMES, {name: list(group.names) for name, group in groups.items()})
    for number, group in enumerate(groups.values()):
        for part, indices in parts.items():
            np.save(folder / f"{part}-{number}.npy", group.codes[indices], allow_pickle=False)


def read_groups(folder: Path, part: str) -> dict[str, Grouping]:
    """Read the groups of one part's rows."""
    return {
        name: Grouping(np.load(folder / f"{part}-{number}.npy", allow_pickle=False), tuple(names))
        for number, (name, names) in enumerate(read_json(folder / NAMES).items())
    }


def groups_for_training(training: Examples, column: str) -> Grouping:
    """Return the groups that an objective asks for.

    Raises:
        DataError: the rows are not those that were read, or the column has no groups.
    """
    found = training.groups.get(column)
    if found is None:
        raise DataError(
            f"the training rows have no groups of '{column}'",
            where="train.objective.column",
            expected="rows as they were read, neither made nor repeated",
            next_step="set train.resample: none",
        )
    if not found.names:
        raise DataError(
            f"the column '{column}' holds more than {MOST_CODES} distinct numbers",
            where="train.objective.column",
            expected="a column whose values are groups",
            next_step="add a column with ranges to the data",
        )
    return found
