"""Which examples stand in which batch. A sampler is a pure function of (seed, step): nothing to save, nothing to lose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..core.randomness import derive_seed


@dataclass(frozen=True)
class Shuffled:
    """Every example once an epoch, in an order drawn anew for each epoch; the last batch of an epoch may be smaller."""

    examples: int
    batch: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, the smaller last one included."""
        return -(-self.examples // self.batch)

    def order(self, epoch: int) -> np.ndarray:
        """Return the examples' order in an epoch."""
        return np.random.default_rng(derive_seed(self.seed, "shuffle", epoch)).permutation(self.examples)

    def batches(self, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (step, indices) for the steps from `start` up to but not including `stop`."""
        epoch, order = -1, np.empty(0, dtype=np.int64)
        for step in range(start, stop):
            at, place = divmod(step, self.steps_per_epoch)
            if at != epoch:
                epoch, order = at, self.order(at)
            yield step, order[place * self.batch : (place + 1) * self.batch]
