"""Choosing a learning rate by trying it: a range test on a copy of the network, before training begins."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch

from ..methods.optimisation.range_test import diverged, growing_rate, suggest_rate
from .loop import Layout, Moment, Objective, train
from .turn import Turn

STEPS, LOWEST, HIGHEST = 100, 1e-6, 10.0


def find_rate(
    network: torch.nn.Module,
    turn_for: Callable[[torch.nn.Module], Turn],
    batches: Iterable[tuple[int, Any]],
    layout: Layout,
    objective: Objective,
    seed_of_step: Callable[[int], int],
) -> tuple[float | None, list[dict[str, float]]]:
    """Train a copy of the network for some steps at a growing rate; return the suggested rate and what was seen.

    `turn_for` builds the turn of the copy, with an optimiser whose rate is 1. The network itself is not touched.
    """
    plain = turn_for(copy.deepcopy(network))
    turn = Turn(
        plain.name,
        plain.model,
        plain.losses,
        plain.sizes,
        plain.optimiser,
        lambda step: growing_rate(step, STEPS, LOWEST, HIGHEST),
    )
    rates: list[float] = []
    losses: list[float] = []

    def look(moment: Moment) -> bool:
        rates.append(growing_rate(moment.step, STEPS, LOWEST, HIGHEST))
        losses.append(float(moment.losses.mean()))
        return moment.step + 1 >= STEPS or diverged(losses)

    train(
        turns=[turn],
        batches=batches,
        layout=layout,
        objective=objective,
        rules=[],
        observers=[look],
        seed_of_step=seed_of_step,
    )
    points = [{"rate": rate, "loss": loss} for rate, loss in zip(rates, losses, strict=True)]
    return suggest_rate(rates, losses), points
