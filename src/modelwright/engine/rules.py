"""Gradient rules: they look at a turn's gradient before it is applied, may change it, and say what to do with it."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..methods.optimisation.penalties import add_l1_gradient, clip_by_norm
from .loop import GradientRule, Verdict
from .turn import Turn


def clip_norm(limit: float) -> GradientRule:
    """Scale the gradient down so that its norm over all parameters is at most `limit`."""

    def rule(turn: Turn, losses: torch.Tensor) -> Verdict:
        clip_by_norm(turn.parameters(), limit)
        return Verdict.APPLY

    return rule


def l1(weight: float) -> GradientRule:
    """Add the gradient of `weight` times the sum of absolute values of all matrices (biases and norms are left out).

    Source: Tibshirani 1996; the subgradient at zero is zero.
    """

    def rule(turn: Turn, losses: torch.Tensor) -> Verdict:
        add_l1_gradient([parameter for parameter in turn.parameters() if parameter.dim() > 1], weight)
        return Verdict.APPLY

    return rule


class NonFiniteGuard:
    """State: how many steps in a row had a loss that was not finite. Skips such a step; stops after `patience` in a row."""

    def __init__(self, patience: int = 3) -> None:
        self.patience, self.in_a_row, self.skipped = patience, 0, 0

    def __call__(self, turn: Turn, losses: torch.Tensor) -> Verdict:
        """Judge by the sum: it is finite exactly when every loss is, short of an overflow that is as bad."""
        if math.isfinite(float(losses.sum())):
            self.in_a_row = 0
            return Verdict.APPLY
        self.in_a_row += 1
        self.skipped += 1
        return Verdict.STOP if self.exhausted else Verdict.SKIP

    @property
    def exhausted(self) -> bool:
        """Whether patience has run out."""
        return self.in_a_row >= self.patience

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return what a checkpoint must hold."""
        return {}, {"in_a_row": self.in_a_row, "skipped": self.skipped}

    def restore(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.in_a_row, self.skipped = numbers["in_a_row"], numbers["skipped"]
