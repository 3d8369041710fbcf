"""Three answers to classes of unequal size: weigh losses, turn down the easy ones, draw the rare more often."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor


def class_weights(counts: Tensor, how: Literal["inverse", "effective"], beta: float = 0.999) -> Tensor:
    """Return a weight for each class from its number of examples; a class without examples has weight 0.

    Shapes: counts (classes,) -> (classes,) float
    Source: scikit-learn's class_weight="balanced", after King and Zeng 2001, for `inverse`; Cui et al. 2019, equation 3
        and section 4 for `effective`.
    """
    numbers = counts.double()
    seen = numbers > 0
    if how == "inverse":
        weights = numbers.sum() / (seen.sum() * numbers)
    else:
        weights = (1 - beta) / (1 - beta**numbers)
        weights = weights * seen.sum() / weights[seen].sum()
    return torch.where(seen, weights, 0.0).float()


def focal_loss(losses: Tensor, gamma: float) -> Tensor:
    """Return each example's cross-entropy times (1 - p) ** gamma, where p is the probability of its class.

    Shapes: losses (batch,) float -> (batch,) float
    Source: Lin et al. 2017, equation 4; class weights are its alpha.
    """
    if gamma == 0:
        return losses
    # The smallest number keeps the gradient finite at p = 1 when gamma is below 1.
    missed = -torch.expm1(-losses)
    return missed.clamp(min=torch.finfo(losses.dtype).tiny) ** gamma * losses


def sampling_probabilities(labels: Tensor, strength: float = 1.0) -> Tensor:
    """Return each example's probability of being drawn, proportional to its class's count to the power of -strength.

    Shapes: labels (examples,) int -> (examples,) float
    Source: Kang et al. 2020, equation 1 with q = 1 - strength.
    """
    counts = torch.bincount(labels).double()
    # In double: a class of one among many millions would lose digits otherwise.
    shares = counts[labels] ** -strength
    return shares / shares.sum()
