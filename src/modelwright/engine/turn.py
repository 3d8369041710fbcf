"""A turn of a step: what is minimised, over which parameters, by which optimiser. One for most models, two for a GAN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..methods.optimisation.parameter_groups import Optimiser, set_learning_rates


@dataclass(frozen=True)
class Turn:
    """One turn; all turns of a step together are one checkpointed state."""

    name: str
    model: torch.nn.Module
    losses: Callable[[Any], torch.Tensor]
    sizes: Callable[[Any], torch.Tensor]
    optimiser: Optimiser
    # The learning rate of step s is the optimiser's own rate times rate_factor(s).
    rate_factor: Callable[[int], float]
    # Whether the model is all here, and not some of its blocks alone.
    whole: bool = True

    def parameters(self) -> list[torch.nn.Parameter]:
        """Return the parameters this turn changes."""
        return [parameter for group in self.optimiser.param_groups for parameter in group["params"]]

    def set_rate(self, step: int) -> None:
        """Set the learning rate of a step."""
        set_learning_rates(self.optimiser, self.rate_factor(step))
