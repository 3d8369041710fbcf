"""The learning rate that falls when the validation part stops getting better: the one schedule with a memory."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch

from ..methods.optimisation.plateau import PlateauState, update_plateau
from ..methods.optimisation.settings import PlateauSettings


class Plateau:
    """State: what the schedule remembers of the validations so far. Called with a step, it answers the present factor."""

    def __init__(self, settings: PlateauSettings) -> None:
        self.settings = settings
        self.memory = PlateauState()

    def __call__(self, step: int) -> float:
        """Return the factor of the learning rate."""
        return self.memory.factor

    def hear(self, measured: dict[str, float]) -> None:
        """Take in one more validation."""
        self.memory = update_plateau(self.settings, self.memory, measured[self.settings.measure])

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return what a checkpoint must hold."""
        return {}, asdict(self.memory)

    def restore(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.memory = PlateauState(**numbers)


def build(settings: PlateauSettings, total: int, per_epoch: int) -> Plateau:
    """Return the schedule."""
    return Plateau(settings)
