"""The Poisson sampler: batches whose sizes vary, and may be empty. What it draws follows from its key and the step alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..methods.privacy.sampling import draw_poisson


@dataclass(frozen=True)
class Poisson:
    """Every example in every batch by itself, with the probability `rate`; `batch` is the expected size.

    `examples` counts those that can be drawn. The key is secret, and so no seed of a recipe.
    """

    examples: int
    batch: int
    rate: float
    key: int

    @property
    def steps_per_epoch(self) -> int:
        """Steps after which every example was drawn once, on average."""
        return -(-self.examples // self.batch)

    def order(self, epoch: int) -> np.ndarray:
        """Return the examples drawn in the steps of an epoch, one batch after the other."""
        start = epoch * self.steps_per_epoch
        drawn = [indices for _, indices in self.batches(start, start + self.steps_per_epoch)]
        return np.concatenate(drawn)

    def batches(self, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (step, indices) for the steps from `start` up to but not including `stop`; an empty batch is a step too."""
        for step in range(start, stop):
            yield step, draw_poisson(self.examples, self.rate, self.key, step)
