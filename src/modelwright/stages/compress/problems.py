"""What a recipe may not ask of compression, refused before any data is touched. Torch-free."""

from __future__ import annotations

from typing import Any

from ...core.recipe import Recipe
from . import private
from .private import Found

# What compares classes, which pictures have none of.
OF_CLASSES = ("least_agreement", "resamples", "confidence", "groups", "positive")


def problems(recipe: Recipe) -> list[Found]:
    """Return the steps that would undo a private training, and those that are not made for pictures."""
    found, task = private.problems(recipe), recipe.sections.get("task")
    return [*found, *_of_pictures(recipe)] if getattr(task, "kind", "") == "style" else found


def _of_pictures(recipe: Recipe) -> list[Found]:
    compress: Any = recipe.sections["compress"]
    steps: list[Found] = [
        (
            ("compress", "steps", number),
            f"{step.kind} with task: style",
            "export, the one step that is made for pictures",
        )
        for number, step in enumerate(compress.steps)
        if step.kind != "export"
    ]
    fields = type(compress).model_fields
    return steps + [
        (("compress", name), f"{name} with task: style, which has no classes to compare", "the key left out")
        for name in OF_CLASSES
        if getattr(compress, name) != fields[name].default
    ]
