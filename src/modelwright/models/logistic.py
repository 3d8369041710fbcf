"""Logistic regression over a table: solved by scikit-learn, stored as two arrays, answered by numpy.

Dimensions: N rows, F features, P classes present (1 row of coefficients where two are).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import RecipeError
from .at_once import SEEDS, Arrays, AtOnce, check_table, class_probabilities, known_codes, present_classes
from .at_once_settings import Logistic, Tfidf

if TYPE_CHECKING:
    from scipy.sparse import csr_array


# Largest component of the gradient of the mean loss. Newton's steps get there at a few per cent more time than to the
# library's 1e-4, where L-BFGS would leave probabilities wrong in the second decimal.
TOLERANCE = 1e-7


def build(settings: Logistic, learnt: dict[str, Any]) -> AtOnce:
    """Return how the regression is solved and how it answers, for the columns that preparation learnt."""
    classes, cardinalities = len(learnt["classes"]), learnt["cardinalities"]
    return AtOnce(
        fit=lambda columns, targets, seed: fit(columns, targets, seed, settings, classes, cardinalities),
        predict=lambda arrays, columns: predict(arrays, columns, classes, cardinalities),
    )


def fit(
    columns: Arrays, targets: np.ndarray, seed: int, settings: Logistic, classes: int, cardinalities: list[int]
) -> Arrays:
    """Solve the regression over numbers, flags of missing numbers and one-hot codes (0, the unknown one, among them).

    Shapes: numbers (n, k) float32, missing (n, k) bool, codes (n, m) int32, targets (n,) int64 -> arrays

    Raises:
        DataError: there is no column, or fewer than two classes.
        RecipeError: the solver did not converge.
    """
    check_table(columns, cardinalities)
    present, renumbered = present_classes(targets, classes)
    coefficients, intercept = solve(_features(columns, cardinalities), renumbered, settings, seed)
    return {
        "coefficients": coefficients,
        "intercept": intercept,
        "present": present,
        "numbers": np.array([columns["numbers"].shape[1]]),
    }


def predict(arrays: Arrays, columns: Arrays, classes: int, cardinalities: list[int]) -> np.ndarray:
    """Return the probability of each class.

    Shapes: numbers (n, k) float32, missing (n, k) bool, codes (n, m) int32 -> (n, classes) float64

    Raises:
        DataError: the table has other columns than the fitted one.
    """
    check_table(columns, cardinalities, int(arrays["numbers"][0]))
    scores_NP = _features(columns, cardinalities) @ arrays["coefficients"].T + arrays["intercept"]
    return class_probabilities(scores_NP, arrays["present"], classes)


def solve(
    features_NF: csr_array, targets: np.ndarray, settings: Logistic | Tfidf, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients and intercepts that minimise the penalised cross entropy: multinomial above two classes.

    Shapes: features (n, f), targets (n,) int64 from 0 without a gap -> (present or 1, f), (present or 1,) float64

    Raises:
        RecipeError: the solver did not converge.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # A half-way answer depends on where the solver happened to stop: never take one silently.
        warnings.simplefilter("error", ConvergenceWarning)
        warnings.filterwarnings("error", "Line Search failed")
        # SciPy says these of a first attempt, after which a second is made.
        warnings.filterwarnings(
            "ignore", "The line search algorithm did not converge|Rounding errors prevent the line search"
        )
        try:
            model = LogisticRegression(
                C=settings.C,
                class_weight="balanced" if settings.balanced else None,
                max_iter=settings.iterations,
                solver="newton-cg",
                tol=TOLERANCE,
                random_state=seed % SEEDS,
            ).fit(features_NF, targets)
        except UserWarning:
            raise RecipeError(
                f"logistic regression did not converge within {settings.iterations} steps",
                where="model",
                expected="enough steps, and columns without extreme values",
                next_step="raise model.iterations, lower model.C, or scale tables by quantiles (task.scale)",
            ) from None
    return np.ascontiguousarray(model.coef_, dtype=np.float64), np.ascontiguousarray(model.intercept_, dtype=np.float64)


def _features(columns: Arrays, cardinalities: list[int]) -> csr_array:
    """Return numbers, flags of missing numbers, and one-hot codes, as one sparse matrix."""
    from scipy.sparse import csr_array, hstack

    codes = known_codes(columns["codes"], cardinalities)
    first = np.cumsum([0, *cardinalities], dtype=np.int64)
    one_hot = csr_array(
        (np.ones(codes.size), (codes + first[:-1]).ravel(), np.arange(len(codes) + 1) * codes.shape[1]),
        shape=(len(codes), int(first[-1])),
    )
    return hstack(
        [csr_array(columns["numbers"].astype(np.float64)), csr_array(columns["missing"].astype(np.float64)), one_hot],
        format="csr",
    )
