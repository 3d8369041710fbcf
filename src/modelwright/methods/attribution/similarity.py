"""How alike two explanations of one input are: a method that says the same of a random model says nothing of this one."""

from __future__ import annotations

import math

import numpy as np


def rank_similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Return Spearman's rank correlation of two sets of weights; 0 where one of them is all equal.

    Shapes: one, other (parts,) float -> float from -1 to 1

    Source: Adebayo et al. 2018, Sanity checks for saliency maps, section 3; Spearman 1904.
    """
    ranks = [_ranks(np.asarray(weights, dtype=np.float64)) for weights in (one, other)]
    centred = [rank - rank.mean() for rank in ranks]
    spread = float(np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum()) / spread if spread > 0 else 0.0


def beyond_chance(one: np.ndarray, other: np.ndarray) -> float:
    """Return how much more two sets of weights are alike, or each other's mirror, than weights in random order: 0 as much, 1 wholly.

    A random model may turn an explanation around as a whole, so the sign of the correlation is no difference. What chance gives
    is large for few parts: the mean size of a correlation of n ranks is that of a normal number with variance 1 / (n - 1).

    Shapes: one, other (parts,) float -> float up to 1

    Source: Adebayo et al. 2018, Sanity checks for saliency maps, section 3; the chance: Kendall 1948, Rank correlation methods,
        chapter 5.
    """
    chance = math.sqrt(2 / (math.pi * max(1, len(one) - 1)))
    return (abs(rank_similarity(one, other)) - chance) / (1 - chance)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks from 0; equal values share the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count + 1) / 2)[place])
