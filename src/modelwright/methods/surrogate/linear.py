"""Logistic regression that imitates a model, by scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Fitted:
    """A fitted regression over standardised features, and the classes that it knows."""

    model: Any
    mean: np.ndarray
    deviation: np.ndarray

    def decide(self, features: np.ndarray) -> np.ndarray:
        """Return the class that the regression gives to each row."""
        return np.asarray(self.model.predict((features - self.mean) / self.deviation))

    def weights(self) -> dict[int, np.ndarray]:
        """Return the weight of each standardised feature for each class."""
        classes, found = self.model.classes_.tolist(), self.model.coef_
        if len(classes) == 2:
            return {classes[0]: -found[0], classes[1]: found[0]}
        return dict(zip(classes, found, strict=True))


def fit_linear(features: np.ndarray, decisions: np.ndarray, strength: float) -> Fitted:
    """Fit logistic regression to the decisions of a model, on features brought to mean 0 and deviation 1.

    Shapes: features (n, d) float, decisions (n,) int

    Source: Ribeiro, Singh and Guestrin 2016, "Why should I trust you?", section 3, for the whole instead of one example.
    """
    from sklearn.linear_model import LogisticRegression

    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    # It need not come to the end: its fidelity is measured as it is.
    model = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
    return Fitted(_quietly(model, (features - mean) / deviation, decisions), mean, deviation)


def _quietly(model: Any, features: np.ndarray, decisions: np.ndarray) -> Any:
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(features, decisions)
