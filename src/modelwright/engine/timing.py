"""How long answers take: several models in turn on the same examples, so that all see the same weather."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.metering import Meter
from ..tasks.task import Examples
from .predictor import Predictor

WARM_UP = 3
METERED_SECONDS = 0.3


@dataclass(frozen=True)
class Latency:
    """Seconds from examples to answers, over `n` calls with `batch` examples each."""

    batch: int
    p50: float
    p99: float
    n: int


def time_in_turn(predictors: Sequence[Predictor], examples: Examples, batch: int, rounds: int) -> list[Latency]:
    """Let each model answer other examples each round, one model after the other; the first of a round changes.

    Units: seconds
    """
    chosen = [examples.take(np.arange(start, start + batch) % len(examples)) for start in range(0, rounds, 1)]
    chosen = [
        Examples({name: np.array(column) for name, column in some.columns.items()}, some.learnt) for some in chosen
    ]
    taken: list[list[float]] = [[] for _ in predictors]
    for predictor in predictors:
        for _ in range(WARM_UP):
            predictor.predict(chosen[0])
    for number, some in enumerate(chosen):
        for place in range(len(predictors)):
            index = (place + number) % len(predictors)
            began = time.perf_counter()
            predictors[index].predict(some)
            taken[index].append(time.perf_counter() - began)
    return [
        Latency(batch, float(np.quantile(times, 0.5)), float(np.quantile(times, 0.99)), len(times)) for times in taken
    ]


@dataclass(frozen=True)
class Cost:
    """What a thousand answers cost: seconds of all threads, and joules with bounds; or why nobody can tell these."""

    cpu_seconds: float
    joules: float | None = None
    low: float | None = None
    high: float | None = None
    method: str = ""
    source: str = ""
    measured: bool = True
    reason: str = ""


def cost_of(predictor: Predictor, examples: Examples, meter: Meter) -> Cost:
    """Let a model answer for a while, and return what a thousand answers cost.

    Units: seconds, joules
    """
    predictor.predict(examples)
    before, began, answers = meter.read(), time.perf_counter(), 0
    # A counter of joules or of clock ticks is too coarse for one pass.
    while not answers or time.perf_counter() - began < METERED_SECONDS:
        predictor.predict(examples)
        answers += len(examples)
    thousands = answers / 1000
    spent = meter.read().minus(before)
    energy = meter.energy("energy", spent, thousands, {})
    return Cost(
        spent.cpu_seconds / thousands,
        energy.value,
        energy.low,
        energy.high,
        energy.method,
        energy.source,
        energy.status == "measured",
        energy.reason,
    )
