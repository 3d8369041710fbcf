"""From a model to the same model with low-rank layers, in place, and back to plain weights."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import torch
from torch import nn

from modelwright.core.errors import RecipeError

from .frozen import FrozenLinear
from .layers import LoraLinear, ThinLinear
from .settings import Lora, NoLowRank, OpenLora, Svd

# What the recipe calls the weights that do not learn -> the bits of each of them; 0: as they are.
BITS = {"plain": 0, "int8": 8, "int4": 4}


def adapt_none(settings: NoLowRank, model: nn.Module, generator: torch.Generator) -> int:
    """Leave the model as it is; return 0, the number of low-rank layers.

    Source: none; the choice that changes nothing.
    """
    return 0


def adapt_undecided(settings: OpenLora, model: nn.Module, generator: torch.Generator) -> int:
    """Refuse to decide here what the recipe leaves to the plan.

    Raises:
        RecipeError: always.
    Source: none; the plan decides by the memory that there is.
    """
    raise RecipeError(
        "low_rank: auto has not been decided",
        where="train.low_rank",
        expected="the decision of the stage plan",
        next_step="run the stage plan first, or say lora or none",
    )


def adapt_lora(settings: Lora, model: nn.Module, generator: torch.Generator) -> int:
    """Freeze a model and put a trainable thin product beside each chosen linear layer; return how many there are.

    Raises:
        RecipeError: no linear layer is chosen.
    Source: Hu et al. 2021, section 4.1.
    """
    full = [name for name, _ in model.named_parameters() if settings.full and re.search(settings.full, name)]
    chosen = {name: base for name, base in _chosen(model, settings.targets).items() if f"{name}.weight" not in full}
    _require(chosen, model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in full)
    bits = BITS[settings.base]
    for name, base in chosen.items():
        _put(model, name, LoraLinear(base, settings.rank, settings.scale, settings.dropout, generator, bits))
    if bits:
        others = {name: base for name, base in _chosen(model, "").items() if f"{name}.weight" not in full}
        for name, base in others.items():
            if not name.endswith(".base"):
                _put(model, name, FrozenLinear(base, bits))
    return len(chosen)


def adapt_svd(settings: Svd, model: nn.Module, generator: torch.Generator) -> int:
    """Replace each chosen linear layer by a product of two thin ones, where that has fewer weights; return how many.

    Everything else of the model goes on to learn as before.

    Raises:
        RecipeError: no linear layer is chosen, or none would become smaller.
    Source: Denil et al. 2013, section 2; the start is that of Eckart and Young 1936.
    """
    chosen = []
    for name, base in _chosen(model, settings.targets).items():
        outputs, inputs = base.out_features, base.in_features
        rank = settings.rank if isinstance(settings.rank, int) else max(1, round(settings.rank * min(outputs, inputs)))
        if rank * (outputs + inputs) < outputs * inputs:
            _put(model, name, ThinLinear(base, rank))
            chosen.append(name)
    _require(chosen, model)
    return len(chosen)


def merge(model: nn.Module) -> nn.Module:
    """Turn every low-rank layer of a model into a plain one, in place; whoever opens the model need not know of them.

    Source: Hu et al. 2021, section 4.1, no additional inference latency.
    """
    for name, module in list(model.named_modules()):
        if isinstance(module, (LoraLinear, ThinLinear)):
            _put(model, name, module.merged())
    for name, module in list(model.named_modules()):
        if isinstance(module, FrozenLinear):
            _put(model, name, module.plain())
    return model


def _chosen(model: nn.Module, targets: str | Sequence[str]) -> dict[str, nn.Linear]:
    # Exactly this class: others use their weight in ways of their own.
    layers = {name: module for name, module in model.named_modules() if type(module) is nn.Linear and name}
    if isinstance(targets, str):
        return {name: layer for name, layer in layers.items() if re.search(targets, name)}
    return {name: layer for name, layer in layers.items() if any(f".{name}".endswith(f".{end}") for end in targets)}


def _require(chosen: Collection[str], model: nn.Module) -> None:
    if not chosen:
        names = [name for name, module in model.named_modules() if type(module) is nn.Linear]
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise RecipeError(
            "no linear layer of the model is chosen, or none would become smaller",
            where="train.low_rank",
            expected=f"some of its linear layers: {shown}" if names else "a model with linear layers",
            next_step="change train.low_rank.targets or rank, or set train.low_rank: none",
        )


def _put(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)
