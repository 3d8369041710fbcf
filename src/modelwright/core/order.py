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
    A stage without a section that another one needs runs with its defaults. A stage that edits sections and has one itself
    comes before all that owns or reads them, whatever was asked for: without it, another model would be made.
    The same holds of a stage with a section that changes what another made (see `_givers`).

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
    before: dict[str, set[str]] = {}
    _add_needs(asked, before, stages, recipe)
    for editor in [stage for stage in stages.values() if stage.edits and stage.name in recipe.sections]:
        wanted = dict(before)
        _add_needs([editor.name], wanted, stages, recipe)
        own = {editor.name, *_ancestors(editor.name, wanted)}
        # Editors wait for each other only by what they need: one cannot come before another and after it.
        edited = [
            name
            for name in before
            if name not in own and not stages[name].edits and {name, *stages[name].reads} & set(editor.edits)
        ]
        if edited:
            before = {name: parents | ({editor.name} if name in edited else set()) for name, parents in wanted.items()}
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


def _add_needs(asked: list[str], before: dict[str, set[str]], stages: dict[str, Stage], recipe: Recipe) -> None:
    """Add what is asked for, and all that it needs, with what each of them needs directly."""
    waiting = list(asked)
    while waiting:
        name = waiting.pop()
        if name in before:
            continue
        before[name] = {giver for kind in stages[name].needs for giver in _givers(kind, name, stages, recipe)}
        waiting += before[name]


def _givers(kind: str, name: str, stages: dict[str, Stage], recipe: Recipe) -> list[str]:
    """Return the stages that a stage waits for because it needs a kind.

    One of them makes the kind from other things. Those that need the kind and give it again change what was made, one after
    the other in the order of the table, where the recipe has a section for them; everybody else takes what the last one gives.
    """
    makers = [other for other, stage in stages.items() if kind in stage.gives and kind not in stage.needs]
    changers = [other for other, stage in stages.items() if kind in stage.gives and kind in stage.needs]
    if not makers:
        if not changers:
            raise RecipeError(f"no stage gives '{kind}', which '{name}' needs")
        # Nobody makes the first one: each of these waits for the others, and itself.
        return changers
    if name in changers:
        changers = changers[: changers.index(name)]
    elif kind in stages[name].needs_first:
        changers = []
    return [makers[-1], *(other for other in changers if other in recipe.sections)]


def _ancestors(name: str, before: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for parent in before.get(waiting.pop(), ()):
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found
