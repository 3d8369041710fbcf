"""Weights from outside as a trace sees them: what they are is read for real, once; what they hold is left out."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch

from ...core import registry
from ...core.recipe import Recipe
from ...models.pretrained import Pretrained
from . import adapter


def outside_weights(recipe: Recipe) -> Pretrained | None:
    """Return the weights that the model of a recipe begins with, as tensors of the same shapes; none where it begins with none.

    Where tensors shared memory, so do these. The reading itself may take a library that cannot be followed, and so is not.
    """
    section: Any = recipe.sections["model"]
    if section.kind not in registry.names("pretrained"):
        return None
    with adapter.for_real():
        found = _read(section, recipe.base)
    if found is None:
        return None
    digest, described, facts = found
    storages: dict[int, torch.Tensor] = {}
    weights = {}
    for name, (storage, size, dtype, shape, stride, offset) in described.items():
        if storage not in storages:
            storages[storage] = torch.empty(size, dtype=torch.uint8)
        flat = storages[storage].view(dtype)
        weights[name] = flat.as_strided(shape, stride, offset)
    return Pretrained(digest, weights, facts)


@cache
def _read(section: Any, base: Path) -> tuple[str, dict[str, tuple[Any, ...]], dict[str, Any]] | None:
    found: Pretrained | None = registry.function_of("pretrained", section.kind)(section, base)
    if found is None:
        return None
    described = {}
    for name, tensor in found.weights.items():
        storage = tensor.untyped_storage()
        size = storage.nbytes() // tensor.element_size() * tensor.element_size()
        where = (
            adapter.key_of(storage),
            size,
            tensor.dtype,
            tuple(tensor.shape),
            tensor.stride(),
            tensor.storage_offset(),
        )
        described[name] = where
    return found.digest, described, found.facts
