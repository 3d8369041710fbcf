"""Samplers that draw another number of examples of each class than there are: over- and under-sampling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..core.randomness import derive_seed
from ..methods.balance.drawing import draw_by_class, over_sampled_counts, under_sampled_counts
from ..methods.balance.settings import OverSamplingSettings, UnderSamplingSettings
from .samplers import Columns, in_order


@dataclass(frozen=True)
class ByClass:
    """So many examples of each class an epoch; `members` holds the examples of each class, `counts` how many are drawn."""

    members: tuple[np.ndarray, ...]
    counts: np.ndarray
    batch: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, the smaller last one included."""
        return -(-int(self.counts.sum()) // self.batch)

    def order(self, epoch: int) -> np.ndarray:
        """Return the examples drawn for an epoch."""
        return draw_by_class(
            self.members, self.counts, np.random.default_rng(derive_seed(self.seed, "by_class", epoch))
        )

    def batches(self, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (step, indices) for the steps from `start` up to but not including `stop`."""
        return in_order(self, start, stop)


def build_over_sampling(settings: OverSamplingSettings, columns: Columns, batch: int, seed: int) -> ByClass:
    """Return the sampler that repeats examples of rare classes."""
    targets = columns["target"]
    return ByClass(_members(targets), over_sampled_counts(np.bincount(targets), settings.ratio), batch, seed)


def build_under_sampling(settings: UnderSamplingSettings, columns: Columns, batch: int, seed: int) -> ByClass:
    """Return the sampler that leaves out examples of frequent classes, in each epoch others."""
    targets = columns["target"]
    return ByClass(_members(targets), under_sampled_counts(np.bincount(targets), settings.ratio), batch, seed)


def _members(targets: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(np.flatnonzero(targets == label) for label in range(int(targets.max()) + 1))
