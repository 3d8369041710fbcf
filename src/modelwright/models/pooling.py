"""From the states of a sequence to one vector, padding left out.

Dimensions: B batch, T tokens, H hidden.
"""

from __future__ import annotations

import torch


def mask_of(length: torch.Tensor, tokens: int) -> torch.Tensor:
    """Return where the real tokens are.

    Shapes: length (batch,) int64 -> (batch, tokens) bool
    """
    return torch.arange(tokens, device=length.device) < length[:, None]


def mean_pool(states_BTH: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
    """Return the mean over real tokens.

    Shapes: states (batch, t, h) float, mask (batch, t) bool -> (batch, h) float
    """
    mask_BT1 = mask_BT[..., None].to(states_BTH.dtype)
    return (states_BTH * mask_BT1).sum(dim=1) / mask_BT1.sum(dim=1).clamp(min=1)


def max_pool(states_BTH: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
    """Return the largest value over real tokens.

    Shapes: states (batch, t, h) float, mask (batch, t) bool -> (batch, h) float
    """
    return states_BTH.masked_fill(~mask_BT[..., None], torch.finfo(states_BTH.dtype).min).amax(dim=1)
