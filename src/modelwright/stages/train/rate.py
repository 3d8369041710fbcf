"""The learning rate that the recipe leaves to us: found once by a range test, kept with the unfinished training."""

from __future__ import annotations

from typing import Any

import torch

from ...core.errors import DataError
from ...core.files import read_json, write_json
from ...core.randomness import derive_seed
from ...core.settings import AUTO
from ...core.stage import Context
from ...engine.loader import Loader
from ...engine.range_test import HIGHEST, LOWEST, STEPS, find_rate
from ...engine.samplers import Sampler
from ...layouts.local import Local
from ...tasks.task import Examples, Task
from . import parts
from .settings import Train


def choose_rate(
    context: Context,
    settings: Train,
    task: Task,
    network: torch.nn.Module,
    training: Examples,
    layout: Local,
    sampler: Sampler,
) -> tuple[Train, list[dict[str, float]]]:
    """Return the settings with a learning rate in numbers, and what the range test saw, if there was one.

    Raises:
        DataError: no rate between the lowest and the highest one lowers the loss.
    """
    if settings.optimiser.lr != AUTO:
        return settings, []
    found = context.crew.share(lambda: _found(context, settings, task, network, training, layout, sampler))
    context.progress(message=f"learning rate {found['rate']:.3g}, by a range test of {len(found['points'])} steps")
    return with_rate(settings, found["rate"]), found["points"]


def _found(
    context: Context,
    settings: Train,
    task: Task,
    network: torch.nn.Module,
    training: Examples,
    layout: Local,
    sampler: Sampler,
) -> dict[str, Any]:
    path = context.work / "rate.json"
    if not path.exists():
        rate, points = _try_rates(context, with_rate(settings, 1.0), task, network, training, layout, sampler)
        if rate is None:
            raise DataError(
                f"no learning rate between {LOWEST:g} and {HIGHEST:g} lowers the loss within {STEPS} steps",
                where="train.optimiser.lr",
                expected="a loss that falls",
                next_step="look at the data and the model, or give a number",
            )
        context.note("auto resolved", name="train.optimiser.lr", value=rate, why=f"range test of {len(points)} steps")
        write_json(path, {"rate": rate, "points": points})
    found: dict[str, Any] = read_json(path)
    return found


def _try_rates(
    context: Context,
    trial: Train,
    task: Task,
    network: torch.nn.Module,
    training: Examples,
    layout: Local,
    sampler: Sampler,
) -> tuple[float | None, list[dict[str, float]]]:
    context.check_interrupt(message="looking for a learning rate")
    seed = context.recipe.seed
    load = parts.build_load(trial, task, training, derive_seed(seed, "load"))
    return find_rate(
        network,
        lambda copied: parts.build_turn(trial, task, copied, STEPS, STEPS),
        Loader(load, 0).batches(sampler.batches(0, STEPS)),
        layout,
        parts.build_objective(trial, training),
        lambda step: derive_seed(seed, "rate", step),
    )


def with_rate(settings: Train, rate: float) -> Train:
    """Return the settings with a learning rate in numbers."""
    optimiser: Any = settings.optimiser
    return settings.model_copy(update={"optimiser": optimiser.model_copy(update={"lr": rate})})
