"""The weights from outside as they were before any training, for what is shown before and after."""

from __future__ import annotations

from typing import Any

from ...core import registry
from ...core.stage import Context


def untrained(context: Context, learnt: dict[str, Any]) -> Any:
    """Return the network with the weights from outside."""
    section: Any = context.recipe.sections["model"]
    pretrained = registry.function_of("pretrained", section.kind)(section, context.recipe.base)
    network = registry.function_of("model", section.kind)(section, {**learnt, **pretrained.facts})
    pretrained.fill(network)
    return network


def begins_outside(context: Context) -> bool:
    """Say whether the model began with weights from outside."""
    section: Any = context.recipe.sections["model"]
    return section.kind in registry.names("pretrained")
