"""What a model that is fitted at once is: two functions, and plain arrays between them.

Whatever library finds the arrays, answering needs them alone: no object of that library, nothing that executes.
Dimensions: N rows, C classes, P classes present in the targets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..core.errors import DataError

Arrays = dict[str, np.ndarray]

# scikit-learn takes 32 bits of a seed.
SEEDS = 2**32


@dataclass(frozen=True)
class AtOnce:
    """A model: `fit(columns, targets, seed) -> arrays`, `predict(arrays, columns) -> probabilities`.

    Shapes: columns as the task gives them, targets (n,) int64; probabilities (n, classes) float64
    """

    fit: Callable[[Arrays, np.ndarray, int], Arrays]
    predict: Callable[[Arrays, Arrays], np.ndarray]


def present_classes(targets: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes that occur, and the targets renumbered to them.

    Shapes: targets (n,) int64 -> (present,) int64, (n,) int64

    Raises:
        DataError: fewer than two classes occur, or a target is not a class.
    """
    present, renumbered = np.unique(targets, return_inverse=True)
    if present.size and (present[0] < 0 or present[-1] >= classes):
        wrong = present[0] if present[0] < 0 else present[-1]
        raise DataError(
            f"the target {wrong} is not a class",
            where="targets",
            expected=f"whole numbers from 0 to {classes - 1}",
            next_step="leave out rows without a label",
        )
    if present.size < 2:
        found = "only one class" if present.size else "no row"
        raise DataError(
            f"the rows to fit have {found}",
            where="targets",
            expected="at least two classes",
            next_step="check the label column and the split",
        )
    return present.astype(np.int64), renumbered.astype(np.int64)


def class_probabilities(scores_NP: np.ndarray, present: np.ndarray, classes: int) -> np.ndarray:
    """Turn scores into probabilities of all classes; a class that was absent when fitting has probability 0.

    Shapes: scores (n, present) float64, or (n, 1) where two are present -> (n, classes) float64
    """
    if scores_NP.shape[1] == 1:
        # The usual 1 / (1 + exp(-score)), in a form that neither overflows nor rounds a small probability to 0.
        found_NP = np.exp(-np.logaddexp(0, np.concatenate([scores_NP, -scores_NP], axis=1)))
    else:
        found_NP = np.exp(scores_NP - scores_NP.max(axis=1, keepdims=True))
        found_NP /= found_NP.sum(axis=1, keepdims=True)
    return spread(found_NP, present, classes)


def spread(found_NP: np.ndarray, present: np.ndarray, classes: int) -> np.ndarray:
    """Put the probabilities of the present classes into their places among all classes.

    Shapes: (n, present) float64 -> (n, classes) float64
    """
    answers_NC = np.zeros((len(found_NP), classes))
    answers_NC[:, present] = found_NP
    return answers_NC


def check_table(columns: Arrays, cardinalities: list[int], numbers: int | None = None) -> None:
    """Check that a table has the columns that the model knows.

    Raises:
        DataError: there are no columns, or another number of them.
    """
    found = columns["numbers"].shape[1], columns["codes"].shape[1]
    if found == (0, 0):
        raise DataError("the table has no columns", where="data", expected="at least one column besides the label")
    expected = found[0] if numbers is None else numbers, len(cardinalities)
    if found != expected:
        raise DataError(
            f"the table has {found[0]} columns of numbers and {found[1]} of categories",
            where="data",
            expected=f"{expected[0]} and {expected[1]}, as when the model was fitted",
        )


def known_codes(codes: np.ndarray, cardinalities: list[int]) -> np.ndarray:
    """Return the codes, with 0 (unknown) for those that no category has.

    Shapes: (n, m) int -> (n, m) int64
    """
    codes = codes.astype(np.int64)
    limits = np.asarray(cardinalities, dtype=np.int64).reshape(1, -1)
    return np.where((codes >= 0) & (codes < limits), codes, 0)
