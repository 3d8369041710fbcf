"""Cleaning: one rule of the recipe after the other finds rows; what becomes of each stands in the ledger, with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...core import registry
from ...core.errors import DataError
from ...core.evidence import Evidence
from ...core.randomness import derive_seed
from ...core.stage import Context
from ...engine.dataset import PARTS
from ...sources.rows import Rows

Parts = dict[str, np.ndarray]
# Rows that a page shows of what a rule found; the ledger has all.
SHOWN = 10


@dataclass(frozen=True)
class Entry:
    """What became of one row, by which rule, and why."""

    row: str
    part: str
    rule: str
    action: str
    reason: str

    def to_json(self) -> dict[str, str]:
        """Return plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Dirt:
    """All that a rule may look at: the rows, which are in which part, a seed, and the stage's context for models of its own."""

    rows: Rows
    parts: Parts
    seed: int
    context: Context

    def judged(self, which: str) -> list[int]:
        """Return the indices of the rows that a rule with `parts: which` judges."""
        return [int(index) for part in (PARTS if which == "all" else ("train",)) for index in self.parts[part]]


# settings, what there is -> the row's index and what is wrong with it
Rule = Callable[[Any, Dirt], Iterable[tuple[int, str]]]


def clean(context: Context, rows: Rows, parts: Parts, rules: tuple[Any, ...]) -> tuple[Parts, list[Entry]]:
    """Apply the rules one after the other, each to what the ones before it have left.

    Raises:
        DataError: a rule has left no row of the training part.
    """
    ledger: list[Entry] = []
    for number, settings in enumerate(rules, 1):
        context.check_interrupt(number - 1, len(rules), f"cleaning: {settings.kind}")
        find: Rule = registry.function_of("cleaning", settings.kind)
        seed = derive_seed(context.recipe.seed, "cleaning", number)
        part_of = {int(index): part for part in PARTS for index in parts[part]}
        found = dict(find(settings, Dirt(rows, parts, seed, context)))
        name = f"{number} {settings.kind}"
        action = "dropped" if settings.then == "drop" else "reported"
        ledger += [
            Entry(rows.origins[index], part_of[index], name, action, why) for index, why in sorted(found.items())
        ]
        if action == "dropped":
            parts = {part: indices[~np.isin(indices, list(found))] for part, indices in parts.items()}
        empty = next((part for part in PARTS if not len(parts[part]) and part in part_of.values()), "")
        if empty:
            raise DataError(
                f"the rule {settings.kind} leaves no row of the {empty} part",
                where=f"prepare.clean[{number - 1}]",
                expected="a rule that most rows pass",
                next_step="loosen it, or set then: report and read the ledger",
            )
    return parts, ledger


def summarise(ledger: list[Entry]) -> list[dict[str, Any]]:
    """Return for each rule what it did to how many rows, with a few of them."""
    rules: dict[tuple[str, str], list[Entry]] = {}
    for entry in ledger:
        rules.setdefault((entry.rule, entry.action), []).append(entry)
    return [
        {
            "rule": rule,
            "action": action,
            "rows": len(entries),
            "examples": [[entry.row, entry.reason] for entry in entries[:SHOWN]],
        }
        for (rule, action), entries in rules.items()
    ]


def claims(ledger: list[Entry], rules: tuple[Any, ...], about: dict[str, str]) -> list[Evidence]:
    """Return how many rows each rule has dropped or reported."""
    counts = Counter(entry.rule for entry in ledger)
    names = [f"{number} {settings.kind}" for number, settings in enumerate(rules, 1)]
    return [
        Evidence(
            f"cleaned[{name}]",
            counts[name],
            unit="rows",
            about=about,
            method="counted; each row stands in the ledger with its reason",
        )
        for name in names
    ]
