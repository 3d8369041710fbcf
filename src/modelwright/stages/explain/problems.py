"""What of this stage a recipe's model cannot answer, found before anything runs. Torch-free."""

from __future__ import annotations

from typing import Any

from ...core.recipe import Recipe
from .settings import STAGE

Found = tuple[tuple[str | int, ...], str, str]


def problems(recipe: Recipe) -> list[Found]:
    """Return what is asked for twice, and what asks for a network where the model is none or is none any more."""
    section: Any = recipe.sections[STAGE.name]
    reason = _why_no_network(recipe)
    found = _twice(section)
    if not reason:
        return found
    found += [
        (
            (STAGE.name, "attributions", number),
            f"'explain.attributions.{number}': '{part.kind}' looks inside a network, and {reason}",
            "occlusion, shapley or permutation, which ask any model",
        )
        for number, part in enumerate(section.attributions)
        if getattr(type(part), "gradients", False) or getattr(type(part), "network", False)
    ]
    if section.layer not in ("auto", "answers"):
        found.append(
            ((STAGE.name, "layer"), f"'explain.layer': '{section.layer}' is a layer, and {reason}", "auto or answers")
        )
    return found


def _twice(section: Any) -> list[Found]:
    """Return what stands in a list a second time: evidence is named by the kind."""
    return [
        ((STAGE.name, name, number), f"'explain.{name}.{number}': '{part.kind}' stands there already", "each kind once")
        for name in ("attributions", "projections")
        for number, part in enumerate(getattr(section, name))
        if part.kind in [other.kind for other in getattr(section, name)[:number]]
    ]


def _why_no_network(recipe: Recipe) -> str:
    model: Any = recipe.sections["model"]
    if getattr(type(model), "at_once", False):
        return f"the model '{model.kind}' is fitted at once"
    compress: Any = recipe.sections.get("compress")
    for step in compress.steps if compress else ():
        if step.kind == "export" or getattr(step, "how", "") == "static":
            return "compress makes the model an ONNX file"
    return ""
