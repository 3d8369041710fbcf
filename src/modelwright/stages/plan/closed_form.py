"""What a plan says where the training cannot be traced: a closed form, which is called one and has no bound."""

from __future__ import annotations

from typing import Any

from ...core.evidence import Evidence, not_applicable
from ...core.recipe import Recipe
from ...core.settings import AUTO
from .search import LIMITS, MICRO, OPEN, PRECISION, yielding_of
from .settings import STAGE, Budget

# Weights, their gradients, and the two numbers that Adam keeps for each.
TIMES = 4
SOURCE = "Hugging Face accelerate, documentation, Model memory estimator: four times the parameters"


def is_enough(budget: Budget, parameters: int) -> bool:
    """Say whether a closed form will do: it has no bound, so nothing can be promised that is limited."""
    return parameters > 0 and not any(getattr(budget, name) for name in LIMITS)


def choices_of(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """Return what becomes of every `auto` that the plan decides: that which changes nothing."""
    train: Any = recipe.sections["train"]
    values = {MICRO: 0, **{key: values[0] for key, values in OPEN.items() if key != PRECISION}}
    why = "what changes nothing, as the training cannot be traced"
    found = {key: value for key, value in values.items() if getattr(train, key.removeprefix("train.")) == AUTO}
    found |= {key: kept for key, (kept, _) in yielding_of(train).items()}
    return {key: {"value": value, "why": why} for key, value in found.items()}


def describe_closed(recipe: Recipe, failed: str, parameters: int) -> dict[str, Any]:
    """Return all that there is to show of such a plan."""
    return {
        "recipe": recipe.name,
        "closed_form": TIMES * parameters,
        "reason": f"the training cannot be traced ({failed})",
        "choices": choices_of(recipe),
    }


def claims_of_closed(plan: dict[str, Any], about: dict[str, str]) -> list[Evidence]:
    """Return the evidence of such a plan: one estimate without a bound, and that nothing else is known."""
    reason = f"{plan['reason']}; a closed form says nothing of it"
    peak = Evidence(
        "planned_peak[all]",
        plan["closed_form"],
        unit="bytes",
        about=about,
        method=f"closed form, without activations and without a bound: {plan['reason']}",
        source=SOURCE,
        status="estimated",
    )
    return [peak, *(not_applicable(name, reason, **about) for name in STAGE.claims if name != "planned_peak")]
