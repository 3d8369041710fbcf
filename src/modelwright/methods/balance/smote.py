"""SMOTE: rare classes get new examples, made between those that they have. Needs imbalanced-learn.

N examples, K numbers, M codes.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelwright.core.errors import MissingExtra

Array = NDArray[Any]


def synthesise(
    numbers_NK: Array, codes_NM: Array, targets_N: Array, counts: dict[int, int], neighbours: int, seed: int
) -> tuple[Array, Array, Array]:
    """Return the examples with as many made ones after them as the classes lack of their `counts`.

    A made example lies between one of its class and one of that one's nearest neighbours in the class; where there are
    codes (categories), each takes the value that is most frequent among the neighbours.

    Shapes: numbers (examples, k) float, codes (examples, m) int, targets (examples,) int -> the same three, longer
    Raises:
        MissingExtra: imbalanced-learn is not installed.
    Source: Chawla et al. 2002, section 4.2; section 6.1 for numbers with categories (SMOTE-NC), section 6.2 for
        categories alone (SMOTE-N).
    """
    numbers, codes = numbers_NK.shape[1], codes_NM.shape[1]
    table = np.concatenate([numbers_NK.astype(np.float64), codes_NM.astype(np.float64)], axis=1)
    sampler = _sampler(numbers, codes, counts, neighbours, seed)
    with warnings.catch_warnings():
        # It warns of its own use of an older interface of scikit-learn; nothing here depends on it.
        warnings.simplefilter("ignore", FutureWarning)
        made, targets = sampler.fit_resample(table, targets_N)
    made = np.asarray(made, dtype=np.float64)
    return (
        made[:, :numbers].astype(numbers_NK.dtype),
        made[:, numbers:].round().astype(codes_NM.dtype),
        np.asarray(targets, dtype=targets_N.dtype),
    )


def _sampler(numbers: int, codes: int, counts: dict[int, int], neighbours: int, seed: int) -> Any:
    try:
        from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC
    except ImportError:
        raise MissingExtra(
            "SMOTE needs the package imbalanced-learn, which is not installed",
            where="train.resample",
            next_step="pip install 'modelwright[data]'",
        ) from None
    # What imbalanced-learn draws its numbers from takes 32 bits.
    chosen = {"sampling_strategy": counts, "k_neighbors": neighbours, "random_state": seed % 2**32}
    if not codes:
        return SMOTE(**chosen)
    if not numbers:
        return SMOTEN(**chosen)
    return SMOTENC(categorical_features=list(range(numbers, numbers + codes)), **chosen)
