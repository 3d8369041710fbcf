"""t-SNE of features, by scikit-learn."""

from __future__ import annotations

import numpy as np


def project_tsne(features: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """Return places whose neighbours are those of the features; begun at the principal components.

    Shapes: features (n, d) float -> (n, 2) float

    Source: van der Maaten and Hinton 2008, Visualizing data using t-SNE; van der Maaten 2014, Accelerating t-SNE.
    """
    from sklearn.manifold import TSNE

    # The library asks for fewer neighbours than there are others; a third of them is what its author advises.
    most = max(1.0, (len(features) - 1) / 3)
    model = TSNE(
        n_components=2,
        perplexity=min(perplexity, most),
        init="pca",
        random_state=seed % 2**32,
        method=_method(features),
    )
    return np.asarray(model.fit_transform(np.asarray(features, dtype=np.float64)), dtype=np.float64)


def _method(features: np.ndarray) -> str:
    """Return the exact way for few examples, where the tree saves nothing."""
    return "exact" if len(features) < 100 else "barnes_hut"
