"""Learning from pairs of answers: what the weights from outside find of both, measured once, before any training.

A reference that is measured ahead needs no second model beside the one that learns, and no second pass in each step.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ...core import registry
from ...core.errors import DataError
from ...core.stage import Context
from ...engine.predictor import likelihoods_in_batches
from ...tasks.pairs import has_pairs, with_reference
from ...tasks.preferences import prefer
from ...tasks.task import Examples, Task
from .parts import build_network, read_pretrained
from .settings import Train
from .speed import set_threads
from .thrift import adapt_network

FILE = "reference.npy"


def compare_pairs(
    context: Context, task: Task, training: Examples, validation: Examples
) -> tuple[Task, Examples, Examples]:
    """Return the task of comparing answers, and both parts with what the reference finds of them; or all as it is.

    Raises:
        DataError: the data holds no pairs.
        Interrupted: asked to stop.
    """
    comparing = comparing_task(context.settings, task, training)
    if comparing is task:
        return task, training, validation
    found = context.crew.share(lambda: _stored(context))
    if found is None:
        shares = context.crew.collect(_measure(context, task, training, validation))
        found = [pair for part in zip(*shares, strict=True) for share in part for pair in share]
        if context.crew.rank == 0:
            np.save(context.work / FILE, np.asarray(found), allow_pickle=False)
    values = np.asarray(found)
    return (
        comparing,
        with_reference(training, values[: len(training)]),
        with_reference(validation, values[len(training) :]),
    )


def comparing_task(settings: Train, task: Task, training: Examples) -> Task:
    """Return the task whose examples are pairs, if the recipe wants that; else the task itself.

    Raises:
        DataError: the data holds no pairs.
    """
    losses_of_pairs = registry.function_of("preference", settings.preference.kind)(settings.preference)
    if losses_of_pairs is None:
        return task
    if not has_pairs(training.columns):
        raise DataError(
            "the data holds no pairs of answers",
            where=f"train.preference: {settings.preference.kind}",
            expected="columns chosen and rejected, and a prompt",
            next_step="leave train.preference out, or name such data",
        )
    return prefer(task, losses_of_pairs)


def _stored(context: Context) -> list[list[float]] | None:
    """Return what an earlier sitting measured: not measured again, so that a resumed training ends in the same bytes."""
    path = context.work / FILE
    return np.load(path, allow_pickle=False).tolist() if path.exists() else None


def _measure(context: Context, task: Task, training: Examples, validation: Examples) -> list[list[list[float]]]:
    """Return the likelihoods of this process's share of the training pairs, and of the validation pairs."""
    set_threads(context)
    network = _reference(context, training)
    found = []
    for what, part in (("training", training), ("validation", validation)):
        limits = np.linspace(0, len(part), context.crew.size + 1).astype(np.int64)
        start, stop = limits[context.crew.rank : context.crew.rank + 2]
        message = f"what the weights from outside find of the {what} pairs"
        heed = partial(context.check_interrupt, total=stop - start, message=message)
        found.append(likelihoods_in_batches(network, task, part.take(np.arange(start, stop)), heed).tolist())
    return found


def _reference(context: Context, training: Examples) -> Any:
    """Return the network as training will begin with it: rounded where the recipe rounds it, and nothing learnt yet."""
    section: Any = context.recipe.sections["model"]
    pretrained = read_pretrained(context)
    learnt = {**training.learnt, **(pretrained.facts if pretrained else {})}
    network = build_network(context, registry.function_of("model", section.kind), learnt, pretrained)
    adapt_network(context.settings, section, network, context.recipe.seed, lambda *args, **named: None)
    return network.eval()
