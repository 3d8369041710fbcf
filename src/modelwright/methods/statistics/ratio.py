"""A ratio of two sums over examples, such as nats over tokens, with its interval.

N examples, G groups, R resamples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelwright.core.errors import DataError

from .intervals import Estimate, percentile_interval

Floats = NDArray[np.float64]
# Of one chunk of drawn groups.
CHUNK_BYTES = 2**23


def bootstrap_ratio(
    above_N: NDArray[Any],
    below_N: NDArray[Any],
    groups_N: NDArray[Any],
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    generator: np.random.Generator,
) -> Estimate:
    """Return sum(above) / sum(below) with its percentile interval; examples of a group are drawn together.

    Shapes: above (n,) float, below (n,) float, groups (n,) int -> Estimate
    Raises:
        DataError: the sum below is not positive.
    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), algorithm 6.1 and section 13.3.
    """
    if not float(below_N.sum()) > 0:
        raise DataError("there is nothing to divide by", where="ratio", expected="a positive sum")
    _, codes_N = np.unique(groups_N, return_inverse=True)
    above_G = np.bincount(codes_N, above_N.astype(np.float64))
    below_G = np.bincount(codes_N, below_N.astype(np.float64))
    sums_R2 = _drawn_sums(np.stack([above_G, below_G], axis=1), resamples, generator)
    kept_R2 = sums_R2[sums_R2[:, 1] > 0]
    low, high = percentile_interval(kept_R2[:, 0] / kept_R2[:, 1], confidence)
    value = float(above_G.sum() / below_G.sum())
    return Estimate(value, low, high, len(above_N), len(kept_R2), confidence)


def _drawn_sums(values_G2: Floats, resamples: int, generator: np.random.Generator) -> Floats:
    groups = len(values_G2)
    rows = max(1, CHUNK_BYTES // (24 * groups))
    chunks = [
        values_G2[generator.integers(groups, size=(min(rows, resamples - start), groups))].sum(axis=1)
        for start in range(0, resamples, rows)
    ]
    return np.concatenate(chunks)
