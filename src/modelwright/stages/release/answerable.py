"""Who answers for a release: nobody signs for a model without an owner, a purpose and an approver. Torch-free."""

from __future__ import annotations

import re

from ...core.evidence import Evidence
from ...core.gates import Verdict, parse_gate
from ...core.recipe import Recipe
from .settings import SAID, Override, Release

REQUIRED = {
    "owner": ("nobody is named who answers for the model", "the name of a person or team"),
    "purpose": ("it is not said what the model is for", "a sentence"),
    "approver": ("nobody is named who allows the release", "the name of a person; it may be the owner"),
}
OVERRIDDEN = "overridden_gates"
# What people write where they mean to write something later.
PLACEHOLDERS = ("todo", "tbd", "fixme", "none", "n/a", "xxx", "unknown", "待定", "未知", "无")


def demands(recipe: Recipe) -> list[tuple[tuple[str, ...], str, str, str]]:
    """Return what a recipe must say before it may release anything, and does not: place, found, expected, next."""
    settings = recipe.sections["release"]
    assert isinstance(settings, Release)
    return [
        (
            ("release", field),
            found,
            expected,
            f"write release.{field} in the recipe, or release.{field}='...' on the command line; until then, "
            "`modelwright evaluate` does all but the release",
        )
        for field, (found, expected) in REQUIRED.items()
        if not is_said(getattr(settings, field))
    ]


def is_said(text: str) -> bool:
    """Say whether a text says something."""
    return bool(re.search(SAID, text)) and text.strip().lower() not in PLACEHOLDERS


def override_of(verdict: Verdict, overrides: tuple[Override, ...]) -> Override | None:
    """Return the override of a gate that does not hold, if somebody answers for it."""
    if verdict.passed:
        return None
    return next((item for item in overrides if str(parse_gate(item.gate)) == verdict.gate), None)


def count_overrides(overridden: int, gates: int, about: dict[str, str]) -> Evidence:
    """Return how many gates do not hold and were overridden, as evidence that another gate may bound."""
    method = f"of {gates} gates; each with a named person and a reason, in gates.json and in the journal"
    return Evidence(OVERRIDDEN, overridden, unit="gates", n=gates, about=about, method=method)
