"""Targets and probabilities, checked once, with the sorts and groups that several metrics share.

N examples, C classes, R resamples, K groups of equal key, T levels of score that hold a positive example.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from modelwright.core.errors import DataError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Outside of these, what was passed are logits or scores, not probabilities rounded by a short float type.
RANGE_TOLERANCE = 1e-3
SUM_TOLERANCE = 2e-2
# The sorts of all classes take as many bytes as the probabilities; above this they are made again for each chunk.
KEPT_RANKING_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Grouping:
    """Examples brought together by an integer key, ready for sums of weights: order (N,), starts and keys (K,)."""

    order: Integers
    starts: Integers
    keys: Integers


@dataclass(frozen=True)
class Ranking:
    """Examples by falling score for one class, and the levels of equal score that hold at least one positive.

    `order` (N,) and `positives` are example numbers; `starts` and `ends` (T,) are places of each level in `order`,
    `positive_starts` (T,) those in `positives`.
    """

    order: Integers
    positives: Integers
    positive_starts: Integers
    starts: Integers
    ends: Integers


@dataclass(frozen=True)
class Scored:
    """Valid targets and probabilities of one evaluation; what follows from them is computed once, when first asked.

    `targets` (N,), `probabilities` (N, C); every derived array has one entry for each example.
    """

    targets: Integers
    probabilities: Floats

    @property
    def examples(self) -> int:
        return self.probabilities.shape[0]

    @property
    def classes(self) -> int:
        return self.probabilities.shape[1]

    @cached_property
    def predictions(self) -> Integers:
        """The class of highest probability; among equals the lowest class."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def confidences(self) -> Floats:
        """The probability of the predicted class."""
        return np.take_along_axis(self.probabilities, self.predictions[:, None], axis=1)[:, 0]

    @cached_property
    def hits(self) -> Floats:
        """One where the prediction is the target, else zero."""
        return (self.predictions == self.targets).astype(np.float64)

    @cached_property
    def target_probabilities(self) -> Floats:
        """The probability given to the true class."""
        return np.take_along_axis(self.probabilities, self.targets[:, None], axis=1)[:, 0]

    @cached_property
    def squares(self) -> Floats:
        """The sum over classes of the squared probability."""
        return np.einsum("nc,nc->n", self.probabilities, self.probabilities)

    @cached_property
    def cells(self) -> Grouping:
        """Examples by cell of the confusion matrix, the key being target * classes + prediction."""
        return group_by(self.targets * self.classes + self.predictions)

    @cached_property
    def _kept_rankings(self) -> tuple[Ranking, ...]:
        return tuple(rank(self, of_class) for of_class in self.ranked_classes)

    @property
    def ranked_classes(self) -> tuple[int, ...]:
        """The classes that are ranked against the rest: of two only the second, the positive one."""
        return (1,) if self.classes == 2 else tuple(range(self.classes))

    def rankings(self) -> Iterator[Ranking]:
        """One ranking for each of `ranked_classes`."""
        if self.probabilities.nbytes <= KEPT_RANKING_BYTES:
            return iter(self._kept_rankings)
        return (rank(self, of_class) for of_class in self.ranked_classes)


def score(targets: NDArray[np.generic], probabilities: NDArray[np.generic]) -> Scored:
    """Check targets and probabilities and put them together.

    Shapes: targets (examples,) integer, probabilities (examples, classes) float -> Scored
    Raises:
        DataError: empty, of unequal length, of the wrong rank or type, targets out of range, probabilities that are
            not finite, not within 0..1 or do not add up to one.
    Source: the conditions that the definitions of all metrics of this folder presuppose; no work of its own.
    """
    target_array, probability_array = np.asarray(targets), np.asarray(probabilities)
    _check_shapes(target_array, probability_array)
    targets_N = np.ascontiguousarray(target_array, dtype=np.int64)
    probabilities_NC = np.ascontiguousarray(probability_array, dtype=np.float64)
    _check_values(targets_N, probabilities_NC)
    return Scored(targets_N, probabilities_NC)


def _check_shapes(targets: NDArray[np.generic], probabilities: NDArray[np.generic]) -> None:
    if probabilities.ndim != 2 or probabilities.shape[1] < 2 or not np.issubdtype(probabilities.dtype, np.floating):
        raise DataError(
            f"an array of shape {probabilities.shape} and type {probabilities.dtype}",
            where="probabilities",
            expected="floats of shape (examples, classes) with at least two classes",
            next_step="for a binary task pass both columns, [1 - p, p]",
        )
    if targets.ndim != 1 or not np.issubdtype(targets.dtype, np.integer):
        raise DataError(
            f"an array of shape {targets.shape} and type {targets.dtype}",
            where="targets",
            expected="class numbers, integers of shape (examples,)",
            next_step="encode the labels as 0 .. classes - 1",
        )
    if len(targets) != len(probabilities):
        raise DataError(
            f"{len(targets)} targets and {len(probabilities)} rows of probabilities",
            where="targets, probabilities",
            expected="one row of probabilities for each target",
            next_step="check that both come from the same examples in the same order",
        )
    if len(targets) == 0:
        raise DataError(
            "no examples",
            where="targets, probabilities",
            expected="at least one example",
            next_step="check the split or the slice that selects the examples",
        )


def _check_values(targets_N: Integers, probabilities_NC: Floats) -> None:
    classes = probabilities_NC.shape[1]
    lowest, highest = int(targets_N.min()), int(targets_N.max())
    if lowest < 0 or highest >= classes:
        row = int(np.flatnonzero((targets_N < 0) | (targets_N >= classes))[0])
        raise DataError(
            f"class {targets_N[row]} at row {row}",
            where="targets",
            expected=f"0 .. {classes - 1}, as there are {classes} columns of probabilities",
            next_step="check that model and data use the same list of classes",
        )
    least, most = float(probabilities_NC.min()), float(probabilities_NC.max())
    if not (np.isfinite(least) and np.isfinite(most)):
        row = int(np.flatnonzero(~np.isfinite(probabilities_NC).all(axis=1))[0])
        raise DataError(
            f"a value that is not finite at row {row}",
            where="probabilities",
            expected="finite numbers",
            next_step="look for a diverged training or an overflow in a short float type",
        )
    if least < -RANGE_TOLERANCE or most > 1 + RANGE_TOLERANCE:
        raise DataError(
            f"values from {least:g} to {most:g}",
            where="probabilities",
            expected="values within 0 .. 1",
            next_step="apply softmax to logits first",
        )
    sums_N = probabilities_NC.sum(axis=1)
    if np.abs(sums_N - 1).max() > SUM_TOLERANCE:
        row = int(np.abs(sums_N - 1).argmax())
        raise DataError(
            f"row {row} adds up to {sums_N[row]:g}",
            where="probabilities",
            expected="rows that add up to 1",
            next_step="apply softmax, or divide each row by its sum",
        )


def group_by(keys_N: Integers) -> Grouping:
    """Bring examples of equal key together.

    Shapes: keys (examples,) integer -> Grouping
    Source: grouping by a stable sort, as in any database textbook.
    """
    order_N = np.argsort(keys_N, kind="stable")
    keys_K, starts_K = np.unique(keys_N[order_N], return_index=True)
    return Grouping(order_N, starts_K, keys_K)


def sum_by_group(values_RN: Floats, grouping: Grouping, groups: int) -> Floats:
    """Add up the columns of equal key, so that column k of the result is the sum for key k.

    Shapes: values (resamples, examples) float -> (resamples, groups) float
    Source: segmented reduction over sorted keys; G. E. Blelloch, Prefix Sums and Their Applications (1990),
        section 1.5.
    """
    sums_RG = np.zeros((values_RN.shape[0], groups))
    sorted_RN = np.take(values_RN, grouping.order, axis=1)
    sums_RG[:, grouping.keys] = np.add.reduceat(sorted_RN, grouping.starts, axis=1)
    return sums_RG


def rank(scored: Scored, of_class: int) -> Ranking:
    """Sort the examples by the probability of one class, highest first, and find the levels of equal probability.

    Shapes: Scored -> Ranking
    Source: T. Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 27 (2006), algorithm 1
        (ties are one level).
    """
    scores_N = scored.probabilities[:, of_class]
    order_N = np.argsort(-scores_N, kind="stable")
    is_first_N = np.concatenate([[True], np.diff(scores_N[order_N]) != 0])
    firsts = np.flatnonzero(is_first_N)
    ends = np.append(firsts[1:], scored.examples)
    is_positive_N = scored.targets[order_N] == of_class
    levels = (np.cumsum(is_first_N) - 1)[is_positive_N]
    levels_T, positive_starts_T = np.unique(levels, return_index=True)
    return Ranking(order_N, order_N[is_positive_N], positive_starts_T, firsts[levels_T], ends[levels_T])
