"""The guard: no step is taken on a loss or a gradient that is not finite, or on a loss that jumps."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

from ..methods.optimisation.penalties import tensor_norms
from .loop import Verdict
from .turn import Turn


class Guard:
    """State: of each turn the mean losses of the last good steps and of the first one; how many bad steps came in a row.

    A bad step is skipped. After `patience` in a row the guard says to rewind or to stop, as it was told. A spike is a
    mean loss above `spike` times the median of the last `window` good steps and above the first one: a model that has
    learnt something loses all of it in a spike, and the noise of very small losses is none.

    Source: Chowdhery et al. 2022 (PaLM), section 5.1, for going back to a checkpoint and past the batches of a spike.
    """

    def __init__(
        self,
        *,
        spike: float = 0.0,
        window: int = 50,
        patience: int = 3,
        then: str = "stop",
        norm: Callable[[Turn], torch.Tensor] | None = None,
    ) -> None:
        # Who knows the norm of the gradient where other processes have other parameters: all must judge alike.
        self.norm = norm
        self.spike, self.patience = spike, patience
        self.verdict = Verdict.REWIND if then == "rewind" else Verdict.STOP
        self.window = window
        self.recent: dict[str, deque[float]] = {}
        self.first: dict[str, float] = {}
        self.in_a_row = self.skipped = 0
        self.reason = self.bad_turn = ""
        # The gradient's norm for each parameter that has one, of the last step; for whoever wants to look.
        self.norms = torch.empty(0)

    def __call__(self, turn: Turn, losses: torch.Tensor) -> Verdict:
        """Judge a step by the mean of its losses and the norm of its gradient."""
        gradients = [parameter.grad for parameter in turn.parameters() if parameter.grad is not None]
        self.norms = tensor_norms(gradients) if gradients else torch.zeros(1)
        loss, norm = torch.stack(
            [losses.detach().mean().float(), self.norm(turn) if self.norm else self.norms.float().sum()]
        ).tolist()
        recent = self.recent.setdefault(turn.name, deque(maxlen=self.window))
        self.reason = self._reason(loss, norm, recent, self.first.get(turn.name, math.nan))
        if not self.reason:
            # A good turn of one player does not make up for the bad one of the other.
            self.in_a_row = 0 if self.bad_turn in ("", turn.name) else self.in_a_row
            recent.append(loss)
            self.first.setdefault(turn.name, loss)
            return Verdict.APPLY
        self.in_a_row += 1
        self.skipped += 1
        self.bad_turn = turn.name
        return max(Verdict.SKIP, self.standing)

    @property
    def standing(self) -> Verdict:
        """What the guard would say now, without another step."""
        return self.verdict if self.in_a_row >= self.patience else Verdict.APPLY

    def _reason(self, loss: float, norm: float, recent: deque[float], first: float) -> str:
        if not math.isfinite(loss):
            return f"the loss was {loss}"
        if not math.isfinite(norm):
            return "the gradient was not finite"
        if self.spike and len(recent) == recent.maxlen:
            usual = median(recent)
            # The loss of one player against another may be below zero, where there is nothing to multiply.
            if usual > 0 and loss > first and loss > self.spike * usual:
                return f"the loss jumped from {usual:.4g} to {loss:.4g}"
        return ""

    def forgive(self) -> None:
        """Start counting anew, after training went back."""
        self.in_a_row, self.bad_turn = 0, ""

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return what a checkpoint must hold."""
        recent = {name: list(losses) for name, losses in self.recent.items()}
        numbers = {"in_a_row": self.in_a_row, "skipped": self.skipped, "bad_turn": self.bad_turn}
        return {}, {**numbers, "recent": recent, "first": dict(self.first)}

    def restore(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.in_a_row, self.skipped, self.bad_turn = numbers["in_a_row"], numbers["skipped"], numbers["bad_turn"]
        self.first = dict(numbers["first"])
        self.recent = {name: deque(losses, self.window) for name, losses in numbers["recent"].items()}
