"""Whether stated confidence is kept: the expected calibration error and the reliability curve behind it.

N examples, R resamples, B bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .intervals import wilson_interval
from .scored import Scored, group_by, score, sum_by_group

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
BINS = 15


@dataclass(frozen=True)
class ReliabilityBin:
    """The examples whose confidence lies in (low, high]: how sure the model was and how often it was right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float


def calibration_error(scored: Scored, weights_RN: Floats) -> Floats:
    """Return the expected calibration error of the top confidence over 15 bins of equal width.

    The estimate is biased upward, more so with few examples, and a resample has that bias twice. The catalogue
    therefore gives it a basic interval. For a nearly calibrated model with few examples even that may not reach
    down to zero.

    Shapes: weights (resamples, examples) float -> (resamples,) float
    Source: C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 3; on the bias: A. Kumar
        et al., Verified Uncertainty Calibration, NeurIPS 2019, section 5.
    """
    gaps_N = scored.hits - scored.confidences
    gaps_RB = sum_by_group(weights_RN * gaps_N, group_by(_bin_of(scored.confidences, BINS)), BINS)
    return np.abs(gaps_RB).sum(axis=1) / weights_RN.sum(axis=1)


def reliability_curve(
    targets: NDArray[np.generic], probabilities: NDArray[np.generic], bins: int = BINS, confidence: float = 0.95
) -> tuple[ReliabilityBin, ...]:
    """Return mean confidence and accuracy of each bin of equal width that holds an example, in rising order.

    Shapes: targets (examples,) integer, probabilities (examples, classes) float -> bins
    Raises:
        DataError: see `score`.
    Source: M. H. DeGroot and S. E. Fienberg, The Comparison and Evaluation of Forecasters, The Statistician 32 (1983);
        binning as in C. Guo et al. (2017), section 2; the interval is Wilson's.
    """
    if bins < 1:
        raise ValueError(f"bins is {bins}, expected at least 1")
    scored = score(targets, probabilities)
    bin_of_N = _bin_of(scored.confidences, bins)
    curve = []
    for index in np.unique(bin_of_N):
        inside_N = bin_of_N == index
        count, hits = int(inside_N.sum()), int(scored.hits[inside_N].sum())
        low, high = wilson_interval(hits, count, confidence)
        mean_confidence = float(scored.confidences[inside_N].mean())
        curve.append(
            ReliabilityBin(
                low=int(index) / bins,
                high=(int(index) + 1) / bins,
                count=count,
                confidence=mean_confidence,
                accuracy=hits / count,
                accuracy_low=low,
                accuracy_high=high,
            )
        )
    return tuple(curve)


def _bin_of(confidences_N: Floats, bins: int) -> Integers:
    edges = np.arange(bins + 1) / bins
    # Bins are open below and closed above, as in the paper; a confidence a rounding above 1 stays in the last.
    return np.clip(np.searchsorted(edges, confidences_N, side="left") - 1, 0, bins - 1)
