"""What stages demand of a recipe before a run that comes to them begins: asked at once, not after hours of training."""

from __future__ import annotations

from collections.abc import Iterable

from . import registry
from .errors import Problem, RecipeError
from .recipe import Recipe
from .stage import Stage


def unmet_demands(recipe: Recipe, stages: Iterable[Stage]) -> list[Problem]:
    """Return what these stages demand and the recipe does not have, each with its place in the recipe."""
    return [
        Problem(found, _where(recipe, path), expected, next_step)
        for stage in stages
        if stage.demands
        for path, found, expected, next_step in registry.load(stage.demands)(recipe)
    ]


def require_demands(recipe: Recipe, stages: Iterable[Stage]) -> None:
    """Refuse a run that could not end.

    Raises:
        RecipeError: everything that is missing, at once.
    """
    problems = unmet_demands(recipe, stages)
    if problems:
        raise RecipeError.of(problems)


def _where(recipe: Recipe, path: tuple[str, ...]) -> str:
    places = (recipe.origins.get(path[:end]) for end in range(len(path), 0, -1))
    place = next((place for place in places if place and place != "edited"), recipe.name)
    return f"{place}: {'.'.join(path)}"
