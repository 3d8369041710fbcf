"""The learning-rate range test: let the rate grow from step to step, and see where the loss falls fastest."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def growing_rate(step: int, steps: int, lowest: float, highest: float) -> float:
    """Return the rate of a step: evenly spaced on a logarithmic scale.

    Source: Smith 2017, Cyclical Learning Rates, section 3.3, with the exponential growth of Gugger 2018.
    """
    return lowest * (highest / lowest) ** (step / max(1, steps - 1))


def smooth(losses: Sequence[float], keep: float = 0.9) -> np.ndarray:
    """Return the bias-corrected exponential average of a series.

    Shapes: losses (n,) -> (n,) float
    Source: Kingma and Ba 2015, section 3, for the correction.
    """
    averages, average = [], 0.0
    for step, loss in enumerate(losses, 1):
        average = keep * average + (1 - keep) * loss
        averages.append(average / (1 - keep**step))
    return np.array(averages)


def diverged(losses: Sequence[float]) -> bool:
    """Say whether the last loss shows that the rate has grown too large: four times the best, or not finite.

    Source: Gugger 2018, How do you find a good learning rate.
    """
    if not math.isfinite(losses[-1]):
        return True
    smoothed = smooth(losses)
    return bool(smoothed[-1] > 4 * smoothed.min())


def suggest_rate(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """Return the rate at which the smoothed loss falls fastest before its minimum; None where it never falls.

    Shapes: rates (n,), losses (n,) -> a rate
    Source: Smith 2017, section 3.3; Gugger 2018: the steepest point, not the minimum, which is too near to divergence.
    """
    finite = [index for index, loss in enumerate(losses) if math.isfinite(loss)]
    if len(finite) < 10:
        return None
    smoothed = smooth([losses[index] for index in finite])
    lowest = int(smoothed.argmin())
    # Two per cent: less is what a few lucky batches make of a loss that does not fall.
    if lowest < 5 or smoothed[0] - smoothed[lowest] <= 0.02 * abs(smoothed[0]):
        return None
    slope = np.gradient(smoothed[: lowest + 1], np.log([rates[index] for index in finite[: lowest + 1]]))
    return float(rates[finite[int(slope.argmin())]])
