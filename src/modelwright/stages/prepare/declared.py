"""Which columns a recipe declares as groups, wherever it does so. Torch-free."""

from __future__ import annotations

from typing import Any

from ...core.recipe import Recipe


def declared(recipe: Recipe) -> tuple[list[str], list[str]]:
    """Return the columns that the audit or the table of compression compares, and those that the training objective weighs by."""
    audit: Any = recipe.sections.get("audit")
    compress: Any = recipe.sections.get("compress")
    train: Any = recipe.sections.get("train")
    compared = list(audit.fairness.columns) if audit else []
    compared += [column for column in (compress.groups if compress else ()) if column not in compared]
    weighed = [train.objective.column] if train and getattr(type(train.objective), "of_groups", False) else []
    return compared, weighed
