"""Numbers far from the others: bounds that are learnt from some rows, and what lies outside of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The median absolute deviation of a normal distribution, as a share of its standard deviation.
MAD_OF_NORMAL = 0.6744897501960817


def z_score_bounds(values: NDArray[np.float64], threshold: float) -> tuple[float, float]:
    """Return mean minus and plus `threshold` standard deviations; missing values are NaN and do not count.

    Shapes: values (n,) float -> two numbers
    Source: Grubbs 1969, Procedures for detecting outlying observations in samples, section 2; both sides.
    """
    present = values[~np.isnan(values)]
    if not len(present):
        return -np.inf, np.inf
    reach = threshold * present.std()
    return float(present.mean() - reach), float(present.mean() + reach)


def robust_bounds(values: NDArray[np.float64], threshold: float) -> tuple[float, float]:
    """Return median minus and plus `threshold` deviations, estimated from the median absolute deviation.

    A column of which more than half is one value has no such deviation: its mean absolute deviation stands in for it.

    Shapes: values (n,) float -> two numbers
    Source: Iglewicz and Hoaglin 1993, How to detect and handle outliers, section 3.3.
    """
    present = values[~np.isnan(values)]
    if not len(present):
        return -np.inf, np.inf
    middle = float(np.median(present))
    distances = np.abs(present - middle)
    # 1.253314 times the mean absolute deviation estimates the standard deviation of a normal distribution.
    scale = np.median(distances) / MAD_OF_NORMAL or 1.253314 * distances.mean()
    return middle - threshold * float(scale), middle + threshold * float(scale)


def iqr_bounds(values: NDArray[np.float64], factor: float) -> tuple[float, float]:
    """Return the quartiles, moved outward by `factor` times their distance.

    Shapes: values (n,) float -> two numbers
    Source: Tukey 1977, Exploratory data analysis, chapter 2.
    """
    present = values[~np.isnan(values)]
    if not len(present):
        return -np.inf, np.inf
    low, high = np.quantile(present, [0.25, 0.75])
    return float(low - factor * (high - low)), float(high + factor * (high - low))


def outside(values: NDArray[np.float64], bounds: tuple[float, float]) -> NDArray[np.bool_]:
    """Return which values lie outside of the bounds; a missing value does not.

    Shapes: values (n,) float -> (n,) bool
    Source: the complement of the interval, ends included in it.
    """
    return (values < bounds[0]) | (values > bounds[1])


def isolation_scores(
    train: NDArray[np.float64], judged: NDArray[np.float64], trees: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how easily each row is isolated, for the rows learnt from and for those judged; more is more outlying.

    Missing values are taken to be the median of what is learnt from.

    Shapes: train (n, k) float, judged (m, k) float -> (n,) float, (m,) float
    Source: Liu, Ting and Zhou 2008, Isolation forest, equation 2.
    """
    from sklearn.ensemble import IsolationForest

    medians_K = np.nanmedian(np.where(np.isnan(train).all(axis=0), 0.0, train), axis=0)
    filled = [np.where(np.isnan(table), medians_K, table) for table in (train, judged)]
    forest = IsolationForest(n_estimators=trees, random_state=seed % 2**32).fit(filled[0])
    return -forest.score_samples(filled[0]), -forest.score_samples(filled[1])
