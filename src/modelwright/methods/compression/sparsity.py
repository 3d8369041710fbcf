"""Weights that are zero: which become so, and how a tensor is stored without them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

MASK, VALUES = ".mask", ".values"
# Smaller tensors are not worth two entries; and a packed one must be smaller by a tenth at least.
SMALLEST, WORTH = 64, 0.9


def zero_smallest(network: nn.Module, amount: float) -> dict[str, torch.Tensor]:
    """Set a share of all weights of matrices to zero, the smallest over the whole network, in place.

    Return where weights may still change, by the parameter's name; vectors (biases, normalisations) are left alone.

    Source: Han et al. 2015, section 3, with one threshold for the whole network.
    """
    chosen = {name: weight for name, weight in network.named_parameters() if weight.dim() > 1}
    sizes = torch.cat([weight.detach().abs().flatten() for weight in chosen.values()])
    count = round(amount * len(sizes))
    if not count:
        return {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in chosen.items()}
    # By rank and not by threshold: ties would otherwise take more than was asked for.
    kept = torch.ones(len(sizes), dtype=torch.bool)
    kept[sizes.argsort(stable=True)[:count]] = False
    masks = {}
    for (name, weight), mask in zip(chosen.items(), kept.split([w.numel() for w in chosen.values()]), strict=True):
        masks[name] = mask.view(weight.shape)
        with torch.no_grad():
            weight.mul_(masks[name])
    return masks


def pack(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return tensors as they are stored: where zeros are many, one bit per entry and the other entries in a row.

    Source: Han et al. 2016, section 2, with a bit mask for relative indices.
    """
    packed: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        flat = tensor.detach().contiguous().flatten()
        full = flat != 0
        size = (len(flat) + 7) // 8 + int(full.sum()) * flat.element_size()
        if len(flat) < SMALLEST or size > WORTH * len(flat) * flat.element_size():
            packed[name] = tensor.detach().contiguous()
        else:
            packed[f"{name}{MASK}"] = torch.from_numpy(np.packbits(full.numpy()))
            packed[f"{name}{VALUES}"] = flat[full]
    return packed


def unpack(stored: dict[str, torch.Tensor], shapes: dict[str, torch.Size]) -> dict[str, torch.Tensor]:
    """Return what `pack` was given; `shapes` are those of the network that is to be filled.

    Raises:
        ValueError: an entry does not fit its shape.
    Source: the other half of `pack`.
    """
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in stored.items():
        base = name.removesuffix(MASK)
        if name.endswith(VALUES) and f"{name.removesuffix(VALUES)}{MASK}" in stored:
            continue
        if base == name or base not in shapes or f"{base}{VALUES}" not in stored:
            tensors[name] = tensor
            continue
        values, count = stored[f"{base}{VALUES}"], shapes[base].numel()
        if tensor.dtype != torch.uint8 or tensor.numel() != (count + 7) // 8:
            raise ValueError(f"the mask of {base} does not fit its shape {tuple(shapes[base])}")
        full = torch.from_numpy(np.unpackbits(tensor.numpy(), count=count).astype(np.bool_))
        if values.numel() != int(full.sum()):
            raise ValueError(f"the mask of {base} speaks of {int(full.sum())} values, {values.numel()} are there")
        flat = torch.zeros(count, dtype=values.dtype)
        flat[full] = values
        tensors[base] = flat.view(shapes[base])
    return tensors
