"""Steps that would undo a private training, refused before any data is touched. Torch-free."""

from __future__ import annotations

from typing import Any

from ...core.recipe import Recipe

Found = tuple[tuple[str | int, ...], str, str]
OTHERWISE = "steps that look at no training example: quantise with how: dynamic or weight_only, prune or low_rank without fine_tune, export"


def problems(recipe: Recipe) -> list[Found]:
    """Return the steps that learn from training examples without noise, where the training was private."""
    train: Any = recipe.sections.get("train")
    compress: Any = recipe.sections["compress"]
    if train is None or train.privacy.kind == "none":
        return []
    return [
        (
            ("compress", "steps", number),
            f"{step.kind} with train.privacy: {train.privacy.kind}; it learns from training examples without noise",
            OTHERWISE,
        )
        for number, step in enumerate(compress.steps)
        if _learns(step)
    ]


def _learns(step: Any) -> bool:
    """Say whether a step looks at training examples; one that nobody here knows is taken to do so."""
    if step.kind in ("prune", "low_rank"):
        return bool(step.fine_tune.count > 0)
    if step.kind == "quantise":
        return bool(step.how == "static")
    return bool(step.kind != "export")
