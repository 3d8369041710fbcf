"""The training loop. It takes ready-made parts and builds none.

The seams, each a list or a single part: Sampler (which examples), Objective (what the losses become), GradientRule
(may this gradient be applied?), Observer (looks on, may ask to stop), Layout (where and in what precision).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import torch

from .turn import Turn


class Verdict(IntEnum):
    """What a gradient rule answers; the strictest one counts."""

    APPLY = 0
    SKIP = 1
    REWIND = 2
    STOP = 3


@dataclass(frozen=True)
class Moment:
    """What an observer sees after each step. Steps are numbered from 0; `batch` holds the examples' indices.

    `losses` are those of the first turn, whose model is the one that is kept. A step that is passed over, because training
    went back before it, has no batch and no losses.
    """

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
    batches: Iterable[tuple[int, Any]],
    layout: Layout,
    objective: Objective,
    rules: Sequence[GradientRule],
    observers: Sequence[Observer],
    seed_of_step: Callable[[int], int],
) -> Verdict:
    """Train until the batches end, a rule says rewind or stop, or an observer asks to stop; return the last verdict.

    `batches` yields (step, batch), and None for the batch of a step to pass over; whoever resumes starts it at a later
    step. All randomness of a step comes from `seed_of_step(step)`, so a step does not depend on how often the run was
    interrupted before it.
    """
    verdict = Verdict.APPLY
    for step, batch in batches:
        set_seed(seed_of_step(step))
        verdict = Verdict.APPLY if batch is not None else Verdict.SKIP
        first = torch.empty(0)
        for turn in turns if batch is not None else ():
            turn.set_rate(step)
            losses = layout.backward(turn, layout.split(batch), objective)
            answer = max((rule(turn, losses) for rule in rules), default=Verdict.APPLY)
            if answer is Verdict.APPLY:
                turn.optimiser.step()
            turn.optimiser.zero_grad()
            verdict = max(verdict, answer)
            first = losses if turn is turns[0] else first
        moment = Moment(step, turns, first, verdict, batch)
        # Every observer sees every step, also the last one; hence a list and not a generator.
        if any([observer(moment) for observer in observers]) or verdict >= Verdict.REWIND:  # noqa: C419
            break
    return verdict


def set_seed(seed: int) -> None:
    """Seed the generators that torch uses when none is handed in, as torch.manual_seed does.

    That one formats a stack trace for each kind of device that is not there, which takes 0.2 ms: a tenth of a small step.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
