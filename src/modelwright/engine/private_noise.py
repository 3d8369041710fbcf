"""The noise of private training: a gradient rule that turns a sum of clipped gradients into a noisy mean."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..methods.privacy.noise import system_noise
from .loop import Verdict
from .private_accountant import Accountant
from .turn import Turn

Draw = Callable[[torch.Size], torch.Tensor]


class Noise:
    """State: none that is kept; the accountant counts each step before its noise is drawn.

    Every entry of the sum gets noise of standard deviation noise * clip. The sum is divided by the batch that is expected,
    never by the one that came: its size would tell how many were drawn. `draw` is another source in tests only.
    """

    def __init__(self, accountant: Accountant, expected_batch: int, draw: Draw = system_noise) -> None:
        self.accountant, self.expected_batch, self.draw = accountant, expected_batch, draw

    def __call__(self, turn: Turn, losses: torch.Tensor) -> Verdict:
        """Add the noise and divide."""
        self.accountant.count()
        deviation = self.accountant.noise * self.accountant.clip
        for weight in turn.parameters():
            assert weight.grad is not None, "a private backward pass fills every gradient"
            noise = self.draw(weight.shape).to(weight.grad)
            weight.grad.add_(noise, alpha=deviation).div_(self.expected_batch)
        return Verdict.APPLY
