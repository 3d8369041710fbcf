"""Which stages a recipe asks for, and in which order they can run: by needs and gives, by no name."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from . import registry
from .errors import RecipeError
from .recipe import Recipe
from .stage import Stage


def all_stages() -> dict[str, Stage]:
    """Return every registered stage by name."""
    return {name: registry.stage(name) for name in registry.names("stage")}


def order(recipe: Recipe, until: str | None = None, stages: dict[str, Stage] | None = None) -> list[Stage]:
    """Return the stages to run, in order.

    Without `until`: every stage that has a section in the recipe, and what these need. With it: that stage and what it needs.
    A stage without a section that another one needs runs with its defaults.

    Raises:
        RecipeError: no such stage, or no stage gives what is needed.
    """
    stages = stages if stages is not None else all_stages()
    if until is not None and until not in stages:
        raise RecipeError(
            f"'{until}' is not a stage{registry.did_you_mean(until, list(stages))}",
            expected=f"one of {', '.join(stages)}",
        )
    asked = [until] if until else [name for name in stages if name in recipe.sections]
    if not asked:
        raise RecipeError(
            "the recipe asks for no stage", where=recipe.name, expected=f"a section such as {', '.join(stages)}"
        )
    givers = {kind: stage for stage in stages.values() for kind in stage.gives}
    before: dict[str, set[str]] = {}
    waiting = list(asked)
    while waiting:
        name = waiting.pop()
        if name in before:
            continue
        before[name] = set()
        for kind in stages[name].needs:
            if kind not in givers:
                raise RecipeError(f"no stage gives '{kind}', which '{name}' needs")
            before[name].add(givers[kind].name)
            waiting.append(givers[kind].name)
    # What gathers evidence waits for all that may claim some, except those that need what it gives.
    for name in before:
        if stages[name].gathers:
            before[name] |= {
                other
                for other in before
                if other != name and stages[other].claims and name not in _ancestors(other, before)
            }
    try:
        sorter = TopologicalSorter(
            {name: sorted(before[name], key=list(stages).index) for name in stages if name in before}
        )
        return [stages[name] for name in sorter.static_order()]
    except CycleError as error:
        raise RecipeError(f"the stages wait for each other: {' -> '.join(error.args[1])}") from None


def _ancestors(name: str, before: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for parent in before.get(waiting.pop(), ()):
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found
