"""Kernel distance: how far two samples of features lie apart, with an interval by leaving one picture out at a time.

N examples of the first sample, M of the second, D features.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DEGREE = 3


@dataclass(frozen=True)
class Distance:
    """The distance, what it would be without each example of the first and of the second sample, and its interval."""

    value: float
    low: float
    high: float
    without_first: Floats
    without_second: Floats


def kernel_distance(first_ND: Floats, second_MD: Floats, confidence: float = 0.95) -> Distance:
    """Return the unbiased squared distance of two samples under the polynomial kernel; near zero where they are alike.

    Shapes: first (n, features) float, second (m, features) float -> Distance
    Source: Binkowski et al. 2018 (KID), section 4; Gretton et al. 2012, equation 3; Efron 1982, section 3 (jackknife).
    """
    ours, theirs, both = (
        _kernel(*pair) for pair in ((first_ND, first_ND), (second_MD, second_MD), (first_ND, second_MD))
    )
    np.fill_diagonal(ours, 0.0)
    np.fill_diagonal(theirs, 0.0)
    n, m = both.shape
    inner, outer = (kernel.sum() / (size * (size - 1)) for kernel, size in ((ours, n), (theirs, m)))
    value = inner + outer - 2 * both.mean()
    without_N = _without(ours) + outer - 2 * (both.sum() - both.sum(axis=1)) / ((n - 1) * m)
    without_M = inner + _without(theirs) - 2 * (both.sum() - both.sum(axis=0)) / (n * (m - 1))
    spread = np.sqrt(_variance(without_N) + _variance(without_M))
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * spread
    return Distance(float(value), float(value - reach), float(value + reach), without_N, without_M)


def difference(one: Distance, other: Distance, confidence: float = 0.95) -> tuple[float, float, float]:
    """Return `one` less `other` with its interval; both are distances of as many examples from the same second sample.

    Source: Efron 1982, section 3 (jackknife), example by example.
    """
    value = one.value - other.value
    spread = np.sqrt(
        _variance(one.without_first - other.without_first) + _variance(one.without_second - other.without_second)
    )
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * float(spread)
    return value, value - reach, value + reach


def _kernel(one_ND: Floats, other_MD: Floats) -> Floats:
    kernel: Floats = (one_ND @ other_MD.T / one_ND.shape[1] + 1.0) ** DEGREE
    return kernel


def _without(kernel: Floats) -> Floats:
    """Return the mean off the diagonal, which is zero, without each example in turn."""
    n = len(kernel)
    left: Floats = (kernel.sum() - 2 * kernel.sum(axis=1)) / ((n - 1) * (n - 2))
    return left


def _variance(without: Floats) -> float:
    return float((len(without) - 1) * np.var(without))
