"""Who is compared with whom: the groups of one column, of a column of numbers cut into ranges, and of several together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...core.errors import DataError
from ...core.stage import Context
from ...engine.groups import MISSING, MOST_CODES, read_groups
from ...tasks.task import Grouping
from .fairness_settings import Fairness


@dataclass(frozen=True)
class Comparison:
    """Groups that are compared: the name of what tells them apart, each row's group, each group's name (`sex=Female`)."""

    name: str
    codes: np.ndarray
    groups: tuple[str, ...]


def comparisons(context: Context, settings: Fairness, part: str) -> list[Comparison]:
    """Return the comparisons that the settings ask for, on the rows of one part; the groups are the same in every part.

    Raises:
        DataError: a column holds numbers, and nothing says where to cut them.
    """
    found = read_groups(context.inputs["groups"].path, part)
    single = [_named(name, _cut(name, found[name], settings)) for name in settings.columns]
    return [*single, _together(single)] if settings.intersections and len(single) > 1 else single


def _cut(name: str, grouping: Grouping, settings: Fairness) -> Grouping:
    cuts: Sequence[float] = settings.bins.get(name, ())
    if not cuts:
        if not grouping.names:
            raise DataError(
                f"the column '{name}' holds more than {MOST_CODES} distinct numbers",
                where="audit.fairness.columns",
                expected="values that are groups, or cuts between them",
                next_step=f"say where groups begin: audit.fairness.bins: {{{name}: [...]}}",
            )
        return grouping
    numbers = _numbers(name, grouping)
    names = [f"< {cuts[0]:g}", *(f"{low:g} to {high:g}" for low, high in pairwise(cuts)), f">= {cuts[-1]:g}"]
    codes = np.where(np.isnan(numbers), len(names), np.searchsorted(np.asarray(cuts), numbers, side="right"))
    return Grouping(codes.astype(np.int32), (*names, MISSING))


def _numbers(name: str, grouping: Grouping) -> np.ndarray:
    if not grouping.names:
        return grouping.codes
    try:
        values = np.array([np.nan if value == MISSING else float(value) for value in grouping.names])
    except ValueError:
        raise DataError(
            f"the column '{name}' holds words, such as '{grouping.names[0]}'",
            where=f"audit.fairness.bins.{name}",
            expected="a column of numbers",
            next_step="take the cuts away",
        ) from None
    return values[grouping.codes]


def _named(column: str, grouping: Grouping) -> Comparison:
    return Comparison(column, grouping.codes.astype(np.int64), tuple(f"{column}={name}" for name in grouping.names))


def _together(single: list[Comparison]) -> Comparison:
    codes = np.zeros(len(single[0].codes), dtype=np.int64)
    names: list[str] = [""]
    for one in single:
        codes = codes * len(one.groups) + one.codes
        names = [f"{before},{name}" if before else name for before in names for name in one.groups]
    return Comparison("*".join(one.name for one in single), codes, tuple(names))
