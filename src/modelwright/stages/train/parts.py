"""From the settings of a recipe to the ready-made parts that the loop takes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ...core import registry
from ...core.randomness import derive_seed
from ...core.stage import Context
from ...engine.augment import build_augment
from ...engine.loop import GradientRule, Objective
from ...engine.rules import NonFiniteGuard, clip_norm, l1
from ...engine.samplers import Sampler
from ...engine.turn import Turn
from ...models.pretrained import Pretrained
from ...tasks.task import Batch, Examples, Task
from .settings import Train


def choose_threads(settings: Train, context: Context) -> int:
    """Return the number of CPU threads; what `auto` became is stored in the run."""
    if settings.threads != "auto":
        return int(settings.threads)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    chosen: int = context.choose("train.threads", lambda: (cores, "the cores this process may use"))
    return chosen


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


def build_turn(settings: Train, task: Task, network: torch.nn.Module, total: int, steps_per_epoch: int) -> Turn:
    """Build the one turn of an ordinary model: its losses, its optimiser, its schedule."""
    optimiser = registry.function_of("optimiser", settings.optimiser.kind)(
        settings.optimiser, network.named_parameters()
    )
    factor = registry.function_of("schedule", settings.schedule.kind)(settings.schedule, total, steps_per_epoch)
    return Turn("model", network, lambda batch: task.losses(network, batch), task.sizes, optimiser, factor)


def build_sampler(settings: Train, targets: np.ndarray, seed: int) -> Sampler:
    """Build the sampler over the training part."""
    sampler: Sampler = registry.function_of("sampler", settings.sampler.kind)(
        settings.sampler, targets, settings.batch, seed
    )
    return sampler


def build_objective(settings: Train, training: Examples) -> Objective:
    """Build the objective, which may need to know how many examples each class has."""
    counts = np.bincount(training.columns["target"], minlength=len(training.learnt["classes"]))
    objective: Objective = registry.function_of("objective", settings.objective.kind)(settings.objective, counts)
    return objective


def build_rules(settings: Train, guard: NonFiniteGuard) -> list[GradientRule]:
    """Build the gradient rules, in the order in which they act: the penalty is clipped with the rest."""
    rules: list[GradientRule] = [guard]
    if settings.l1:
        rules.append(l1(settings.l1))
    if settings.clip_norm:
        rules.append(clip_norm(settings.clip_norm))
    return rules


def build_load(settings: Train, task: Task, training: Examples) -> Callable[[np.ndarray], Batch]:
    """Build the function that makes a training batch.

    Its randomness comes from torch's generator, which the loop seeds anew for every step.
    """
    augment = build_augment(settings.augment, task.modality, training.learnt)
    mixes = [registry.function_of("mixing", choice.kind)(choice) for choice in settings.mixing]
    classes = len(training.learnt["classes"])

    def load(indices: np.ndarray) -> Batch:
        batch = task.collate(training, indices)
        if augment:
            batch = augment(batch, torch.default_generator)
        for mix in mixes:
            batch = mix(batch, classes, torch.default_generator)
        return batch

    return load
