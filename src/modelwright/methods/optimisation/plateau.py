"""The one schedule with a memory: it watches a value and lowers the learning rate when the value stops improving."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .settings import PlateauSettings


@dataclass(frozen=True)
class PlateauState:
    """All that the schedule remembers between two evaluations; plain numbers, so that a checkpoint can hold it.

    `best` is None until the first finite value; `waited` counts evaluations without improvement; `resting`
    counts down the evaluations that still count neither way.
    """

    factor: float = 1.0
    best: float | None = None
    waited: int = 0
    resting: int = 0


def update_plateau(settings: PlateauSettings, state: PlateauState, value: float) -> PlateauState:
    """Return the state after one more evaluation; a value that is not finite counts as no improvement.

    Source: torch.optim.lr_scheduler.ReduceLROnPlateau with a relative threshold, here also right for negative values.
    """
    best, waited = (value, 0) if _improves(settings, state.best, value) else (state.best, state.waited + 1)
    resting = max(0, state.resting - 1)
    if state.resting > 0:
        waited = 0
    if waited <= settings.patience:
        return replace(state, best=best, waited=waited, resting=resting)
    return PlateauState(max(state.factor * settings.multiplier, settings.floor), best, 0, settings.rest)


def _improves(settings: PlateauSettings, best: float | None, value: float) -> bool:
    if best is None or not math.isfinite(value):
        return math.isfinite(value)
    margin = settings.threshold * abs(best)
    return value < best - margin if settings.measure == "loss" else value > best + margin
