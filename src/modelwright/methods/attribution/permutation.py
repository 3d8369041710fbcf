"""Permutation importance: what a column of a table is worth to the whole model, by scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def permutation_importance(
    score: Callable[[np.ndarray], float], rows: int, columns: int, repeats: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return how far a score falls when one column is dealt out anew: the mean over repeats, and its deviation.

    `score` is given from which row each cell is to be taken, so that a column may be several numbers that belong together.

    Shapes: score: (rows, columns) int -> float; -> (columns,) float, (columns,) float

    Source: Breiman 2001, Random forests, section 10; Fisher, Rudin and Dominici 2019, All models are wrong, but many are
        useful, section 3.
    """
    from sklearn.inspection import permutation_importance as measure

    found = measure(
        _Scored(),
        np.repeat(np.arange(rows)[:, None], columns, axis=1),
        np.zeros(rows),
        scoring=lambda _model, cells, _targets: score(cells),
        n_repeats=repeats,
        random_state=seed % 2**32,
    )
    return np.asarray(found.importances_mean), np.asarray(found.importances_std)


class _Scored:
    """State: none; scikit-learn asks for something that could be fitted."""

    def fit(self, cells: Any, targets: Any) -> _Scored:
        return self
