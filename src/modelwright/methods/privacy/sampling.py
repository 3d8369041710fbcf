"""Poisson sampling: every example is in or out of a batch by itself."""

from __future__ import annotations

import numpy as np


def draw_poisson(examples: int, rate: float, key: int, step: int) -> np.ndarray:
    """Return the examples of a step, each drawn by itself with probability `rate`; a pure function of (key, step).

    There may be none. The key must be secret: whoever knows it knows which steps an example stood in, and for them the
    sampling hides nothing.

    Source: Abadi et al. 2016, section 3.1 ("lots"); the generator: Salmon et al. 2011 (Philox), keyed and counted.
    """
    # The upper half of the counter holds the step; the draws of a step count in the lower one.
    generator = np.random.Generator(np.random.Philox(key=key, counter=step << 128))
    return np.flatnonzero(generator.random(examples) < rate)
