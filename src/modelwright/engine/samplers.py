"""Which examples stand in which batch. A sampler is a pure function of (seed, step): nothing to save, nothing to lose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..core.randomness import derive_seed
from ..methods.balance.settings import BalancedSamplingSettings
from ..methods.batching.by_length import order_by_length
from ..methods.batching.in_blocks import order_in_blocks
from ..methods.batching.settings import ByLengthSettings, InBlocksSettings
from ..sources.mapped import ask_ahead
from .settings import ShuffledSampling

# The columns of the training part, by name.
Columns = Mapping[str, np.ndarray]


class Sampler(Protocol):
    """What the stage that trains asks of every sampler."""

    @property
    def batch(self) -> int: ...
    @property
    def steps_per_epoch(self) -> int: ...
    def order(self, epoch: int) -> np.ndarray: ...
    def batches(self, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]: ...


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
        return in_order(self, start, stop)


@dataclass(frozen=True)
class Balanced:
    """As many examples an epoch as there are, drawn with replacement, rare classes more often than they are."""

    examples: int
    batch: int
    seed: int
    probabilities: np.ndarray

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, the smaller last one included."""
        return -(-self.examples // self.batch)

    def order(self, epoch: int) -> np.ndarray:
        """Return the examples drawn for an epoch."""
        generator = np.random.default_rng(derive_seed(self.seed, "balanced", epoch))
        return generator.choice(self.examples, size=self.examples, p=self.probabilities)

    def batches(self, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (step, indices) for the steps from `start` up to but not including `stop`."""
        return in_order(self, start, stop)


@dataclass(frozen=True)
class ByLength:
    """Every example once an epoch, batches of texts of about one length, in an order drawn anew for each epoch."""

    lengths: np.ndarray
    batch: int
    seed: int
    window: int

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, the smaller last one included."""
        return -(-len(self.lengths) // self.batch)

    def order(self, epoch: int) -> np.ndarray:
        """Return the examples' order in an epoch."""
        generator = np.random.default_rng(derive_seed(self.seed, "by_length", epoch))
        return order_by_length(self.lengths, self.batch, self.window, generator)

    def batches(self, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (step, indices) for the steps from `start` up to but not including `stop`."""
        return in_order(self, start, stop)


@dataclass(frozen=True)
class InBlocks:
    """Every example once an epoch, the rows of some blocks mixed at a time, in an order drawn anew for each epoch."""

    examples: int
    batch: int
    seed: int
    block: int
    window: int
    columns: tuple[np.ndarray, ...] = ()

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, the smaller last one included."""
        return -(-self.examples // self.batch)

    def order(self, epoch: int) -> np.ndarray:
        """Return the examples' order in an epoch."""
        generator = np.random.default_rng(derive_seed(self.seed, "in_blocks", epoch))
        return order_in_blocks(self.examples, self.block, self.window, generator)

    def batches(self, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (step, indices) for the steps from `start` up to but not including `stop`; ask the disk for what comes after them."""
        asked, epoch, order = 0, -1, np.empty(0, dtype=np.int64)
        reach = self.block * self.window
        for step in range(start, stop):
            at, place = divmod(step, self.steps_per_epoch)
            if at != epoch:
                epoch, order, asked = at, self.order(at), place * self.batch // reach * reach
            # A window ahead, at the pace at which this one is used up.
            while asked < min(len(order), place * self.batch + 2 * reach):
                self._ask(np.unique(order[asked : asked + reach] // self.block))
                asked += reach
            yield step, order[place * self.batch : (place + 1) * self.batch]

    def _ask(self, blocks: np.ndarray) -> None:
        for block in blocks.tolist():
            for column in self.columns:
                ask_ahead(column, block * self.block, min(self.examples, (block + 1) * self.block))


def build_shuffled(settings: ShuffledSampling, columns: Columns, batch: int, seed: int) -> Sampler:
    """Return the sampler that shuffles."""
    return Shuffled(len(columns["target"]), batch, seed)


def build_by_length(settings: ByLengthSettings, columns: Columns, batch: int, seed: int) -> Sampler:
    """Return the sampler that puts texts of about one length together."""
    return ByLength(columns["length"], batch, seed, settings.window)


def build_in_blocks(settings: InBlocksSettings, columns: Columns, batch: int, seed: int) -> Sampler:
    """Return the sampler that reads the disk in long stretches: a block is as many rows as its bytes hold of the widest column."""
    widest = max(column.nbytes // max(1, len(column)) for column in columns.values())
    return InBlocks(
        len(columns["target"]),
        batch,
        seed,
        max(1, int(settings.block) // max(1, widest)),
        settings.window,
        tuple(columns.values()),
    )


def build_balanced(settings: BalancedSamplingSettings, columns: Columns, batch: int, seed: int) -> Sampler:
    """Return the sampler that draws rare classes more often."""
    import torch

    from ..methods.balance.imbalance import sampling_probabilities

    targets = columns["target"]
    probabilities = sampling_probabilities(torch.from_numpy(np.ascontiguousarray(targets)), settings.strength).numpy()
    return Balanced(len(targets), batch, seed, probabilities / probabilities.sum())


def in_order(sampler: Sampler, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (step, indices) for the steps from `start` up to but not including `stop`, epoch by epoch."""
    epoch, order = -1, np.empty(0, dtype=np.int64)
    for step in range(start, stop):
        at, place = divmod(step, sampler.steps_per_epoch)
        if at != epoch:
            epoch, order = at, sampler.order(at)
        yield step, order[place * sampler.batch : (place + 1) * sampler.batch]
