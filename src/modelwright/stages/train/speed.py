"""Threads and precision that the recipe leaves to us: what a few steps on this machine show to be fastest."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import torch

from ...core.settings import AUTO
from ...core.stage import Context
from ...engine.loader import Loader
from ...engine.samplers import Sampler
from ...engine.trial import STEPS, WARM_UP, seconds_per_step
from ...engine.turn import Turn
from ...tasks.task import Examples, Task
from . import parts
from .rate import with_rate
from .settings import Train
from .thrift import build_layout

# A training of fewer steps is over before a measurement pays.
LONG = 2000
# What is first in the list is only left for something that is faster by more than noise.
CLEARLY = 1.05
# The trial's learning rate: the recipe may have left its own to us, and speed does not depend on it.
TINY = 1e-6


def set_threads(context: Context) -> None:
    """Set the number of threads that the recipe names, or all that this process may use, until it is known better."""
    threads = context.settings.threads
    torch.set_num_threads(parts.count_cores() if threads == AUTO else int(threads))


def choose_speed(
    context: Context,
    settings: Train,
    task: Task,
    network: torch.nn.Module,
    training: Examples,
    sampler: Sampler,
    total: int,
) -> Train:
    """Return the settings with a precision that is chosen, and set the number of threads; both are stored in the run."""
    threads = _thread_choices(context, settings, total)
    precisions = ["float32", "bfloat16"] if settings.precision == AUTO else [settings.precision]
    pairs = list(product(threads, precisions))
    names = ["train.threads"] * (settings.threads == AUTO) + ["train.precision"] * (settings.precision == AUTO)
    if len(pairs) == 1 or all(context.chosen(name) is not None for name in names):
        best = (context.chosen("train.threads") or threads[0], context.chosen("train.precision") or precisions[0])
        why = "the cores this process may use"
    else:
        best, why = _fastest(context, settings, task, network, training, sampler, pairs)
    values = {"train.threads": best[0], "train.precision": best[1]}
    for name in names:
        context.choose(name, partial(_told, values[name], why))
    torch.set_num_threads(best[0])
    return settings.model_copy(update={"precision": best[1]})


def _thread_choices(context: Context, settings: Train, total: int) -> list[int]:
    if settings.threads != AUTO:
        return [int(settings.threads)]
    cores = parts.count_cores()
    return [cores, 1] if cores > 1 and total >= LONG else [cores]


def _fastest(
    context: Context,
    settings: Train,
    task: Task,
    network: torch.nn.Module,
    training: Examples,
    sampler: Sampler,
    pairs: list[tuple[int, str]],
) -> tuple[tuple[int, str], str]:
    context.check_interrupt(message="measuring which threads and precision are fastest")
    seconds: dict[tuple[int, str], float] = {}
    for threads, precision in pairs:
        torch.set_num_threads(threads)
        trial = with_rate(settings.model_copy(update={"precision": precision}), TINY)
        load = parts.build_load(trial, task, training, seed=0)
        layout = build_layout(trial, network)
        seconds[threads, precision] = seconds_per_step(
            layout.place(network),
            partial(_trial_turn, trial, task),
            Loader(load, 0).batches(sampler.batches(0, STEPS + WARM_UP)),
            layout,
            parts.build_objective(trial, training),
        )
    fastest = min(pairs, key=lambda pair: seconds[pair] * (1.0 if pair == pairs[0] else CLEARLY))
    told = ", ".join(
        f"{threads} x {precision} {seconds[threads, precision] * 1000:.2f} ms" for threads, precision in pairs
    )
    return fastest, f"measured per step: {told}"


def _trial_turn(trial: Train, task: Task, copied: torch.nn.Module) -> Turn:
    return parts.build_turn(trial, task, copied, STEPS + WARM_UP, STEPS + WARM_UP)


def _told(value: Any, why: str) -> tuple[Any, str]:
    return value, why
