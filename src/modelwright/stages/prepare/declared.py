"""Which columns a recipe declares as groups, wherever it does so. Torch-free."""

from __future__ import annotations

from typing import Any

from ...core.recipe import Recipe


def declared(recipe: Recipe) -> tuple[dict[str, str], dict[str, str]]:
    """Return the columns that audit or compression compares, and those that the training objective weighs by.

    Each comes with the key of the recipe that names it.
    """
    audit: Any = recipe.sections.get("audit")
    compress: Any = recipe.sections.get("compress")
    train: Any = recipe.sections.get("train")
    compared = dict.fromkeys(audit.fairness.columns if audit else (), "audit.fairness.columns")
    for column in compress.groups if compress else ():
        compared.setdefault(column, "compress.groups")
    weighs = train and getattr(type(train.objective), "of_groups", False)
    return compared, {train.objective.column: "train.objective.column"} if weighs else {}
