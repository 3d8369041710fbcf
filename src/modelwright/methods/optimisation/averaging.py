"""Averages of the weights a run has passed through: exponential, and plain over many steps.

An average is a dict from name to tensor, like a model's state. The update functions change it in place and keep no
state of their own: the caller counts the updates.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def start_average(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy weights as the start of an average; 16-bit floats become float32, in which small changes survive.

    Source: Izmailov et al. 2018, algorithm 1, first line.
    """
    return {
        name: (tensor.detach().float() if _is_short(tensor) else tensor.detach().clone())
        for name, tensor in weights.items()
    }


def update_exponential(average: dict[str, Tensor], weights: Mapping[str, Tensor], decay: float, updates: int) -> None:
    """Move an exponential average towards `weights`, in place; `updates` counts the updates before this one.

    The decay starts at 0 and grows to `decay` such that the average is at any time the bias-corrected one: the
    starting values have no weight.

    Source: Polyak and Juditsky 1992; Kingma and Ba 2015, section 3, in the form of Shazeer and Stern 2018, section 7.
    """
    present = decay * (1 - decay**updates) / (1 - decay ** (updates + 1))
    _move(average, weights, 1 - present)


def update_uniform(average: dict[str, Tensor], weights: Mapping[str, Tensor], updates: int) -> None:
    """Include `weights` in a plain average, in place; `updates` counts the weights that are in it already.

    Source: Izmailov et al. 2018 (SWA), algorithm 1.
    """
    _move(average, weights, 1 / (updates + 1))


@torch.no_grad()
def _move(average: dict[str, Tensor], weights: Mapping[str, Tensor], share: float) -> None:
    if average.keys() != weights.keys():
        raise ValueError(f"found different names in average and weights: {sorted(average.keys() ^ weights.keys())[:3]}")
    floats = [name for name, tensor in average.items() if tensor.is_floating_point()]
    torch._foreach_lerp_(
        [average[name] for name in floats], [weights[name].to(average[name].dtype) for name in floats], share
    )
    for name in average.keys() - set(floats):
        # Counters, such as a batch norm's, have no average.
        average[name].copy_(weights[name])


def _is_short(tensor: Tensor) -> bool:
    return tensor.dtype in (torch.float16, torch.bfloat16)
