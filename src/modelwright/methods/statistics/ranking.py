"""Metrics of the order of scores: area under the ROC curve, average precision, recall at a precision; all resamples at once.

N examples, C ranked classes, R resamples, T levels of score that hold a positive example.

Two classes: the scores are the probabilities of class 1. More: each class against the rest, then the mean over the
classes for which the metric exists in the resample. The ROC area needs a positive and a negative example, the average
precision a positive one; a class without is NaN, which the mean leaves out. A resample in which it exists for no class
is NaN; the intervals leave it out and count it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scored import Ranking, Scored

Floats = NDArray[np.float64]
PRECISION = 0.9
# Of shares of sums of weights that are no whole numbers.
ROUNDING = 1e-12


@dataclass(frozen=True)
class RankAreas:
    """Both areas of each ranked class in each resample, and its recall at the precision, (R, C); NaN where there is none."""

    roc: Floats
    precision_recall: Floats
    recall_at_precision: Floats


def rank_areas(scored: Scored, weights_RN: Floats) -> RankAreas:
    """Compute the ROC area and the average precision of each ranked class from one sort and one cumulative sum.

    Shapes: weights (resamples, examples) float -> RankAreas of (resamples, ranked classes) float
    Source: T. Fawcett, An introduction to ROC analysis (2006), section 7; scikit-learn's roc_auc_score and
        average_precision_score.
    """
    resamples, examples = weights_RN.shape
    sorted_RN = np.empty((resamples, examples))
    cumulative_RN = np.zeros((resamples, examples + 1))
    found = []
    for ranking in scored.rankings():
        np.take(weights_RN, ranking.order, axis=1, out=sorted_RN, mode="clip")
        np.cumsum(sorted_RN, axis=1, out=cumulative_RN[:, 1:])
        found.append(_areas_of_class(ranking, weights_RN, cumulative_RN))
    return RankAreas(*(np.stack(of_classes, axis=1) for of_classes in zip(*found, strict=True)))


def _areas_of_class(ranking: Ranking, weights_RN: Floats, cumulative_RN: Floats) -> tuple[Floats, Floats, Floats]:
    resamples = len(weights_RN)
    roc_R, precision_R, recall_R = (np.full(resamples, np.nan) for _ in range(3))
    if len(ranking.positives) == 0:
        return roc_R, precision_R, recall_R
    positive_RT = np.take(weights_RN, ranking.positives, axis=1)
    if len(ranking.positive_starts) < len(ranking.positives):
        positive_RT = np.add.reduceat(positive_RT, ranking.positive_starts, axis=1)
    recalled_RT = np.cumsum(positive_RT, axis=1)
    reached_RT = np.take(cumulative_RN, ranking.ends, axis=1)
    above_RT = np.take(cumulative_RN, ranking.starts, axis=1)
    positives_R = recalled_RT[:, -1]
    negatives_R = cumulative_RN[:, -1] - positives_R

    # A positive outranks the negatives that are not yet reached, and half of those on its own level.
    negatives_passed_RT = 0.5 * ((reached_RT - recalled_RT) + (above_RT - recalled_RT + positive_RT))
    outranked_R = positives_R * negatives_R - np.einsum("rt,rt->r", positive_RT, negatives_passed_RT)
    np.divide(outranked_R, positives_R * negatives_R, out=roc_R, where=(positives_R > 0) & (negatives_R > 0))

    precision_RT = np.divide(recalled_RT, reached_RT, out=np.zeros_like(recalled_RT), where=reached_RT > 0)
    np.divide(np.einsum("rt,rt->r", positive_RT, precision_RT), positives_R, out=precision_R, where=positives_R > 0)
    most_R = np.where(precision_RT >= PRECISION - ROUNDING, recalled_RT, 0.0).max(axis=1)
    np.divide(most_R, positives_R, out=recall_R, where=positives_R > 0)
    return roc_R, precision_R, recall_R


def roc_auc(areas: RankAreas) -> Floats:
    """Return the chance that a positive example has a higher score than a negative one, ties counting half.

    More than two classes: each against the rest, then the plain mean over the classes for which it exists.

    Shapes: RankAreas -> (resamples,) float
    Source: J. A. Hanley and B. J. McNeil, The meaning and use of the area under a ROC curve, Radiology 143 (1982);
        scikit-learn's roc_auc_score with multi_class="ovr", average="macro".
    """
    return _mean_over_existing(areas.roc)


def pr_auc(areas: RankAreas) -> Floats:
    """Return the average precision: the mean over positives of the precision at their score, without interpolation.

    More than two classes: each against the rest, then the plain mean over the classes for which it exists. A resample
    repeats positives, which raises it; the catalogue therefore gives it a basic interval.

    Shapes: RankAreas -> (resamples,) float
    Source: scikit-learn's average_precision_score, average="macro"; C. D. Manning et al., Introduction to Information
        Retrieval (2008), section 8.4.
    """
    return _mean_over_existing(areas.precision_recall)


def recall_at_90_precision(areas: RankAreas) -> Floats:
    """Return the largest share of positives found at a threshold above which 90 % are positive; 0 where there is none.

    More than two classes: each against the rest, then the plain mean over the classes for which it exists.

    Shapes: RankAreas -> (resamples,) float
    Source: C. D. Manning et al., Introduction to Information Retrieval (2008), section 8.4 (the precision-recall curve);
        the largest recall of scikit-learn's precision_recall_curve where the precision is at least 0.9.
    """
    return _mean_over_existing(areas.recall_at_precision)


def _mean_over_existing(values_RC: Floats) -> Floats:
    exists_RC = ~np.isnan(values_RC)
    existing_R = exists_RC.sum(axis=1)
    sums_R = values_RC.sum(axis=1, where=exists_RC)
    return np.divide(sums_R, existing_R, out=np.full(len(values_RC), np.nan), where=existing_R > 0)
