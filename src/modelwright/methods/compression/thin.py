"""Linear layers as a product of two thin ones.

Dimensions: O outputs, I inputs, R rank.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from modelwright.core.errors import RecipeError

from .int8 import linear_layers

# A square and a sum of squares of rounded values: each is wrong by two roundings at most.
ROUNDING = 4


def factor_layers(network: nn.Module, rank: int | float) -> dict[str, int]:
    """Replace linear layers by two thin ones where that has fewer weights, in place; return the rank of each, by name.

    A whole number is the rank of all; a fraction asks of each for the least rank that keeps this share of its energy.

    Raises:
        RecipeError: no layer would become smaller.
    Source: Eckart and Young 1936, section 2; Denton et al. 2014, section 3.1.
    """
    ranks: dict[str, int] = {}
    layers = linear_layers(network)
    for name, layer in layers.items():
        left_OK, values_K, right_KI = torch.linalg.svd(layer.weight.detach().float(), full_matrices=False)
        chosen = min(rank, len(values_K)) if isinstance(rank, int) else rank_of_energy(values_K, rank)
        outputs, inputs = layer.weight.shape
        if chosen * (outputs + inputs) >= outputs * inputs:
            continue
        thin = _thin(layer, chosen)
        root_R = values_K[:chosen].sqrt()
        with torch.no_grad():
            thin[0].weight.copy_(root_R[:, None] * right_KI[:chosen])  # type: ignore[operator]
            thin[1].weight.copy_(left_OK[:, :chosen] * root_R)  # type: ignore[operator]
        _put(network, name, thin)
        ranks[name] = chosen
    if not ranks:
        raise RecipeError(
            f"at rank {rank} none of the model's {len(layers)} linear layers would become smaller",
            where="compress.steps",
            expected="a lower rank, or a model with large linear layers",
            next_step="lower the step's rank, or leave the step out",
        )
    return ranks


def rank_of_energy(values_K: torch.Tensor, share: float) -> int:
    """Return the least rank that keeps a share of the sum of the squared singular values.

    Shapes: values (k,) float, falling -> int
    Source: Denton et al. 2014, section 3.1; the squared error of a truncated SVD is the sum of the squares left out.
    """
    kept_K = values_K.double().square().cumsum(dim=0)
    # The values themselves are rounded, so a share that one of them reaches exactly must not miss it by the last bit.
    wanted = share * kept_K[-1] * (1 - ROUNDING * torch.finfo(values_K.dtype).eps)
    return int((kept_K < wanted).sum()) + 1


def rebuild_thin(network: nn.Module, ranks: Mapping[str, int]) -> None:
    """Give a network thin layers to be filled, by name, in place.

    Source: the other half of `factor_layers`.
    """
    for name, rank in ranks.items():
        layer = network.get_submodule(name)
        if not isinstance(layer, nn.Linear):
            raise ValueError(f"{name} is no linear layer")
        _put(network, name, _thin(layer, rank))


def _thin(layer: nn.Linear, rank: int) -> nn.Sequential:
    thin = nn.Sequential(
        nn.Linear(layer.in_features, rank, bias=False), nn.Linear(rank, layer.out_features, bias=layer.bias is not None)
    )
    if layer.bias is not None:
        with torch.no_grad():
            thin[1].bias.copy_(layer.bias)  # type: ignore[operator]
    return thin


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)
