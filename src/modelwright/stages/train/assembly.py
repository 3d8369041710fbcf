"""Everything that a training by steps is made of, put together once from the recipe."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ...core import registry
from ...core.crew import Crew
from ...core.randomness import derive_seed
from ...core.sealing import Key
from ...core.stage import Context
from ...core.vault import vault_of
from ...engine.adversarial import Game
from ...engine.averaging import Average
from ...engine.checkpoint import Checkpoint, save_checkpoint
from ...engine.group_objectives import GroupRobustObjective
from ...engine.guard import Guard
from ...engine.incidents import DataOrder, note_skipped
from ...engine.loader import Loader
from ...engine.loop import GradientRule, Objective, Observer
from ...engine.observers import Keeper, LossHistory, Validation
from ...engine.pictures import Film
from ...engine.plateau import Plateau
from ...engine.predictor import Predictor, torch_predictor
from ...engine.private import Private, with_canaries
from ...engine.samplers import Sampler
from ...engine.saving import save_together
from ...engine.sharded_tensors import gather_into
from ...engine.turn import Turn
from ...engine.watch import Watch, steps_between_looks
from ...layouts.local import Local
from ...tasks.task import Examples, Task
from . import parts
from .layout_conflicts import require_provided
from .players import build_players
from .rate import choose_rate
from .settings import Train
from .speed import choose_together
from .thrift import build_local


@dataclass(frozen=True)
class Assembly:
    """The ready-made parts of one training."""

    turns: list[Turn]
    sampler: Sampler
    loader: Loader
    layout: Any
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
    # Of two players: how they stand, and what became of a few pictures on the way.
    game: Game | None
    film: Film | None
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
    settings = choose_together(context, settings, task, network, training, sampler, total)
    private = parts.build_private(context, settings, network, training, total)
    sampler = private.sampler if private else sampler
    local = build_local(settings, network, private.gradients if private else None)
    network = local.place(network)
    settings, rate_test = choose_rate(context, settings, task, network, training, local, sampler)
    layout, network, gathered = _lay_out(context, settings, network, local)
    players = build_players(settings, task, network, total, per_epoch, context.recipe.seed)
    turns = [with_canaries(private, turn) if private else replace(turn, whole=layout.whole) for turn in players.turns]
    average = parts.build_average(settings, network, total, per_epoch)
    judged, watched = _judged(context.crew, network, gathered, average)
    predictor = torch_predictor(judged, task, training.learnt)
    guard, history, order = parts.build_guard(settings, layout.norm), LossHistory(per_epoch), DataOrder()
    plateau = turns[0].rate_factor if isinstance(turns[0].rate_factor, Plateau) else None
    film = Film(predictor, validation) if players.game else None
    tell = [part.hear for part in (plateau, film) if part]
    watch = _validation(context, settings, predictor, watched, validation, per_epoch, total, tell)
    trace = Watch(steps_between_looks(per_epoch, total))
    objective = parts.build_objective(settings, training)
    remembering = {
        **{"history": history, "validation": watch, "guard": guard, "order": order, "trace": trace, "plateau": plateau},
        **{"game": players.game, "film": film, "average": average},
        "objective": objective if isinstance(objective, GroupRobustObjective) else None,
        **(private.memories() if private else {}),
    }
    keeper = _keeper(context, settings, layout, turns, remembering, per_epoch, total)
    # Validation may be interrupted: whoever comes before it has seen the step, and the keeper alone comes after it.
    observers: list[Any] = [history, order, note_skipped(guard, context.note), average, trace]
    observers += [players.game, watch, keeper]
    first = [private.accountant, private.sizes] if private else []
    return Assembly(
        turns=turns,
        sampler=sampler,
        loader=parts.build_loader(context, task, training, private),
        layout=layout,
        objective=objective,
        rules=parts.build_rules(settings, guard, trace.look, private, layout.norm),
        observers=[observer for observer in (*first, *observers) if observer],
        predictor=predictor,
        guard=guard,
        history=history,
        order=order,
        watch=watch,
        trace=trace,
        keeper=keeper,
        total=total,
        private=private,
        game=players.game,
        film=film,
        rate_test=rate_test,
    )


def _lay_out(
    context: Context, settings: Train, network: torch.nn.Module, local: Local
) -> tuple[Any, torch.nn.Module, torch.nn.Module | None]:
    """Return the layout, the network as it is laid out, and a whole one to gather weights in, where no process has all."""
    build = registry.function_of("layout", settings.layout.kind)
    layout = build(settings.layout, local, parts.build_pieces(context, network))
    require_provided(settings, context.recipe.sections, network, layout, context.crew.size)
    gathered = None if "whole-parameters" in layout.provides else copy.deepcopy(network)
    return layout, layout.place(network), gathered


def _judged(
    crew: Crew, network: torch.nn.Module, gathered: torch.nn.Module | None, average: Average | None
) -> tuple[torch.nn.Module, Callable[[torch.nn.Module], torch.nn.Module]]:
    """Return the network that is judged, and what puts the present weights into it: their average, where there is one."""
    if average:
        return average.network, average.place
    if gathered is None:
        return network, lambda model: model
    return gathered, lambda model: gather_into(gathered, model, crew)


def _keeper(
    context: Context,
    settings: Train,
    layout: Any,
    turns: list[Turn],
    remembering: dict[str, Any],
    per_epoch: int,
    total: int,
) -> Keeper:
    """Build what saves all turns together with all parts that remember something."""
    return Keeper(
        context,
        context.work / "checkpoints",
        turns,
        {name: part for name, part in remembering.items() if part},
        cadence=parts.build_cadence(context, per_epoch),
        total=total,
        keep=settings.save.keep,
        save_as=_saving(context.crew, layout, vault_of(context.recipe).key_for_checkpoints()),
    )


def _saving(crew: Crew, layout: Any, key: Key | None) -> Callable[[Path, Checkpoint, int], object] | None:
    """Return how several processes save a checkpoint: the first one does, or all where each holds another part."""
    if crew.size == 1:
        return partial(save_checkpoint, key=key) if key else None
    if "whole-parameters" in layout.provides:
        return lambda folder, checkpoint, keep: crew.share(
            lambda: str(save_checkpoint(folder, checkpoint, keep, key=key))
        )
    return lambda folder, checkpoint, keep: save_together(folder, checkpoint, keep, crew, key)


def _validation(
    context: Context,
    settings: Train,
    predictor: Predictor,
    watched: Callable[[torch.nn.Module], torch.nn.Module],
    examples: Examples,
    per_epoch: int,
    total: int,
    tell: Sequence[Callable[[dict[str, float]], None]],
) -> Validation:
    """Build the watch on the validation part."""
    return Validation(
        predictor,
        watched,
        examples,
        settings.early_stopping,
        every=settings.validate_every.steps(per_epoch),
        total=total,
        keep_best=settings.keep == "best",
        tell=tell,
        heed=lambda step: context.check_interrupt(step, total),
        share=context.crew.share,
    )
