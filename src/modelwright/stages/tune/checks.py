"""What is wrong with a search in the recipe that it stands in, and what it depends on beside the recipe. Torch-free."""

from __future__ import annotations

from typing import Any

from ...core import registry
from ...core.digest import code_digest
from ...core.errors import Problem, RecipeError
from ...core.order import order
from ...core.recipe import HEADER, Recipe
from .settings import STAGE
from .space import Space, ends_of, read_space

# The stage whose evidence judges a trial.
UNTIL = "train"
Found = tuple[tuple[str | int, ...], str, str]


def problems(recipe: Recipe) -> list[Found]:
    """Return the keys of the space that the recipe does not have, and the values that it would not take."""
    section: Any = recipe.sections[STAGE.name]
    space = read_space(section.space)[0]
    plain = recipe.without(STAGE.name)
    found: list[Found] = []
    for key, node in space:
        place = (STAGE.name, "space", key)
        if useless := _useless(key):
            found.append((place, useless, f"a key of {', '.join(STAGE.edits)}"))
            continue
        wrong = [problem for value in ends_of(node) for problem in _refusals(plain, space, key, value)]
        found += [(place, problem.found, problem.expected) for problem in wrong]
    return list(dict.fromkeys(found))


def _useless(key: str) -> str:
    """Say why a key that the recipe may have is none to search over."""
    section = key.split(".")[0]
    if section == "seed":
        return "another seed deals out another validation part, so no two trials could be compared"
    known = section.startswith("x-") or section in (*HEADER, *registry.names("stage"))
    return f"'{key}' changes nothing in a trial" if known and section not in STAGE.edits else ""


def _refusals(recipe: Recipe, space: Space, key: str, value: Any) -> tuple[Problem, ...]:
    """Say why no trial could have this value; a key inside a part that is searched for too needs but one fitting choice."""
    above = [(other, end) for other, node in space if key.startswith(f"{other}.") for end in ends_of(node)]
    refused: tuple[Problem, ...] = ()
    for edits in ({key: value}, *({other: end, key: value} for other, end in above)):
        try:
            recipe.edited(edits)
        except RecipeError as error:
            refused = refused or error.problems
        else:
            return ()
    return refused


def fingerprint(recipe: Recipe) -> str:
    """Return what the trials depend on that no key of theirs says: their stages' code, and what these read from outside."""
    plain = recipe.without(STAGE.name)
    parts = []
    for stage in order(plain, UNTIL):
        outside = registry.load(stage.fingerprint)(plain) if stage.fingerprint else ""
        parts.append(f"{stage.name} {code_digest(stage.name)} {outside}")
    return "\n".join(parts)
