"""Dropout that is cheap on a CPU: sixteen random bits an element, four elements a draw.

torch's own draws one number in [0, 1) for each element, which for a small network takes longer than its matrix products.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import dropout

LEVELS = 1 << 16
LOWEST = -(1 << 15)
SMALLEST = -(1 << 63)


class Dropout(nn.Module):
    """State: none but the probability. In training each element becomes 0 with that probability, and the others larger.

    On a CPU the probability is the nearest multiple of 1/65536, and what is kept is scaled by just that: the mean is exact.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return the values, some of them dropped while training.

        Shapes: values (...) float -> (...) float
        """
        if not self.training or not self.probability:
            return values
        dropped = round(self.probability * LEVELS)
        if values.device.type != "cpu" or not 0 < dropped < LEVELS:
            return dropout(values, self.probability)
        count = values.numel()
        draws = torch.empty(-(-count // 4), dtype=torch.int64).random_(SMALLEST, None)
        kept = draws.view(torch.int16)[:count].view(values.shape) >= LOWEST + dropped
        return values * kept.to(values.dtype).mul_(LEVELS / (LEVELS - dropped))

    def extra_repr(self) -> str:
        """Return what stands between the brackets when the module is printed."""
        return f"p={self.probability}"
