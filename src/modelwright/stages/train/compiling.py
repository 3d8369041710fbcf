"""Whether torch.compile is worth its time in this training, where the recipe leaves that to us."""

from __future__ import annotations

import time
from collections.abc import Callable

from ...core.settings import AUTO
from ...core.stage import Context
from ...engine.trial import STEPS, WARM_UP
from .settings import Train

NAME = "train.compile"
# A training of fewer seconds is over before compiling pays, and before finding that out does.
WORTH_SECONDS = 120.0
# What compiling must leave of the time, so that noise does not decide.
CLEARLY = 0.95


def choose_compile(context: Context, settings: Train, seconds_per_step: Callable[[Train], float], total: int) -> Train:
    """Return the settings with `compile` decided; what it became is stored in the run, and taken again by resume."""
    if settings.compile != AUTO:
        return settings
    known = context.chosen(NAME)
    if known is None:
        decided = _decide(context, settings, seconds_per_step, total)
        known = context.choose(NAME, lambda: decided)
    return settings.model_copy(update={"compile": bool(known)})


def _decide(
    context: Context, settings: Train, seconds_per_step: Callable[[Train], float], total: int
) -> tuple[bool, str]:
    plain = seconds_per_step(settings.model_copy(update={"compile": False}))
    if plain * total < WORTH_SECONDS:
        return False, f"about {plain * total:.0f} s of steps are over before compiling pays"
    context.check_interrupt(message="measuring whether compiling pays")
    began = time.perf_counter()
    try:
        compiled = seconds_per_step(settings.model_copy(update={"compile": True}))
    except RuntimeError as error:
        # Without a C++ compiler on the machine, or with an operation that torch.compile does not know.
        return False, f"the network cannot be compiled here: {str(error).splitlines()[0]}"
    once = max(0.0, time.perf_counter() - began - (WARM_UP + STEPS) * compiled)
    pays = once + compiled * total < CLEARLY * plain * total
    return (
        pays,
        f"measured: compiling takes {once:.1f} s, a step then {compiled * 1000:.2f} ms, without {plain * 1000:.2f} ms",
    )
