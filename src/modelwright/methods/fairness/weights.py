"""Weights of examples by group: fixed ones from counts, and ones that follow the groups' losses."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray


def reweighing(groups: NDArray[np.integer], targets: NDArray[np.integer], strength: float = 1.0) -> NDArray[np.float64]:
    """Return a weight for each group and class that makes the two independent: expected share over found share.

    `strength` 0 gives ones, 1 the full weights; the mean weight of the examples is one.

    Shapes: groups (n,) int, targets (n,) int -> (groups, classes) float; 1 where there is no example
    Source: F. Kamiran and T. Calders, Data preprocessing techniques for classification without discrimination, Knowl. Inf.
        Syst. 33 (2012), section 5.3, algorithm 3; `strength`, a power of the weight, is ours.
    """
    counts_GC = np.zeros((int(groups.max()) + 1, int(targets.max()) + 1))
    np.add.at(counts_GC, (groups, targets), 1.0)
    expected_GC = np.outer(counts_GC.sum(axis=1), counts_GC.sum(axis=0)) / len(groups)
    weights_GC = np.divide(expected_GC, counts_GC, out=np.ones_like(counts_GC), where=counts_GC > 0) ** strength
    weights_GC[counts_GC == 0] = 1.0
    return weights_GC * (len(groups) / (weights_GC * counts_GC).sum())


def follow_losses(
    weights_G: torch.Tensor, losses_G: torch.Tensor, present_G: torch.Tensor, step: float
) -> torch.Tensor:
    """Return the weights of the groups after one step up the simplex: groups with a larger loss gain.

    Shapes: weights (groups,) float, losses (groups,) float, present (groups,) bool -> (groups,) float, of sum 1
    Source: S. Sagawa, P. W. Koh, T. B. Hashimoto and P. Liang, Distributionally Robust Neural Networks for Group Shifts,
        ICLR 2020, algorithm 1.
    """
    # Only differences count, so the largest exponent may be 0: nothing overflows, however long training lasts.
    gains_G = torch.where(present_G, step * losses_G.double(), torch.zeros_like(weights_G))
    raised_G = weights_G * torch.exp(gains_G - gains_G.max())
    return raised_G / raised_G.sum()
