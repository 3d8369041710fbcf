"""Canaries: made-up examples whose traces an audit can look for, in a training that is otherwise as it always is.

A canary's gradient is one entry, of a parameter of its own that nothing else touches, ten times as long as may be: it is
sampled, clipped, summed and covered by noise as every example is, by the same code. Half of the canaries, by the toss of a coin,
are left out. Whoever tells the two kinds apart too well refutes the claim of privacy.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ..tasks.task import Batch
from .loader import Load
from .loop import Verdict
from .pool import Slot
from .private_sampler import Poisson
from .turn import Turn

NAME, INPUT = "canaries", "canary"
# A canary that was no longer than the limit would not notice that nobody clips.
LOUD = 10.0
Losses = Callable[[Batch], torch.Tensor]


class Canaries:
    """State: which canaries are in, and the sum of the noisy gradients that each one's parameter received."""

    def __init__(self, network: nn.Module, examples: int, count: int, clip: float) -> None:
        self.network, self.examples, self.loud = network, examples, LOUD * clip
        network.register_parameter(NAME, nn.Parameter(torch.zeros(count)))
        coins = np.unpackbits(np.frombuffer(os.urandom(count // 8 + 1), np.uint8))[:count]
        self.included = coins.astype(bool)
        self.scores = torch.zeros(count, dtype=torch.float64)

    def losses(self, plain: Losses) -> Losses:
        """Return the losses of examples and canaries; a canary's gradient is its own entry alone."""

        def losses(batch: Batch) -> torch.Tensor:
            inputs = dict(batch.inputs)
            number = inputs.pop(INPUT)
            usual = plain(replace(batch, inputs=inputs))
            weights = getattr(self.network, NAME)
            return torch.where(number >= 0, self.loud * weights[number.clamp(min=0)], usual)

        return losses

    def load(self, plain: Load) -> Load:
        """Return what makes batches in which a canary stands as a copy of the first example, marked by its number."""

        def load(step: int, indices: np.ndarray, room: Slot) -> Batch:
            canary = np.where(indices < self.examples, -1, indices - self.examples)
            batch = plain(step, np.where(canary < 0, indices, 0), room)
            return Batch({**batch.inputs, INPUT: torch.from_numpy(canary)}, batch.targets, indices)

        return load

    def watch(self, turn: Turn, losses: torch.Tensor) -> Verdict:
        """Add up what an outsider who sees every step would see; a gradient rule, after the noise."""
        gradient = getattr(self.network, NAME).grad
        self.scores += gradient.double()
        return Verdict.APPLY

    def leave(self, network: nn.Module) -> None:
        """Take the parameter of the canaries out of a network."""
        delattr(network, NAME)

    def record(self) -> dict[str, Any]:
        """Return what the audit reads."""
        return {"included": self.included.tolist(), "scores": self.scores.tolist()}

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return what a checkpoint must hold."""
        return {"scores": self.scores, "included": torch.from_numpy(self.included.astype(np.uint8))}, {}

    def restore(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.scores = tensors["scores"]
        self.included = tensors["included"].numpy().astype(bool)


@dataclass(frozen=True)
class WithCanaries:
    """The sampler over examples and canaries; those that are left out are drawn and dropped."""

    sampler: Poisson
    canaries: Canaries

    @property
    def batch(self) -> int:
        """The expected number of examples, canaries not counted."""
        return self.sampler.batch

    @property
    def steps_per_epoch(self) -> int:
        """Steps after which every example was drawn once, on average."""
        return -(-self.canaries.examples // self.sampler.batch)

    def order(self, epoch: int) -> np.ndarray:
        """Return what is drawn in the steps of an epoch, one batch after the other."""
        start = epoch * self.steps_per_epoch
        return np.concatenate([indices for _, indices in self.batches(start, start + self.steps_per_epoch)])

    def batches(self, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (step, indices)."""
        there = np.concatenate([np.ones(self.canaries.examples, bool), self.canaries.included])
        for step, indices in self.sampler.batches(start, stop):
            yield step, indices[there[indices]]
