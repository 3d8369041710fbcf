"""Metrics that follow from the confusion matrix: accuracy, balanced accuracy, precision, recall, F1.

N examples, C classes, R resamples.

What happens to a class that is absent. A class that a resample holds neither as a target nor as a prediction has no
precision, recall or F1 there: the per-class value is NaN, which the intervals leave out and count, and the macro
average is over the classes that are present. A class that is present has 0 where its fraction is 0/0 (it was never
predicted, or only predicted). This is what scikit-learn gives with zero_division=0 on the resampled rows themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scored import Scored, group_by, score, sum_by_group
from .weights import check_weights

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClassCounts:
    """Weight of each class in each resample: as target, as prediction, and as both at once; all (R, C)."""

    hits: Floats
    actual: Floats
    predicted: Floats


PerClass = Callable[[ClassCounts], Floats]


def count_classes(scored: Scored, weights_RN: Floats) -> ClassCounts:
    """Add up the weights of the examples by target, by prediction, and where the two agree.

    Only the occupied cells of the confusion matrix are added up, so that many classes cost no more than few.

    Shapes: weights (resamples, examples) float -> ClassCounts of (resamples, classes) float
    Source: M. Sokolova and G. Lapalme, A systematic analysis of performance measures, Information
        Processing & Management 45 (2009), table 3.
    """
    cells, classes = scored.cells, scored.classes
    cells_RK = np.add.reduceat(np.take(weights_RN, cells.order, axis=1), cells.starts, axis=1)
    target_K, prediction_K = np.divmod(cells.keys, classes)
    return ClassCounts(
        hits=sum_by_group(cells_RK * (target_K == prediction_K), group_by(target_K), classes),
        actual=sum_by_group(cells_RK, group_by(target_K), classes),
        predicted=sum_by_group(cells_RK, group_by(prediction_K), classes),
    )


def confusion_matrix(
    targets: NDArray[np.generic], probabilities: NDArray[np.generic], weights: NDArray[np.generic]
) -> Floats:
    """Count the examples of each true class (rows) by predicted class (columns).

    Shapes: targets (examples,) integer, probabilities (examples, classes) float, weights (resamples, examples) float
        -> (resamples, classes, classes) float
    Raises:
        DataError: see `score` and `check_weights`.
    Source: T. Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 27 (2006), section 2; transposed to
        scikit-learn's confusion_matrix.
    """
    scored = score(targets, probabilities)
    weights_RN = check_weights(weights, scored.examples)
    classes = scored.classes
    return sum_by_group(weights_RN, scored.cells, classes * classes).reshape(-1, classes, classes)


def accuracy(counts: ClassCounts) -> Floats:
    """Return the fraction of examples whose prediction is the target.

    Shapes: ClassCounts -> (resamples,) float
    Source: M. Sokolova and G. Lapalme (2009), table 3; scikit-learn's accuracy_score.
    """
    return counts.hits.sum(axis=1) / counts.actual.sum(axis=1)


def balanced_accuracy(counts: ClassCounts) -> Floats:
    """Return the mean recall of the classes that occur among the targets of the resample.

    Shapes: ClassCounts -> (resamples,) float
    Source: K. H. Brodersen et al., The balanced accuracy and its posterior distribution, ICPR 2010, section II;
        scikit-learn's balanced_accuracy_score.
    """
    occurs_RC = counts.actual > 0
    return (recall(counts) * occurs_RC).sum(axis=1, where=occurs_RC) / occurs_RC.sum(axis=1)


def precision(counts: ClassCounts) -> Floats:
    """Return for each class the fraction of its predictions that are right; NaN where the class is absent.

    Shapes: ClassCounts -> (resamples, classes) float
    Source: C. J. van Rijsbergen, Information Retrieval, 2nd ed. (1979), chapter 7; scikit-learn's precision_score,
        average=None.
    """
    return _ratio(counts.hits, counts.predicted, counts)


def recall(counts: ClassCounts) -> Floats:
    """Return for each class the fraction of its examples that are predicted as such; NaN where the class is absent.

    Shapes: ClassCounts -> (resamples, classes) float
    Source: C. J. van Rijsbergen, Information Retrieval, 2nd ed. (1979), chapter 7; scikit-learn's recall_score,
        average=None.
    """
    return _ratio(counts.hits, counts.actual, counts)


def f1(counts: ClassCounts) -> Floats:
    """Return for each class the harmonic mean of precision and recall; NaN where the class is absent.

    Shapes: ClassCounts -> (resamples, classes) float
    Source: C. J. van Rijsbergen, Information Retrieval, 2nd ed. (1979), chapter 7, with equal weights; scikit-learn's
        f1_score, average=None.
    """
    return _ratio(2 * counts.hits, counts.actual + counts.predicted, counts)


def _ratio(numerator_RC: Floats, denominator_RC: Floats, counts: ClassCounts) -> Floats:
    ratio_RC = np.zeros_like(numerator_RC)
    np.divide(numerator_RC, denominator_RC, out=ratio_RC, where=denominator_RC > 0)
    ratio_RC[(counts.actual == 0) & (counts.predicted == 0)] = np.nan
    return ratio_RC


def macro_average(counts: ClassCounts, per_class: PerClass) -> Floats:
    """Return the plain mean of a per-class metric over the classes that are present in the resample.

    Shapes: ClassCounts -> (resamples,) float
    Source: M. Sokolova and G. Lapalme (2009), table 3, index M; scikit-learn's average="macro".
    """
    return np.nanmean(per_class(counts), axis=1)


def micro_average(counts: ClassCounts, per_class: PerClass) -> Floats:
    """Return a per-class metric of the counts added up over classes.

    With one label for each example, precision, recall and F1 all become the accuracy.

    Shapes: ClassCounts -> (resamples,) float
    Source: M. Sokolova and G. Lapalme (2009), table 3, index mu; scikit-learn's average="micro".
    """
    pooled = ClassCounts(
        counts.hits.sum(axis=1, keepdims=True),
        counts.actual.sum(axis=1, keepdims=True),
        counts.predicted.sum(axis=1, keepdims=True),
    )
    return per_class(pooled)[:, 0]


def weighted_average(counts: ClassCounts, per_class: PerClass) -> Floats:
    """Return the mean of a per-class metric over the targets, that is weighted by how many targets a class has.

    Shapes: ClassCounts -> (resamples,) float
    Source: scikit-learn's average="weighted".
    """
    shares_RC = counts.actual / counts.actual.sum(axis=1, keepdims=True)
    return np.nansum(per_class(counts) * shares_RC, axis=1)
