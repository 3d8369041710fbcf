"""The confusion matrix as a table that is also a heat map, and its most frequent mistakes as a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .quantities import count, finite, share

# Beyond this many classes cells show no shares; beyond the second the matrix gives way to the list of mistakes.
FEW_CLASSES, MOST_CLASSES = 16, 60
MISTAKES = 8


@dataclass(frozen=True)
class Cell:
    """One cell: what it says, how strong it is coloured (0 to 1), and whether it holds right answers."""

    count: str
    share: str
    strength: float
    right: bool


@dataclass(frozen=True)
class Mistake:
    """One pair of classes that are confused: how often, and as a share of the true class."""

    true: str
    answered: str
    count: str
    share: str


@dataclass(frozen=True)
class Confusion:
    """The matrix, row by row (true class, cells, total), and the most frequent mistakes."""

    classes: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...], str], ...]
    compact: bool
    mistakes: tuple[Mistake, ...]
    right: str
    total: str


def view_confusion(evaluation: dict[str, Any]) -> Confusion | None:
    """Return the matrix of an evaluation, or nothing when it has none."""
    classes = [str(name) for name in evaluation.get("classes") or []]
    table = evaluation.get("confusion") or []
    if (
        not classes
        or len(table) != len(classes)
        or any(len(row) != len(classes) or None in map(finite, row) for row in table)
    ):
        return None
    totals = [sum(row) for row in table]
    rows = tuple(
        (name, tuple(_cell(value, total, here == there) for there, value in enumerate(row)), count(total))
        for here, (name, row, total) in enumerate(zip(classes, table, totals, strict=True))
    )
    wrong = sorted(
        (
            (value, here, there)
            for here, row in enumerate(table)
            for there, value in enumerate(row)
            if value and here != there
        ),
        key=lambda item: (-item[0], item[1], item[2]),
    )
    mistakes = tuple(
        Mistake(classes[here], classes[there], count(value), share(value, totals[here]))
        for value, here, there in wrong[:MISTAKES]
    )
    right = count(sum(table[index][index] for index in range(len(classes))))
    return Confusion(
        tuple(classes),
        rows if len(classes) <= MOST_CLASSES else (),
        len(classes) > FEW_CLASSES,
        mistakes,
        right,
        count(sum(totals)),
    )


def _cell(value: float, total: float, right: bool) -> Cell:
    part = value / total if total else 0.0
    # Mistakes are few and are what one looks for: the cube root of their share is drawn.
    strength = part if right else part ** (1 / 3)
    return Cell(count(value), share(value, total) if value else "", round(strength, 3), right)
