"""The training loop. It takes ready-made parts and builds none.

The seams, each a list or a single part: Sampler (which examples), Objective (what the losses become), GradientRule
(may this gradient be applied?), Observer (looks on, may ask to stop), Layout (where and in what precision).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
import torch

from .turn import Turn


class Verdict(IntEnum):
    """What a gradient rule answers; the strictest one counts."""

    APPLY = 0
    SKIP = 1
    STOP = 2


@dataclass(frozen=True)
class Moment:
    """What an observer sees after each step. Steps are numbered from 0; `batch` holds the examples' indices."""

    step: int
    turns: Sequence[Turn]
    losses: torch.Tensor
    verdict: Verdict
    batch: Any


GradientRule = Callable[[Turn, torch.Tensor], Verdict]
Objective = Callable[[torch.Tensor, Any], torch.Tensor]
Observer = Callable[[Moment], bool]


class Layout(Protocol):
    """The five verbs that a layout answers (`place`, `mean` and `gather` are for those who build and measure)."""

    def split(self, batch: Any) -> list[Any]: ...
    def backward(self, turn: Turn, parts: list[Any], objective: Objective) -> torch.Tensor: ...


def train(
    *,
    turns: Sequence[Turn],
    batches: Iterable[tuple[int, np.ndarray]],
    load: Callable[[np.ndarray], Any],
    layout: Layout,
    objective: Objective,
    rules: Sequence[GradientRule],
    observers: Sequence[Observer],
    seed_of_step: Callable[[int], int],
) -> None:
    """Train until the batches end, a rule says stop, or an observer asks to.

    `batches` yields (step, indices of examples); whoever resumes starts it at a later step. All randomness of a step
    comes from `seed_of_step(step)`, so a step does not depend on how often the run was interrupted before it.
    """
    for step, indices in batches:
        torch.manual_seed(seed_of_step(step))
        batch = load(indices)
        verdict = Verdict.APPLY
        losses = torch.empty(0)
        for turn in turns:
            turn.set_rate(step)
            losses = layout.backward(turn, layout.split(batch), objective)
            answer = max((rule(turn, losses) for rule in rules), default=Verdict.APPLY)
            if answer is Verdict.APPLY:
                turn.optimiser.step()
            turn.optimiser.zero_grad()
            verdict = max(verdict, answer)
        moment = Moment(step, turns, losses, verdict, batch)
        # Every observer sees every step, also the last one; hence a list and not a generator.
        if any([observer(moment) for observer in observers]) or verdict is Verdict.STOP:  # noqa: C419
            break
