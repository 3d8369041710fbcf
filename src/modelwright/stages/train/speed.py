"""Threads, precision and compiling that the recipe leaves to us: what a few steps on this machine show to be fastest."""

from __future__ import annotations

from dataclasses import dataclass
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
from .compiling import choose_compile
from .players import build_players
from .rate import with_rate
from .settings import Train
from .thrift import build_local

# A training of fewer steps is over before a measurement pays.
LONG = 2000
# What is first in the list is only left for something that is faster by more than noise.
CLEARLY = 1.05
# The trial's learning rate: the recipe may have left its own to us, and speed does not depend on it.
TINY = 1e-6


def set_threads(context: Context) -> None:
    """Set the number of threads that the recipe names, or all that this process may use, until it is known better."""
    threads = context.settings.threads
    torch.set_num_threads(_own_cores(context) if threads == AUTO else int(threads))


@dataclass(frozen=True)
class Trial:
    """What a few steps are taken with, on a copy of the network."""

    task: Task
    network: torch.nn.Module
    training: Examples
    sampler: Sampler

    def seconds_per_step(self, settings: Train, threads: int) -> float:
        """Return how long a step takes with these settings and so many threads.

        Units: seconds
        """
        torch.set_num_threads(threads)
        trial = with_rate(settings, TINY)
        layout = build_local(trial, self.network)
        return seconds_per_step(
            layout.place(self.network),
            partial(_trial_turns, trial, self.task),
            Loader(parts.build_load(trial, self.task, self.training, seed=0), 0).batches(
                self.sampler.batches(0, STEPS + WARM_UP)
            ),
            layout,
            parts.build_objective(trial, self.training),
        )


def choose_speed(
    context: Context,
    settings: Train,
    task: Task,
    network: torch.nn.Module,
    training: Examples,
    sampler: Sampler,
    total: int,
) -> Train:
    """Return the settings with precision and compiling decided, and set the number of threads; all are stored in the run."""
    threads = _thread_choices(context, settings, total)
    precisions = ["float32", "bfloat16"] if settings.precision == AUTO else [settings.precision]
    pairs = list(product(threads, precisions))
    names = ["train.threads"] * (settings.threads == AUTO) + ["train.precision"] * (settings.precision == AUTO)
    trial = Trial(task, network, training, sampler)
    if len(pairs) == 1 or all(context.chosen(name) is not None for name in names):
        best = (context.chosen("train.threads") or threads[0], context.chosen("train.precision") or precisions[0])
        why = "the cores this process may use"
    else:
        best, why = _fastest(context, settings, trial, pairs)
    values = {"train.threads": best[0], "train.precision": best[1]}
    for name in names:
        context.choose(name, partial(_told, values[name], why))
    settings = settings.model_copy(update={"precision": best[1]})
    settings = choose_compile(context, settings, lambda tried: trial.seconds_per_step(tried, best[0]), total)
    torch.set_num_threads(best[0])
    return settings


def choose_together(
    context: Context,
    settings: Train,
    task: Task,
    network: torch.nn.Module,
    training: Examples,
    sampler: Sampler,
    total: int,
) -> Train:
    """Do as `choose_speed`, in the first process of several; what it found is what all of them take."""

    def choose() -> dict[str, Any]:
        chosen = choose_speed(context, settings, task, network, training, sampler, total)
        return {"precision": chosen.precision, "compile": chosen.compile, "threads": torch.get_num_threads()}

    if context.crew.size == 1:
        return choose_speed(context, settings, task, network, training, sampler, total)
    found = context.crew.share(choose)
    torch.set_num_threads(found.pop("threads"))
    return settings.model_copy(update=found)


def _thread_choices(context: Context, settings: Train, total: int) -> list[int]:
    if settings.threads != AUTO:
        return [int(settings.threads)]
    cores = _own_cores(context)
    return [cores, 1] if cores > 1 and total >= LONG else [cores]


def _own_cores(context: Context) -> int:
    """Return the cores for this process; those of a machine are shared by the processes on it."""
    return max(1, parts.count_cores() // context.crew.size)


def _fastest(
    context: Context, settings: Train, trial: Trial, pairs: list[tuple[int, str]]
) -> tuple[tuple[int, str], str]:
    context.check_interrupt(message="measuring which threads and precision are fastest")
    plain = settings.model_copy(update={"compile": False}) if settings.compile == AUTO else settings
    seconds = {
        (threads, precision): trial.seconds_per_step(plain.model_copy(update={"precision": precision}), threads)
        for threads, precision in pairs
    }
    fastest = min(pairs, key=lambda pair: seconds[pair] * (1.0 if pair == pairs[0] else CLEARLY))
    told = ", ".join(
        f"{threads} x {precision} {seconds[threads, precision] * 1000:.2f} ms" for threads, precision in pairs
    )
    return fastest, f"measured per step: {told}"


def _trial_turns(trial: Train, task: Task, copied: torch.nn.Module) -> list[Turn]:
    return build_players(trial, task, copied, STEPS + WARM_UP, STEPS + WARM_UP, 0).turns


def _told(value: Any, why: str) -> tuple[Any, str]:
    return value, why
