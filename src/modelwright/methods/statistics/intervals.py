"""Intervals of confidence: percentile and basic (bootstrap), Wilson (a proportion), Student's t (the mean of folds).

R resamples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from modelwright.core.errors import DataError

Floats = NDArray[np.float64]
Method = Literal["percentile", "basic"]


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; all three are None where the metric does not exist for these examples.

    `n` counts examples; `resamples` counts those in which the metric exists and which therefore made the interval.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    resamples: int
    confidence: float
    method: Method = "percentile"


def percentile_interval(values_R: Floats, confidence: float) -> tuple[float, float]:
    """Return the central interval that holds the given fraction of the resampled values.

    Values that are all equal give an interval of width zero. That is no certainty: for an accuracy of 1,
    `wilson_interval` says what the number of examples supports.

    Shapes: values (resamples,) float -> low, high
    Raises:
        DataError: no values, or one that is not finite.
    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), section 13.3, equation 13.5.
    """
    _check_confidence(confidence)
    values_R = np.asarray(values_R, dtype=np.float64)
    if values_R.ndim != 1 or values_R.size == 0 or not np.isfinite(values_R).all():
        raise DataError(
            f"{int(np.sum(~np.isfinite(values_R)))} values that are not finite, in an array of shape {values_R.shape}",
            where="percentile interval",
            expected="at least one value, all finite",
            next_step="leave out the resamples in which the metric does not exist, and report how many",
        )
    tail = (1 - confidence) / 2
    low, high = np.quantile(values_R, [tail, 1 - tail])
    return float(low), float(high)


def basic_interval(
    value: float, values_R: Floats, confidence: float, lowest: float = -math.inf, highest: float = math.inf
) -> tuple[float, float]:
    """Return the percentile interval reflected at the plain value, which takes out the bias that resampling adds.

    For metrics that come out higher on resamples than on the examples themselves. The interval is cut to
    `lowest` .. `highest` and then stretched, where need be, to hold the value.

    Shapes: values (resamples,) float -> low, high
    Raises:
        DataError: no values, or one that is not finite.
    Source: A. C. Davison and D. V. Hinkley, Bootstrap Methods and their Application (1997), equation 5.6.
    """
    low, high = percentile_interval(values_R, confidence)
    return min(value, max(lowest, 2 * value - high)), max(value, min(highest, 2 * value - low))


def wilson_interval(successes: int, n: int, confidence: float) -> tuple[float, float]:
    """Return an interval for a proportion that also holds for few examples and at 0 or n successes.

    Raises:
        DataError: n below 1, or successes outside 0 .. n.
    Source: E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, J. Am. Statist.
        Assoc. 22 (1927).
    """
    _check_confidence(confidence)
    if n < 1 or not 0 <= successes <= n:
        raise DataError(
            f"{successes} successes in {n} examples",
            where="Wilson interval",
            expected="at least one example and 0 .. n successes",
            next_step="check the slice that selects the examples",
        )
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    proportion, spread = successes / n, z * z / n
    centre = (proportion + spread / 2) / (1 + spread)
    half = math.sqrt(proportion * (1 - proportion) * spread + spread * spread / 4) / (1 + spread)
    # At the ends the formula gives 0 and 1 but for rounding.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def t_interval(values: Sequence[float], confidence: float, test_over_train: float = 0.0) -> tuple[float, float]:
    """Return an interval for the mean of a few values, such as the scores of folds or of seeds.

    Folds share training examples, so their scores vary less than those of fresh data would. `test_over_train`, for k
    folds 1 / (k - 1), widens the interval for this; 0 takes the values as independent.

    Raises:
        DataError: fewer than two values, or one that is not finite.
    Source: Student, The probable error of a mean, Biometrika 6 (1908); the widening: C. Nadeau and Y. Bengio,
        Inference for the Generalization Error, Machine Learning 52 (2003), section 3, the corrected resampled t-test.
    """
    from scipy.special import stdtrit

    _check_confidence(confidence)
    if test_over_train < 0:
        raise ValueError(f"test_over_train is {test_over_train}, expected at least 0")
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size < 2 or not np.isfinite(array).all():
        raise DataError(
            f"values {array.tolist()}",
            where="t interval",
            expected="two or more finite values",
            next_step="use more folds or seeds",
        )
    quantile = float(stdtrit(array.size - 1, 0.5 + confidence / 2))
    half = quantile * float(array.std(ddof=1)) * math.sqrt(1 / array.size + test_over_train)
    mean = float(array.mean())
    return mean - half, mean + half


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}, expected a fraction between 0 and 1")
