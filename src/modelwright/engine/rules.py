"""Gradient rules: they look at a turn's gradient before it is applied, may change it, and say what to do with it."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..methods.optimisation.penalties import add_l1_gradient, clip_by_norm, clip_by_value, shrink_by
from .loop import GradientRule, Verdict
from .turn import Turn

Norm = Callable[[Turn], torch.Tensor]


def clip_norm(limit: float, norm: Norm | None = None) -> GradientRule:
    """Scale the gradient down so that its norm over all parameters is at most `limit`.

    `norm` knows the norm of it all where other processes have the gradients of other parameters.
    """

    def rule(turn: Turn, losses: torch.Tensor) -> Verdict:
        if norm is not None:
            shrink_by(turn.parameters(), limit, norm(turn))
            return Verdict.APPLY
        clip_by_norm(turn.parameters(), limit)
        return Verdict.APPLY

    return rule


def clip_value(limit: float) -> GradientRule:
    """Cut every entry of the gradient to at most `limit` in size."""

    def rule(turn: Turn, losses: torch.Tensor) -> Verdict:
        clip_by_value(turn.parameters(), limit)
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
