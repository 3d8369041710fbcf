"""From the settings of a recipe to the ready-made parts that the loop takes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ...core import registry
from ...core.randomness import derive_seed
from ...core.settings import AUTO
from ...core.stage import Context
from ...core.units import parse_span
from ...engine.augment import build_augment, build_augment_table, build_augment_text
from ...engine.averaging import Average
from ...engine.cadence import Cadence
from ...engine.guard import Guard
from ...engine.loader import Load, Loader
from ...engine.loop import GradientRule, Objective
from ...engine.pool import Slot
from ...engine.private import Private
from ...engine.rules import Norm, clip_norm, clip_value, l1
from ...engine.samplers import Sampler
from ...engine.turn import Turn
from ...layouts.pieces import Pieces
from ...models.blocks import find_blocks
from ...models.pretrained import Pretrained
from ...tasks.task import Batch, Examples, Task
from .settings import Train
from .thrift import build_optimiser


def count_cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_pretrained(context: Context) -> Pretrained | None:
    """Read the weights from outside that the model begins with, if its kind has any; their digest is noted in the journal."""
    section: Any = context.recipe.sections["model"]
    if section.kind not in registry.names("pretrained"):
        return None
    found: Pretrained | None = registry.function_of("pretrained", section.kind)(section, context.recipe.base)
    if found:
        context.note("pretrained weights read", model=section.kind, sha256=found.digest)
    return found


def build_network(
    context: Context, build: Callable[..., torch.nn.Module], learnt: dict[str, Any], pretrained: Pretrained | None
) -> torch.nn.Module:
    """Build the network and set its first weights: from the recipe's seed, then from outside what comes from outside."""
    torch.manual_seed(derive_seed(context.recipe.seed, "build"))
    network = build(context.recipe.sections["model"], learnt)
    initialise = context.settings.initialise
    generator = torch.Generator().manual_seed(derive_seed(context.recipe.seed, "initialise"))
    registry.function_of("initialisation", initialise.kind)(initialise, network, generator)
    if pretrained:
        pretrained.fill(network)
    return network


def build_pieces(context: Context, network: torch.nn.Module) -> Pieces:
    """Look up how the network may be cut, where anything says so."""
    section: Any = context.recipe.sections["model"]
    path: str = getattr(type(section), "block_list", "")
    blocks = find_blocks(network, path, section.kind) if path else []
    if section.kind not in registry.names("pieces"):
        return Pieces(blocks)
    cuts, summed = registry.function_of("pieces", section.kind)()
    return Pieces(blocks, cuts, summed, path, registry.function_of("walk", section.kind))


def build_turn(settings: Train, task: Task, network: torch.nn.Module, total: int, steps_per_epoch: int) -> Turn:
    """Build the one turn of an ordinary model: its losses, its optimiser, its schedule."""
    optimiser = build_optimiser(settings, network)
    factor = registry.function_of("schedule", settings.schedule.kind)(settings.schedule, total, steps_per_epoch)
    # The compiled network shares the weights of the plain one, which is what is validated and stored.
    forward: torch.nn.Module = torch.compile(network) if settings.compile else network  # type: ignore[assignment]
    return Turn("model", network, lambda batch: task.losses(forward, batch), task.sizes, optimiser, factor)


def build_sampler(settings: Train, training: Examples, seed: int) -> Sampler:
    """Build the sampler over the training part."""
    sampler: Sampler = registry.function_of("sampler", settings.sampler.kind)(
        settings.sampler, training.columns, settings.batch, seed
    )
    return sampler


def build_private(
    context: Context, settings: Train, network: torch.nn.Module, training: Examples, total: int
) -> Private | None:
    """Build the bundle of a private training, if the recipe wants one."""
    private: Private | None = registry.function_of("privacy", settings.privacy.kind)(
        settings.privacy,
        network,
        examples=len(training),
        batch=settings.batch,
        total=total,
        folder=context.work,
        note=context.note,
    )
    return private


def build_objective(settings: Train, training: Examples) -> Objective:
    """Build the objective, which may need to know how many examples each class has, or which group each belongs to."""
    classes = training.learnt.get("classes")
    counts = np.bincount(training.columns["target"], minlength=len(classes)) if classes else np.empty(0, np.int64)
    knows_groups = getattr(type(settings.objective), "of_groups", False)
    objective: Objective = registry.function_of("objective", settings.objective.kind)(
        settings.objective, training if knows_groups else counts
    )
    return objective


def build_guard(settings: Train, norm: Norm | None = None) -> Guard:
    """Build the guard against steps that must not be taken."""
    said = settings.guard
    return Guard(spike=said.spike, window=said.window, patience=said.patience, then=said.then, norm=norm)


def build_average(settings: Train, network: torch.nn.Module, total: int, steps_per_epoch: int) -> Average | None:
    """Build the average of the weights, if the recipe wants one."""
    average: Average | None = registry.function_of("averaging", settings.average.kind)(
        settings.average, network, total, steps_per_epoch
    )
    return average


def build_rules(
    settings: Train,
    guard: Guard,
    look: GradientRule,
    private: Private | None = None,
    norm: Norm | None = None,
) -> list[GradientRule]:
    """Build the gradient rules, in the order in which they act: `look` sees what comes from the losses alone, and the
    penalty is clipped with the rest. Of a private training they see what comes after the noise.
    """
    # What was released is not there to be looked at, and would pass for a gradient that has vanished.
    first: list[GradientRule] = private.rules(guard) if private else [guard]
    rules: list[GradientRule] = first if settings.gradient_release is True else [*first, look]
    if settings.l1:
        rules.append(l1(settings.l1))
    if settings.clip_norm:
        rules.append(clip_norm(settings.clip_norm, norm))
    if settings.clip_value:
        rules.append(clip_value(settings.clip_value))
    return rules


def build_cadence(context: Context, steps_per_epoch: int) -> Cadence:
    """Build what knows when a checkpoint is due; what `auto` became is stored in the run, and taken again by resume."""
    name, every = "train.save.every", context.settings.save.every

    def decided(value: str, why: str) -> None:
        context.choose(name, lambda: (value, why))

    if every == AUTO:
        known = context.chosen(name)
        return Cadence(parse_span(known).steps(steps_per_epoch) if known else None, steps_per_epoch, decided)
    return Cadence(every.steps(steps_per_epoch), steps_per_epoch)


def build_loader(context: Context, task: Task, training: Examples, private: Private | None = None) -> Loader:
    """Build the loader; what `auto` workers became is stored in the run."""
    workers = context.settings.workers

    def decided(number: int, why: str) -> None:
        context.choose("train.workers", lambda: (number, why))

    load = build_load(context.settings, task, training, derive_seed(context.recipe.seed, "load"))
    if private and private.canaries:
        load = private.canaries.load(load)
    return Loader(load, context.chosen("train.workers") if workers == AUTO else workers, decided=decided)


def build_load(settings: Train, task: Task, training: Examples, seed: int) -> Load:
    """Build the function that makes the training batch of a step; its randomness comes from the seed and the step."""
    augments = [
        change
        for change in (
            build_augment(settings.augment, task.modality, training.learnt),
            build_augment_text(settings.augment_text, training.learnt),
            build_augment_table(settings.augment_table),
        )
        if change
    ]
    mixes = [registry.function_of("mixing", choice.kind)(choice) for choice in settings.mixing]
    classes = len(training.learnt.get("classes", ()))

    def load(step: int, indices: np.ndarray, room: Slot) -> Batch:
        if not len(indices):
            # Poisson sampling may draw nobody; there is nothing to collate then.
            return Batch({}, torch.empty(0, dtype=torch.int64), indices)
        batch = task.collate(training, indices, room)
        if not (augments or mixes):
            return batch
        generator = torch.Generator().manual_seed(derive_seed(seed, "step", step))
        for augment in augments:
            batch = augment(batch, generator)
        for mix in mixes:
            batch = mix(batch, classes, generator)
        return batch

    return load
