"""A short training that belongs to something else: after pruning, or of a student. The same loop, fewer parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from ..core.randomness import derive_seed
from ..core.units import Span
from ..layouts.local import Local
from ..methods.optimisation.optimisers import build_adam
from ..methods.optimisation.schedules import build_linear
from ..methods.optimisation.settings import AdamSettings, LinearSettings
from ..models.needs import needs_of
from ..tasks.task import Examples, Task
from .loader import Loader
from .loop import GradientRule, Moment, Verdict, train
from .samplers import Shuffled
from .turn import Turn


def fine_tune(
    network: torch.nn.Module,
    task: Task,
    training: Examples,
    *,
    length: Span,
    batch: int,
    rate: float,
    seed: int,
    losses: Callable[[Any], torch.Tensor] | None = None,
    rules: Sequence[GradientRule] = (),
    tell: Callable[[int, int], None] = lambda step, total: None,
) -> int:
    """Train a network in place, with Adam and a rate that falls to zero; return the number of steps. The last weights stay.

    `losses` takes the place of the task's own; `tell` hears of every step, and may raise.
    """
    sampler = Shuffled(len(training), batch, derive_seed(seed, "sampler"))
    total = length.steps(sampler.steps_per_epoch)
    if not total:
        return 0
    # Statistics of a batch need more than one example in it.
    alone = bool(needs_of(network))
    steps = ((step, None if alone and len(rows) < 2 else rows) for step, rows in sampler.batches(0, total))
    turn = Turn(
        "model",
        network,
        losses or (lambda batch: task.losses(network, batch)),
        task.sizes,
        build_adam(AdamSettings(lr=rate), list(network.named_parameters())),
        build_linear(LinearSettings(), total, sampler.steps_per_epoch),
    )

    def watch(moment: Moment) -> bool:
        tell(moment.step + 1, total)
        return False

    network.train()
    train(
        turns=[turn],
        batches=Loader(lambda step, rows, room: task.collate(training, rows, room), 0).batches(steps),
        layout=Local(),
        objective=lambda losses, batch: losses,
        rules=[only_finite, *rules],
        observers=[watch],
        seed_of_step=lambda step: derive_seed(seed, "step", step),
    )
    network.eval()
    return total


def keep_zeros(masks: dict[str, torch.Tensor], network: torch.nn.Module) -> GradientRule:
    """Return the rule that lets weights outside their mask stay zero: their gradient is zero, and so is what Adam makes of it."""
    parameters = dict(network.named_parameters())

    def rule(turn: Turn, losses: torch.Tensor) -> Verdict:
        for name, mask in masks.items():
            gradient = parameters[name].grad
            if gradient is not None:
                gradient.mul_(mask)
        return Verdict.APPLY

    return rule


def only_finite(turn: Turn, losses: torch.Tensor) -> Verdict:
    """Skip a step whose losses are not finite numbers."""
    return Verdict.APPLY if bool(losses.isfinite().all()) else Verdict.SKIP
