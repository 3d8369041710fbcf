"""The points of a ROC curve and of a precision-recall curve, thinned for a report.

N examples, L levels of score, P points kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelwright.core.errors import DataError

from .scored import Scored, score

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
POINTS = 200


@dataclass(frozen=True)
class RocCurve:
    """For falling thresholds, the fractions of negatives and of positives that score at least as high."""

    false_positive_rates: tuple[float, ...]
    true_positive_rates: tuple[float, ...]
    thresholds: tuple[float, ...]


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """For falling thresholds the recall and the precision of predicting the class from that score upward."""

    recalls: tuple[float, ...]
    precisions: tuple[float, ...]
    thresholds: tuple[float, ...]


def roc_curve_points(
    targets: NDArray[np.generic], probabilities: NDArray[np.generic], of_class: int = 1, points: int = POINTS
) -> RocCurve:
    """Return at most `points` points of the ROC curve of one class against the rest, both ends among them.

    Every point lies on the full curve; between neighbours neither rate moves by more than 2 / (points - 1), but for a
    single level of tied scores that moves it further. Take the area from `roc_auc`, not from these points.

    Shapes: targets (examples,) integer, probabilities (examples, classes) float -> RocCurve
    Raises:
        DataError: see `score`; or no example of the class, or of the rest.
    Source: T. Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 27 (2006), algorithm 1.
    """
    scored = score(targets, probabilities)
    true_L, reached_L, thresholds_L = _levels(scored, of_class, points)
    positives, negatives = int(true_L[-1]), int(reached_L[-1] - true_L[-1])
    if positives == 0 or negatives == 0:
        raise _missing(of_class, positives, negatives)
    # The curve starts where nothing is predicted: at a threshold just above the highest score.
    true_rates = np.append(0.0, true_L / positives)
    false_rates = np.append(0.0, (reached_L - true_L) / negatives)
    thresholds = np.append(np.nextafter(thresholds_L[0], np.inf), thresholds_L)
    kept_P = _thin((true_rates + false_rates) / 2, points)
    return RocCurve(
        tuple(false_rates[kept_P].tolist()), tuple(true_rates[kept_P].tolist()), tuple(thresholds[kept_P].tolist())
    )


def precision_recall_points(
    targets: NDArray[np.generic], probabilities: NDArray[np.generic], of_class: int = 1, points: int = POINTS
) -> PrecisionRecallCurve:
    """Return at most `points` points of the precision-recall curve of one class against the rest.

    Every point lies on the full curve; the first is that of the highest score (no made-up point at recall 0), the last
    the first threshold that recalls all. Take the area from `pr_auc`, not from these points.

    Shapes: targets (examples,) integer, probabilities (examples, classes) float -> PrecisionRecallCurve
    Raises:
        DataError: see `score`; or no example of the class.
    Source: J. Davis and M. Goadrich, The relationship between Precision-Recall and ROC curves, ICML 2006, section 2.
    """
    scored = score(targets, probabilities)
    true_L, reached_L, thresholds_L = _levels(scored, of_class, points)
    positives = int(true_L[-1])
    if positives == 0:
        raise _missing(of_class, positives, scored.examples)
    recalls = true_L / positives
    kept_P = _thin(recalls, points)
    precisions = true_L / reached_L
    return PrecisionRecallCurve(
        tuple(recalls[kept_P].tolist()), tuple(precisions[kept_P].tolist()), tuple(thresholds_L[kept_P].tolist())
    )


def _levels(scored: Scored, of_class: int, points: int) -> tuple[Integers, Integers, Floats]:
    if not 0 <= of_class < scored.classes or points < 2:
        raise ValueError(
            f"of_class is {of_class} of {scored.classes} classes, points is {points}, expected at least 2 points"
        )
    scores_N = scored.probabilities[:, of_class]
    order_N = np.argsort(-scores_N, kind="stable")
    lasts_L = np.append(np.flatnonzero(np.diff(scores_N[order_N])), scored.examples - 1)
    true_N = np.cumsum(scored.targets[order_N] == of_class)
    return true_N[lasts_L], lasts_L + 1, scores_N[order_N][lasts_L]


def _thin(progress_L: Floats, points: int) -> Integers:
    """Keep the points that first reach each of evenly spaced marks of a measure that rises along the curve."""
    marks = np.linspace(progress_L[0], progress_L[-1], points)
    return np.unique(np.searchsorted(progress_L, marks, side="left").clip(0, len(progress_L) - 1))


def _missing(of_class: int, positives: int, negatives: int) -> DataError:
    return DataError(
        f"{positives} examples of class {of_class} and {negatives} of the rest",
        where="curve",
        expected="at least one of each",
        next_step="leave this class out of the report, or use a slice that holds both",
    )
