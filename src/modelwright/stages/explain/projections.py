"""Pictures of a layer's features, and how far each can be believed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import registry
from ...core.evidence import Evidence
from ...methods.projection.neighbours import agreeing, trustworthiness
from ...methods.projection.pca import project_pca
from ...methods.projection.settings import Pca, Tsne, Umap
from ...methods.projection.tsne import project_tsne
from ...methods.projection.umap import project_umap
from ...methods.statistics.intervals import wilson_interval

NEIGHBOURS = 10

Projected = tuple[np.ndarray, dict[str, Any]]


def run_pca(settings: Pca, features: np.ndarray, seed: int) -> Projected:
    """Project onto principal components; say what share of the variance they hold."""
    places, kept = project_pca(features)
    return places, {"variance": kept}


def run_tsne(settings: Tsne, features: np.ndarray, seed: int) -> Projected:
    """Project by t-SNE."""
    return project_tsne(features, settings.perplexity, seed), {"perplexity": settings.perplexity}


def run_umap(settings: Umap, features: np.ndarray, seed: int) -> Projected:
    """Project by UMAP.

    Raises:
        MissingExtra: umap-learn is not installed.
    """
    return project_umap(features, settings.neighbours, settings.distance, seed), {"neighbours": settings.neighbours}


def project(
    settings: Any,
    features: np.ndarray,
    layer: str,
    classes: np.ndarray,
    seed: int,
    confidence: float,
    about: dict[str, str],
) -> tuple[list[Evidence], dict[str, Any]]:
    """Make one picture; return what is claimed of it, and what the report draws.

    Shapes: features (n, d) float, classes (n,) int
    """
    places, facts = registry.function_of("projection", settings.kind)(settings, features, seed)
    name, count = settings.kind, len(features)
    right, in_layer = (agreeing(points, classes, NEIGHBOURS) for points in (places, features))
    low, high = wilson_interval(right, count, confidence)
    trust = trustworthiness(features, places, NEIGHBOURS)
    claims = [
        Evidence(
            f"projection_trustworthiness[{name}]",
            trust,
            unit="fraction",
            n=count,
            about=about,
            method=f"how few of the {NEIGHBOURS} nearest neighbours in the picture are strangers among the features of {layer}",
            source="Venna and Kaski 2001, section 3",
        ),
        Evidence(
            f"projection_agreement[{name}]",
            right / count,
            unit="fraction",
            low=low,
            high=high,
            confidence=confidence,
            n=count,
            about=about,
            method=f"share of validation examples whose class is that of most of their {NEIGHBOURS} nearest neighbours in the "
            f"picture; {in_layer / count:.4f} among the features of {layer}; Wilson",
            source="Cover and Hart 1967",
        ),
    ]
    shown = {
        "kind": name,
        "layer": layer,
        "places": np.round(places, 4).tolist(),
        "classes": classes.tolist(),
        "trustworthiness": trust,
        "agreement": {"value": right / count, "low": low, "high": high, "in_layer": in_layer / count},
        **facts,
    }
    return claims, shown
