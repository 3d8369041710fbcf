"""Principal components of features, by scikit-learn."""

from __future__ import annotations

import numpy as np


def project_pca(features: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the places along the first two principal components, and the share of the variance that they hold.

    Shapes: features (n, d) float -> (n, 2) float, fraction

    Source: Pearson 1901, On lines and planes of closest fit to systems of points in space.
    """
    from sklearn.decomposition import PCA

    total = float(np.var(features, axis=0, ddof=1).sum())
    if total == 0:
        return np.zeros((len(features), 2)), 1.0
    # The full decomposition: no generator, and signs by the library's rule.
    model = PCA(n_components=min(2, *features.shape), svd_solver="full")
    found = model.fit_transform(np.asarray(features, dtype=np.float64))
    kept = float(model.explained_variance_.sum()) / total
    return np.pad(found, ((0, 0), (0, 2 - found.shape[1]))), kept
