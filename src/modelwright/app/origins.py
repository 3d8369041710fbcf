"""Where every value of a recipe came from."""

from __future__ import annotations

from typing import Any

from ..core.recipe import Recipe


def listed(recipe: Recipe) -> list[tuple[str, Any, str]]:
    """Return (dotted key, value, origin) of every value; the origin is `default`, `file:line` or `command line`."""
    found: list[tuple[str, Any, str]] = []
    _walk(recipe.resolved(), (), recipe, found)
    return found


def _walk(value: Any, path: tuple[str | int, ...], recipe: Recipe, found: list[tuple[str, Any, str]]) -> None:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if children is not None and value:
        for key, child in children:
            _walk(child, (*path, key), recipe, found)
        return
    found.append((".".join(map(str, path)), value, _origin(path, recipe)))


def _origin(path: tuple[str | int, ...], recipe: Recipe) -> str:
    if path in recipe.origins:
        return recipe.origins[path]
    # `optimiser: adam` is short for `optimiser: {kind: adam}`.
    if path[-1] == "kind" and path[:-1] in recipe.origins:
        return recipe.origins[path[:-1]]
    return "default"
