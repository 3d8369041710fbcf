"""What an attack on canaries proves: a lower bound on epsilon, from one training."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

HIGHEST, HALVINGS = 100.0, 40


@dataclass(frozen=True)
class Guesses:
    """How often somebody guessed whether a canary was there, and how often rightly."""

    canaries: int
    guesses: int
    right: int


def guess_by_rank(scores: np.ndarray, included: np.ndarray, guesses: int) -> Guesses:
    """Take the canaries with the highest scores for present and those with the lowest for absent, and abstain in between.

    `guesses` must not depend on what was included, or the bound that follows is none.

    Shapes: scores (m,) float, included (m,) bool
    Source: Steinke, Nasr and Jagielski 2023, "Privacy auditing with one (1) training run", algorithm 1.
    """
    half = guesses // 2
    order = np.argsort(scores, kind="stable")
    right = int(included[order[len(order) - half :]].sum()) + int((~included[order[:half]]).sum())
    return Guesses(len(scores), 2 * half, right)


def improbability(found: Guesses, epsilon: float, delta: float) -> float:
    """Return a bound on the probability of so many right guesses if training were (epsilon, delta)-private.

    Source: Steinke, Nasr and Jagielski 2023, theorem 5.2 and appendix D.
    """
    from scipy.stats import binom

    share = 1 / (1 + math.exp(-epsilon))
    beta = float(binom.sf(found.right - 1, found.guesses, share))
    if found.right == 0:
        return 1.0
    misses = np.arange(1, found.right + 1)
    alpha = float((np.cumsum(binom.pmf(found.right - misses, found.guesses, share)) / misses).max())
    return min(1.0, beta + 2 * found.canaries * delta * alpha)


def epsilon_lower_bound(found: Guesses, delta: float, confidence: float) -> float:
    """Return the largest epsilon that so many right guesses refute with the given confidence; 0 where they refute none.

    Source: Steinke, Nasr and Jagielski 2023, section 5 and appendix D.
    """
    if improbability(found, 0.0, delta) >= 1 - confidence:
        return 0.0
    low, high = 0.0, HIGHEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if improbability(found, middle, delta) < 1 - confidence else (low, middle)
    return low
