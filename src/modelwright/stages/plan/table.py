"""A plan as plain data: what the command line prints, the report draws, and the ledger compares with what happened."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ...core.recipe import Recipe
from ...methods.planning.log import HOLDERS
from .notes import notes_of
from .prices import Priced, Range
from .search import Found
from .settings import Plan

# Points of the picture: as many as a screen can tell apart.
POINTS = 400
COSTLIEST = 12


def describe(recipe: Recipe, settings: Plan, found: Found, source: str, factor: float) -> dict[str, Any]:
    """Return all that there is to show of a plan."""
    chosen = found.chosen
    return {
        "recipe": recipe.name,
        "machine": settings.machine,
        "source": source,
        # By what past runs had times multiplied; the ledger takes it off again.
        "factor": factor,
        "budget": settings.budget.model_dump(mode="json"),
        "estimate": chosen.estimate,
        "bound": chosen.bound,
        "peaks": chosen.peaks,
        "facts": chosen.facts,
        "unprobed": list(chosen.unprobed),
        "notes": notes_of(recipe),
        "choices": {key: {"value": value, "why": found.why[key]} for key, value in chosen.edits.items()},
        "runner_up": _summary(found.runner_up) if found.runner_up else None,
        **_times(chosen),
        "costliest": costliest(chosen.operations),
        "holders": list(HOLDERS),
        "curve": thin(chosen.curve),
        "candidates": [_summary(priced) for priced in found.priced if not priced.refused and priced.step_seconds],
    }


def _times(priced: Priced) -> dict[str, Any]:
    names = ("step_seconds", "seconds", "joules", "grams", "money")
    found: dict[str, Range | None] = {name: getattr(priced, name) for name in names}
    return {name: asdict(item) if item else None for name, item in found.items()}


def _summary(priced: Priced) -> dict[str, Any]:
    return {"edits": priced.edits, "estimate": priced.estimate, "bound": priced.bound, **_times(priced)}


def costliest(operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the operators that take most of a step, the dearest first."""
    seconds: dict[str, float] = {}
    for item in operations:
        seconds[item["name"]] = seconds.get(item["name"], 0.0) + item["count"] * (item["seconds"] or 0.0)
    ranked = sorted(seconds.items(), key=lambda pair: -pair[1])[:COSTLIEST]
    return [{"operator": name, "seconds": float(f"{taken:.4g}")} for name, taken in ranked]


def thin(curve: list[Any]) -> list[Any]:
    """Return the curve of the last step, its phase and bytes by holder, in at most so many points: of several the highest."""
    training = [place for place, (phase, _) in enumerate(curve) if phase == "training"]
    if not training:
        return []
    last = training[-1]
    first = last
    while first > 0 and curve[first - 1][0] == "training":
        first -= 1
    step = [list(held) for _, held in curve[first : last + 1]]
    width = max(1, -(-len(step) // POINTS))
    return [max(step[start : start + width], key=sum) for start in range(0, len(step), width)]
