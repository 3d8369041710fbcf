"""Proper scoring rules: a mean over examples that only the true probabilities make smallest.

N examples, R resamples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .scored import Scored

Floats = NDArray[np.float64]


def log_loss(scored: Scored, weights_RN: Floats) -> Floats:
    """Return the mean of minus the logarithm of the probability of the true class.

    A probability of 0 counts as 2.2e-16, so that one example cannot make the mean infinite.

    Shapes: weights (resamples, examples) float -> (resamples,) float
    Units: nats for each example
    Source: I. J. Good, Rational Decisions, J. R. Statist. Soc. B 14 (1952), section 5; scikit-learn's log_loss.
    """
    smallest = np.finfo(np.float64).eps
    return _mean(-np.log(np.clip(scored.target_probabilities, smallest, 1 - smallest)), weights_RN)


def brier(scored: Scored, weights_RN: Floats) -> Floats:
    """Return the mean squared distance of the probabilities from the one-hot target: 0 .. 2, halved for two classes.

    Shapes: weights (resamples, examples) float -> (resamples,) float
    Source: G. W. Brier, Verification of forecasts expressed in terms of probability, Mon. Weather Rev. 78 (1950),
        equation 2; scikit-learn's brier_score_loss with scale_by_half="auto".
    """
    halving = 0.5 if scored.classes == 2 else 1.0
    return _mean(halving * (scored.squares - 2 * scored.target_probabilities + 1), weights_RN)


def _mean(values_N: Floats, weights_RN: Floats) -> Floats:
    return weights_RN @ values_N / weights_RN.sum(axis=1)
