"""How far apart the means of two samples lie, with an interval: a model on what it learnt from and on what it did not.

N examples of the first sample, M of the second, R resamples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# Of one chunk of resampled values.
CHUNK_BYTES = 2**24


@dataclass(frozen=True)
class Gap:
    """A difference of means and its interval."""

    value: float
    low: float
    high: float
    confidence: float
    resamples: int


def bootstrap_difference(
    first_N: Floats,
    second_M: Floats,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    generator: np.random.Generator,
) -> Gap:
    """Return mean(first) - mean(second) with its percentile interval; each sample is resampled on its own.

    Shapes: first (n,) float, second (m,) float -> Gap
    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), section 8.3 (two samples) and
        section 13.3 (percentile interval).
    """
    differences_R = _resampled_means(first_N, resamples, generator) - _resampled_means(second_M, resamples, generator)
    tail = (1 - confidence) / 2
    low, high = np.quantile(differences_R, [tail, 1 - tail])
    return Gap(float(first_N.mean() - second_M.mean()), float(low), float(high), confidence, resamples)


def bootstrap_mean(
    values_N: Floats, *, resamples: int = 1000, confidence: float = 0.95, generator: np.random.Generator
) -> Gap:
    """Return the mean of one sample with its percentile interval: of differences of pairs, the gap between them.

    Shapes: values (n,) float -> Gap
    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), algorithm 6.1 and section 13.3.
    """
    return bootstrap_difference(values_N, np.zeros(1), resamples=resamples, confidence=confidence, generator=generator)


def _resampled_means(values_N: Floats, resamples: int, generator: np.random.Generator) -> Floats:
    if len(values_N) == 1:
        return np.full(resamples, values_N[0])
    rows = max(1, CHUNK_BYTES // (16 * len(values_N)))
    chunks = [
        values_N[generator.integers(len(values_N), size=(min(rows, resamples - start), len(values_N)))].mean(axis=1)
        for start in range(0, resamples, rows)
    ]
    return np.concatenate(chunks)
