"""How often checkpoints are written: as the recipe says, or as often as costs little of the time of the steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

# What is saved at most of the time of the steps. Three per cent are promised; the first steps are a guess at the others.
SHARE = 0.02
# Where an epoch is longer than this, training does not wait for its end.
LONG_SECONDS = 600.0
WARM_UP, TRIAL = 5, 20


class Cadence:
    """State: the steps from one checkpoint to the next; before these are known, when the first steps were taken.

    Without a number of steps it watches the first ones, learns from `cost` how many seconds a checkpoint takes, and tells
    `decided` how many epochs or steps lie between two.

    Source: Daly 2006, "A higher order estimate of the optimum checkpoint interval", section 2, for weighing the time of
        saving against that of work; here the share is given, because how often a training is killed is not known.
    """

    def __init__(
        self,
        every: int | None,
        steps_per_epoch: int,
        decided: Callable[[str, str], None] = lambda every, why: None,
    ) -> None:
        self.every, self.steps_per_epoch, self.decided = every, steps_per_epoch, decided
        self._watched, self._began = 0, 0.0

    def due(self, step: int, cost: Callable[[], float]) -> bool:
        """Say whether a checkpoint is due after so many steps."""
        if self.every is None:
            self._watch(cost)
        return self.every is not None and step % self.every == 0

    def _watch(self, cost: Callable[[], float]) -> None:
        self._watched += 1
        if self._watched == WARM_UP:
            self._began = time.perf_counter()
        if self._watched == WARM_UP + TRIAL:
            self._decide((time.perf_counter() - self._began) / TRIAL, cost())

    def _decide(self, seconds_per_step: float, seconds: float) -> None:
        epoch = self.steps_per_epoch * seconds_per_step
        least = math.ceil(seconds / (SHARE * seconds_per_step))
        if epoch > LONG_SECONDS:
            self.every = max(least, math.ceil(LONG_SECONDS / seconds_per_step))
            said = f"{self.every} steps"
        else:
            epochs = math.ceil(least / self.steps_per_epoch)
            self.every = epochs * self.steps_per_epoch
            said = f"{epochs} epochs"
        self.decided(said, f"a checkpoint takes about {seconds:.2g} s, an epoch {epoch:.2g} s")
