"""How long a step takes: a few of them on a copy of the network, which leaves no trace."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

import torch

from .loop import Layout, Moment, Objective, train
from .turn import Turn

# The first steps of a shape are slower: kernels are chosen, memory is fetched.
WARM_UP, STEPS = 3, 9


def seconds_per_step(
    network: torch.nn.Module,
    turns_for: Callable[[torch.nn.Module], list[Turn]],
    batches: Iterable[tuple[int, Any]],
    layout: Layout,
    objective: Objective,
) -> float:
    """Return the median time of a step.

    Units: seconds
    """
    moments: list[float] = []

    def look(moment: Moment) -> bool:
        moments.append(time.perf_counter())
        return False

    train(
        turns=turns_for(copy.deepcopy(network)),
        batches=batches,
        layout=layout,
        objective=objective,
        rules=[],
        observers=[look],
        seed_of_step=lambda step: step,
    )
    return median(later - earlier for earlier, later in zip(moments[WARM_UP:], moments[WARM_UP + 1 :], strict=False))
