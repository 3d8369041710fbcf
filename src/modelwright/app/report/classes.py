"""Recall, precision and F1 of each class, as bars with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ...core.evidence import Evidence
from .axis import Axis
from .quantities import bounds, count, significant
from .whiskers import bar

MEASURES = ("recall", "precision", "f1")
WHOLE = Axis(0.0, 1.0, (0.0, 0.5, 1.0))
# More classes than this and only the worst are shown at once.
SHOWN = 20


@dataclass(frozen=True)
class Measured:
    """One measure of one class."""

    drawing: Markup
    value: str
    interval: str


@dataclass(frozen=True)
class ClassRow:
    """One class: how many test examples it has, and its measures."""

    name: str
    n: str
    measures: tuple[Measured, ...]
    worst: float


@dataclass(frozen=True)
class Classes:
    """The classes to show at once, in their order or the worst first, and the rest."""

    shown: tuple[ClassRow, ...]
    rest: tuple[ClassRow, ...]


def view_classes(evaluation: dict[str, Any], claims: Sequence[Evidence]) -> Classes | None:
    """Return the measures of each class, or nothing when none was measured."""
    by_name = {item.name: item for item in claims}
    classes = [str(name) for name in evaluation.get("classes") or []]
    rows = [
        _row(name, evaluation, by_name)
        for name in classes
        if any(f"{measure}[{name}]" in by_name for measure in MEASURES)
    ]
    if not rows:
        return None
    if len(rows) > SHOWN:
        rows.sort(key=lambda row: row.worst)
    return Classes(tuple(rows[:SHOWN]), tuple(rows[SHOWN:]))


def _row(name: str, evaluation: dict[str, Any], by_name: dict[str, Evidence]) -> ClassRow:
    found = [by_name.get(f"{measure}[{name}]") for measure in MEASURES]
    values = [item.value for item in found if item is not None and item.value is not None]
    return ClassRow(
        name, _support(name, evaluation), tuple(_measured(item) for item in found), min(values, default=0.0)
    )


def _support(name: str, evaluation: dict[str, Any]) -> str:
    table = evaluation.get("confusion") or []
    index = [str(item) for item in evaluation["classes"]].index(name)
    return count(sum(table[index])) if index < len(table) else ""


def _measured(item: Evidence | None) -> Measured:
    if item is None or item.value is None:
        return Measured(Markup(""), "–", "")
    interval = bounds(item.value, item.low, item.high) if item.low is not None and item.high is not None else ""
    return Measured(bar(WHOLE, item.value, item.low, item.high), significant(item.value), interval)
