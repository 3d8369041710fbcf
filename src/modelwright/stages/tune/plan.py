"""From the settings of a recipe to an open search."""

from __future__ import annotations

from pathlib import Path

from ...core.recipe import Recipe
from .search import Plan, Search
from .settings import Tune
from .space import read_space


def plan_of(recipe: Recipe, settings: Tune) -> Plan:
    """Return what a recipe asks to be searched for."""
    return Plan(
        space=read_space(settings.space)[0],
        method=settings.method,
        maximise=settings.goal.measure == "accuracy",
        seed=recipe.seed,
        trials=settings.trials,
        halving=settings.halving.factor if settings.method == "asha" else 0,
    )


def open_search(plan: Plan, path: Path) -> Search:
    """Open the search kept at a path, or begin it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return Search(plan, path)
