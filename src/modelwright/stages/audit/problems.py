"""What of an audit the recipe that it stands in does not allow. Torch-free."""

from __future__ import annotations

from typing import Any

from ...core.errors import RecipeError
from ...core.recipe import Recipe

Found = tuple[tuple[str | int, ...], str, str]
OTHERWISE = "thresholds, which train nothing, or a recipe that can be trained so"
PLACE = ("audit", "fairness", "mitigations")


def problems(recipe: Recipe) -> list[Found]:
    """Return the mitigations that would train again in a way in which this recipe cannot be trained."""
    audit: Any = recipe.sections["audit"]
    found: list[Found] = []
    for name in audit.fairness.mitigations:
        if name == "thresholds":
            continue
        if getattr(type(recipe.sections.get("model")), "at_once", False):
            what = f"'{name}', and the model '{recipe.sections['model'].kind}' is fitted at once and knows no objective"  # type: ignore[attr-defined]
            found.append((PLACE, what, OTHERWISE))
            continue
        try:
            recipe.without("audit").edited({"train.objective": {"kind": name, "column": audit.fairness.columns[0]}})
        except RecipeError as error:
            found += [
                (PLACE, f"'{name}' with this recipe: {problem.expected}", OTHERWISE) for problem in error.problems
            ]
    return found
