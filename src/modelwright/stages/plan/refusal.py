"""The sentence with which a plan refuses what does not fit."""

from __future__ import annotations

from typing import Any

from ...core.errors import BudgetError
from ...core.units import format_bytes, format_seconds
from .settings import Budget


def limit_of(budget: Budget, name: str) -> str:
    """Return a limit of the budget in words."""
    return {
        "memory": format_bytes(budget.memory),
        "time": format_seconds(budget.time),
        "energy": f"{budget.energy:.4g} J",
        "cost": f"{budget.cost:.4g}",
    }[name]


def over_budget(
    found: str, where: str, limit: str, ways_out: tuple[dict[str, Any], ...], otherwise: str
) -> BudgetError:
    """Return the error that says what does not fit, and the single changes that would, or what else is left to do."""
    ways = "; or ".join(", ".join(f"{key}: {_plain(value)}" for key, value in change.items()) for change in ways_out)
    return BudgetError(
        found,
        where=where,
        expected=f"at most {limit}",
        next_step=f"one change that would fit: {ways}" if ways else f"no single change fits: {otherwise}",
    )


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {item}" for key, item in value.items()) + "}"
    return str(value)
