"""From a name in a recipe to the code behind it: one built-in table per kind, and other packages by entry point.

A part has two addresses: its settings (torch-free) and its function. Both are strings until they are needed, so
that reading a recipe never imports what it does not use. Another package adds a part with an entry point in the
group `modelwright.<kind>` whose object is a `Part`; one resolver serves both.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, distributions
from typing import Any

from .builtin import BUILTIN
from .errors import RecipeError
from .settings import Choice, Settings


@dataclass(frozen=True)
class Part:
    """Where a registered part lives: `module:name` of its settings class and of its function."""

    settings: str
    function: str = ""


def names(kind: str) -> list[str]:
    """Return the registered names of a kind, ours and other packages', in order."""
    return sorted(set(BUILTIN.get(kind, {})) | set(_foreign(kind)))


def part(kind: str, name: str) -> Part:
    """Find one part.

    Raises:
        RecipeError: no part of that kind has that name.
    """
    builtin = BUILTIN.get(kind, {})
    if name in builtin:
        return Part(*builtin[name])
    foreign = _foreign(kind)
    if name in foreign:
        try:
            found = foreign[name].load()
        except (ImportError, AttributeError) as error:
            raise RecipeError(
                f"the entry point '{name}' cannot be loaded: {error}",
                where=f"modelwright.{kind}",
                next_step="repair or uninstall that package",
            ) from error
        if not isinstance(found, Part):
            raise RecipeError(
                f"entry point '{name}' is a {type(found).__name__}",
                where=f"modelwright.{kind}",
                expected="a modelwright.core.registry.Part",
            )
        return found
    raise RecipeError(
        f"'{name}' is not a {kind}{did_you_mean(name, names(kind))}", expected=f"one of {', '.join(names(kind))}"
    )


def settings_of(kind: str, name: str) -> type[Settings]:
    """Import the settings class of a part."""
    found: type[Settings] = load(part(kind, name).settings)
    return found


def function_of(kind: str, name: str) -> Callable[..., Any]:
    """Import the function of a part; this is where heavy packages may be loaded."""
    found: Callable[..., Any] = load(part(kind, name).function)
    return found


def stage(name: str) -> Any:
    """Import the declaration of a stage (a core.stage.Stage); its function stays unloaded."""
    return load(part("stage", name).settings)


def load(address: str) -> Any:
    """Import `module:name`."""
    module, _, attribute = address.partition(":")
    return getattr(importlib.import_module(module), attribute)


def did_you_mean(name: str, known: list[str]) -> str:
    """Return `; did you mean 'x'?` when something close is known, else nothing."""
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


def _foreign(kind: str) -> dict[str, Any]:
    return {point.name: point for point in _points(tuple(sys.path)) if point.group == f"modelwright.{kind}"}


@cache
def _points(places: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Return our entry points in every package on the path; reading them all takes milliseconds, so it happens once a path."""
    found = [
        point for package in distributions() for point in package.entry_points if point.group.startswith("modelwright.")
    ]
    # Whoever stands first on the path wins, as with imports.
    return tuple(reversed(found))


Choice.settings_of = staticmethod(settings_of)
Choice.names_of = staticmethod(names)
