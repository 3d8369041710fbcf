"""Some steps of a training as one of several processes takes them: on tensors that are only shapes, or for real."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ...core import registry
from ...core.randomness import derive_seed
from ...core.recipe import Recipe
from ...core.settings import AUTO
from ...core.stage import Context
from ...engine.dataset import read_part
from ...engine.loop import Moment, Verdict, train
from ...engine.pool import Slot
from ...engine.predictor import build_task
from ...engine.subset import take_subset
from ...engine.tracing.adapter import for_real
from ...engine.tracing.attention import attention_of_gpus
from ...engine.tracing.fake_group import fake_group
from ...engine.tracing.longest import longest_batches
from ...engine.tracing.tracer import Tracer
from ...engine.turn import Turn
from ...models.dropout import Dropout
from ...tasks.task import Examples, Task
from . import parts
from .layout_conflicts import require_provided
from .players import build_players
from .rate import with_rate
from .rehearsal import context_of
from .run import resample
from .settings import Train
from .speed import TINY
from .thrift import adapt_network, build_local

# The optimiser has its state after the first step; from the second one on all steps are alike.
STEPS = 2


@dataclass(frozen=True)
class Told:
    """Who is told what goes on: that a phase begins, and what tensors are for; and what is done to the network first."""

    phase: Callable[[str], None]
    hold: Callable[[str, Any], None]
    adapt: Callable[[torch.nn.Module], None] = lambda network: None


def rehearse_share(
    recipe: Recipe, dataset: Path, threads: int, tracer: Tracer, rank: int, processes: int, elsewhere: bool = False
) -> dict[str, Any]:
    """Walk through some steps as process `rank` of so many would, here or on a GPU; return what there is to know of them."""
    context, task, training = open_recipe(recipe, dataset, threads)
    told = Told(tracer.phase, tracer.hold, as_on_a_gpu if elsewhere else lambda network: None)
    attention = attention_of_gpus() if elsewhere else nullcontext()
    with attention, fake_group(rank, processes, tracer.stream), tracer.tracing():
        return take_steps(context, task, training, processes, told, for_real)


def as_on_a_gpu(network: torch.nn.Module) -> None:
    """Let dropout keep what its kernel for GPUs keeps: a byte an element, and not a number."""
    for module in network.modules():
        probability = getattr(module, "probability" if isinstance(module, Dropout) else "p", 0.0)
        if isinstance(module, (Dropout, torch.nn.Dropout)) and probability:
            module.forward = partial(_drop, module, probability)  # type: ignore[method-assign]


def _drop(module: torch.nn.Module, probability: float, values: torch.Tensor) -> torch.Tensor:
    return torch.native_dropout(values, probability, True)[0] if module.training else values


def open_recipe(recipe: Recipe, dataset: Path, threads: int) -> tuple[Context, Task, Examples]:
    """Return what a training needs, with everything decided that the recipe leaves open and that is no matter of memory."""
    settings: Train = recipe.sections["train"]  # type: ignore[assignment]
    settings = settings.model_copy(
        update={
            "threads": threads,
            "compile": False,
            "precision": "float32" if settings.precision == AUTO else settings.precision,
        }
    )
    if settings.optimiser.lr == AUTO:
        settings = with_rate(settings, TINY)
    context = context_of(replace(recipe, sections={**recipe.sections, "train": settings}), dataset)
    task = build_task(recipe.sections["task"])
    training = read_part(dataset, "train")
    training = take_subset(training, settings.subset.share, settings.subset.seed)
    return context, task, resample(context, task, training)


def take_steps(
    context: Context, task: Task, training: Examples, processes: int, told: Told, aside: Callable[[], Any]
) -> dict[str, Any]:
    """Build model, layout and optimiser as `assemble` does, and take some steps; inside `aside` there are no fake tensors."""
    settings: Train = context.settings
    told.phase("building")
    section: Any = context.recipe.sections["model"]
    pretrained = parts.read_pretrained(context)
    if pretrained:
        training = replace(training, learnt={**training.learnt, **pretrained.facts})
    network = parts.build_network(context, registry.function_of("model", section.kind), training.learnt, pretrained)
    adapt_network(settings, section, network, context.recipe.seed, context.note)
    told.adapt(network)
    sampler = parts.build_sampler(settings, training, derive_seed(context.recipe.seed, "sampler"))
    per_epoch = sampler.steps_per_epoch
    total = settings.length.steps(per_epoch)
    local = build_local(settings, network)
    build = registry.function_of("layout", settings.layout.kind)
    with aside():
        layout = build(settings.layout, local, parts.build_pieces(context, network))
    require_provided(settings, context.recipe.sections, network, layout, processes)
    network = layout.place(network)
    told.hold("parameters", [*network.parameters(), *network.buffers()])
    players = build_players(settings, task, network, total, per_epoch, context.recipe.seed)
    turns = [replace(turn, whole=layout.whole) for turn in players.turns]
    guard = parts.build_guard(settings, layout.norm)
    ((_, indices),) = longest_batches(sampler, training, [total - 1]).items()
    load, room = parts.build_load(settings, task, training, seed=0), Slot()

    def held(turn: Turn, losses: torch.Tensor) -> Verdict:
        told.hold("gradients", [parameter.grad for parameter in turn.parameters()])
        return Verdict.APPLY

    def after(moment: Moment) -> bool:
        told.hold("optimiser", [turn.optimiser.state_dict() for turn in turns])
        told.phase("training")
        return False

    def batches() -> Any:
        told.phase("training")
        for step in range(STEPS):
            yield step, load(step, indices, room)

    train(
        turns=turns,
        batches=batches(),
        layout=layout,
        objective=parts.build_objective(settings, training),
        rules=[held, *parts.build_rules(settings, guard, lambda turn, losses: Verdict.APPLY, None, layout.norm)],
        observers=[after],
        seed_of_step=lambda step: step,
    )
    return {"steps": total, "steps_per_epoch": per_epoch, "batch": len(indices)}
