"""The batch that stands for all others where time is told: the one whose size is nearest to the mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...tasks.task import Examples
from .longest import lengths_of, size_of_batch

# Steps of a recipe whose batches are looked at: enough for a mean.
LOOKED_AT = 500


def ordinary_batch(sampler: Any, examples: Examples, total: int) -> np.ndarray:
    """Return the training batch whose padded size is nearest to the mean of an epoch.

    Shapes: -> (b,) int
    """
    lengths = lengths_of(examples)
    stop = min(total, sampler.steps_per_epoch, LOOKED_AT)
    batches = [indices for _, indices in sampler.batches(0, stop)]
    sizes = np.array([size_of_batch(indices, lengths)[0] for indices in batches])
    return batches[int(np.abs(sizes - sizes.mean()).argmin())]
