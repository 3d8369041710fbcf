"""A random share of the training part: for shadow models, which must not have seen some examples."""

from __future__ import annotations

import numpy as np

from ..core.randomness import derive_seed
from ..tasks.task import Examples


def draw_subset(examples: int, share: float, seed: int) -> np.ndarray:
    """Return the rows of a share of the examples, in their order; at least one."""
    if share >= 1:
        return np.arange(examples)
    generator = np.random.default_rng(derive_seed(seed, "subset"))
    return np.sort(generator.permutation(examples)[: max(1, round(share * examples))])


def take_subset(examples: Examples, share: float, seed: int) -> Examples:
    """Return a share of the examples, in their order; all of them as they are where nothing is left out."""
    return examples.take(draw_subset(len(examples), share, seed)) if share < 1 else examples
