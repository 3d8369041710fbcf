"""Everything that a training by steps is made of, put together once from the recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...core.randomness import derive_seed
from ...core.stage import Context
from ...engine.averaging import Average
from ...engine.group_objectives import GroupRobustObjective
from ...engine.guard import Guard
from ...engine.incidents import DataOrder, note_skipped
from ...engine.loader import Loader
from ...engine.loop import GradientRule, Objective, Observer
from ...engine.observers import Keeper, LossHistory, Validation
from ...engine.plateau import Plateau
from ...engine.predictor import Predictor, torch_predictor
from ...engine.private import Private, with_canaries
from ...engine.samplers import Sampler
from ...engine.turn import Turn
from ...engine.watch import Watch, steps_between_looks
from ...layouts.local import Local
from ...tasks.task import Examples, Task
from . import parts
from .rate import choose_rate
from .settings import Train
from .speed import choose_speed
from .thrift import build_layout


@dataclass(frozen=True)
class Assembly:
    """The ready-made parts of one training."""

    turn: Turn
    sampler: Sampler
    loader: Loader
    layout: Local
    objective: Objective
    rules: list[GradientRule]
    observers: list[Observer]
    predictor: Predictor
    guard: Guard
    history: LossHistory
    order: DataOrder
    watch: Validation
    trace: Watch
    keeper: Keeper
    total: int
    private: Private | None
    # What a range test of the learning rate saw, where the recipe left the rate to it.
    rate_test: list[dict[str, float]]


def assemble(
    context: Context, task: Task, network: torch.nn.Module, training: Examples, validation: Examples
) -> Assembly:
    """Build every part that the recipe asks for."""
    settings: Train = context.settings
    sampler = parts.build_sampler(settings, training, derive_seed(context.recipe.seed, "sampler"))
    per_epoch = sampler.steps_per_epoch
    total = settings.length.steps(per_epoch)
    settings = choose_speed(context, settings, task, network, training, sampler, total)
    private = parts.build_private(context, settings, network, training, total)
    sampler = private.sampler if private else sampler
    layout = build_layout(settings, network, private.gradients if private else None)
    network = layout.place(network)
    settings, rate_test = choose_rate(context, settings, task, network, training, layout, sampler)
    turn = parts.build_turn(settings, task, network, total, per_epoch)
    turn = with_canaries(private, turn) if private else turn
    average = parts.build_average(settings, network, total, per_epoch)
    plateau = turn.rate_factor if isinstance(turn.rate_factor, Plateau) else None
    predictor = torch_predictor(average.network if average else network, task, training.learnt)
    guard, history, order = parts.build_guard(settings), LossHistory(per_epoch), DataOrder()
    tell = [plateau.hear] if plateau else []
    watch = _validation(context, settings, predictor, average, validation, per_epoch, total, tell)
    trace = Watch(steps_between_looks(per_epoch, total))
    objective = parts.build_objective(settings, training)
    remembering: dict[str, Any] = {
        "history": history,
        "validation": watch,
        "guard": guard,
        "order": order,
        "trace": trace,
        "plateau": plateau,
        "average": average,
        "objective": objective if isinstance(objective, GroupRobustObjective) else None,
        **(private.memories() if private else {}),
    }
    keeper = _keeper(context, settings, turn, remembering, per_epoch, total)
    # Validation may be interrupted: whoever comes before it has seen the step, and the keeper alone comes after it.
    observers: list[Any] = [history, order, note_skipped(guard, context.note), average, trace, watch, keeper]
    if private:
        observers[:0] = [private.accountant, private.sizes]
    return Assembly(
        turn=turn,
        sampler=sampler,
        loader=parts.build_loader(context, task, training, private),
        layout=layout,
        objective=objective,
        rules=parts.build_rules(settings, guard, trace.look, private),
        observers=[observer for observer in observers if observer],
        predictor=predictor,
        guard=guard,
        history=history,
        order=order,
        watch=watch,
        trace=trace,
        keeper=keeper,
        total=total,
        private=private,
        rate_test=rate_test,
    )


def _keeper(
    context: Context, settings: Train, turn: Turn, remembering: dict[str, Any], per_epoch: int, total: int
) -> Keeper:
    """Build what saves the turn together with all parts that remember something."""
    return Keeper(
        context,
        context.work / "checkpoints",
        [turn],
        {name: part for name, part in remembering.items() if part},
        cadence=parts.build_cadence(context, per_epoch),
        total=total,
        keep=settings.save.keep,
    )


def _validation(
    context: Context,
    settings: Train,
    predictor: Predictor,
    average: Average | None,
    examples: Examples,
    per_epoch: int,
    total: int,
    tell: Sequence[Callable[[dict[str, float]], None]],
) -> Validation:
    """Build the watch on the validation part: what is judged is the average of the weights, where there is one."""
    return Validation(
        predictor,
        average.place if average else lambda model: model,
        examples,
        settings.early_stopping,
        every=settings.validate_every.steps(per_epoch),
        total=total,
        keep_best=settings.keep == "best",
        tell=tell,
        heed=lambda step: context.check_interrupt(step, total),
    )
