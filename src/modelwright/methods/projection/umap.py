"""UMAP of features, by umap-learn."""

from __future__ import annotations

import warnings

import numpy as np

from modelwright.core.errors import MissingExtra


def project_umap(features: np.ndarray, neighbours: int, distance: float, seed: int) -> np.ndarray:
    """Return places whose neighbours are those of the features.

    Shapes: features (n, d) float -> (n, 2) float

    Raises:
        MissingExtra: umap-learn is not installed.
    Source: McInnes, Healy and Melville 2018, UMAP: uniform manifold approximation and projection.
    """
    try:
        with warnings.catch_warnings():
            # It speaks of a library for another kind of UMAP that it did not find.
            warnings.simplefilter("ignore")
            from umap import UMAP
    except ImportError:
        raise MissingExtra(
            "the projection umap needs the package umap-learn",
            where="explain.projections",
            expected="umap-learn",
            next_step="pip install 'modelwright[umap]', or project by pca or tsne",
        ) from None
    model = UMAP(n_neighbors=min(neighbours, len(features) - 1), min_dist=distance, random_state=seed % 2**32, n_jobs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model.fit_transform(np.asarray(features, dtype=np.float32))
    return np.asarray(found, dtype=np.float64)
