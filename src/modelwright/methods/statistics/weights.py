"""Weights of examples: all one for the plain estimate, multinomial counts for a bootstrap.

N examples, R resamples, G groups.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelwright.core.errors import DataError

Floats = NDArray[np.float64]


def unit_weights(n: int) -> Floats:
    """Return the weights of the plain estimate: one resample in which every example counts once.

    Shapes: -> (1, n) float
    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), section 4.2 (the plug-in estimate).
    """
    return np.ones((1, n))


def bootstrap_weights(
    generator: np.random.Generator, n: int, resamples: int, *, groups: NDArray[np.generic] | None = None
) -> Floats:
    """Draw how often each example occurs in each resample of n draws with replacement.

    With `groups`, whole groups are drawn, as many as there are, and an example counts as often as its group: for
    examples that are not independent, such as the images of one patient. The totals of resamples then differ.
    Drawing 100 resamples gives the same rows as drawing 60 and then 40.

    Shapes: groups (n,) any -> (resamples, n) float
    Raises:
        DataError: no examples, or not one group for each example.
    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), section 20.2 (resampling
        vectors); with groups: C. A. Field and A. H. Welsh, Bootstrapping clustered data, J. R.
        Statist. Soc. B 69 (2007), section 2.
    """
    if n < 1:
        raise DataError("no examples", where="bootstrap", expected="at least one example", next_step="check the slice")
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}, expected at least 1")
    if groups is None:
        return _multinomial_counts(generator, n, resamples)
    if np.shape(groups) != (n,):
        raise DataError(
            f"groups of shape {np.shape(groups)} for {n} examples",
            where="groups",
            expected="one group for each example",
            next_step="take the groups from the same rows as the targets",
        )
    names_G, group_of_N = np.unique(groups, return_inverse=True)
    return np.take(_multinomial_counts(generator, len(names_G), resamples), group_of_N, axis=1)


def _multinomial_counts(generator: np.random.Generator, n: int, resamples: int) -> Floats:
    # Counting n uniform draws is ten times faster than the binomials of generator.multinomial.
    draws_RN = generator.integers(0, n, size=(resamples, n))
    draws_RN += np.arange(resamples)[:, None] * n
    return np.bincount(draws_RN.ravel(), minlength=resamples * n).reshape(resamples, n).astype(np.float64)


def check_weights(weights: NDArray[np.generic], n: int) -> Floats:
    """Check weights that come from outside.

    Shapes: weights (resamples, n) float -> the same
    Raises:
        DataError: another shape, a weight that is negative or not finite, or a resample of total weight zero.
    Source: the conditions of a weighted mean; no work of its own.
    """
    weights_RN = np.asarray(weights, dtype=np.float64)
    if weights_RN.ndim != 2 or weights_RN.shape[1] != n or len(weights_RN) == 0:
        raise DataError(
            f"an array of shape {weights_RN.shape}",
            where="weights",
            expected=f"shape (resamples, {n})",
            next_step="for a plain estimate pass unit_weights(n)",
        )
    usable = weights_RN.min() >= 0 and np.isfinite(weights_RN.max())
    if not usable or weights_RN.sum(axis=1).min() <= 0:
        raise DataError(
            "a weight that is negative or not finite, or a resample of total weight zero",
            where="weights",
            expected="finite weights of at least 0 with a positive total in each resample",
            next_step="draw them with bootstrap_weights",
        )
    return weights_RN
