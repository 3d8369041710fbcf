"""Projections and how far they can be believed."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from modelwright.core.errors import MissingExtra
from modelwright.methods.projection.neighbours import agreeing, trustworthiness
from modelwright.methods.projection.pca import project_pca
from modelwright.methods.projection.tsne import project_tsne
from modelwright.methods.projection.umap import project_umap


def blobs(count: int = 60, apart: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    """Three groups in six dimensions."""
    generator = np.random.default_rng(0)
    classes = np.arange(count) % 3
    return generator.normal(size=(count, 6)) + apart * np.eye(6)[classes], classes


def test_principal_components_are_those_of_the_covariance() -> None:
    features, _ = blobs()
    places, kept = project_pca(features)
    values = np.sort(np.linalg.eigvalsh(np.cov(features.T)))[::-1]
    assert places.var(axis=0, ddof=1) == pytest.approx(values[:2])
    assert kept == pytest.approx(values[:2].sum() / values.sum())
    flat, whole = project_pca(np.arange(5.0)[:, None])
    assert flat.shape == (5, 2)
    assert whole == pytest.approx(1)
    assert project_pca(np.ones((4, 3)))[1] == 1.0


def test_tsne_keeps_neighbours_and_the_seed_decides() -> None:
    features, classes = blobs()
    places = project_tsne(features, 10.0, seed=1)
    assert agreeing(places, classes, 10) == len(classes)
    assert trustworthiness(features, places, 10) > 0.8
    assert (project_tsne(features, 10.0, seed=1) == places).all()
    assert not np.allclose(project_tsne(features, 4.0, seed=1), places)
    assert project_tsne(features[:4], 30.0, seed=1).shape == (4, 2), "fewer examples than neighbours"


def test_a_picture_that_tells_nothing_is_not_trusted() -> None:
    features, classes = blobs()
    anywhere = np.random.default_rng(1).normal(size=(len(features), 2))
    assert trustworthiness(features, features, 10) == 1
    assert trustworthiness(features, anywhere, 10) < 0.75
    assert agreeing(anywhere, classes, 10) < 0.6 * len(classes)
    # Each point stands between two of the other class.
    assert agreeing(np.arange(6.0)[:, None], np.array([0, 1, 0, 1, 0, 1]), 1) == 0


def test_a_missing_umap_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingExtra, match=r"umap-learn.*modelwright\[umap\]"):
        project_umap(blobs()[0], 5, 0.1, seed=1)


@pytest.mark.full
def test_umap_keeps_neighbours() -> None:
    pytest.importorskip("umap")
    features, classes = blobs()
    places = project_umap(features, 8, 0.1, seed=1)
    assert agreeing(places, classes, 10) == len(classes)
    assert (project_umap(features, 8, 0.1, seed=1) == places).all()
    assert not np.allclose(project_umap(features, 4, 0.1, seed=1), places)
    assert not np.allclose(project_umap(features, 8, 0.9, seed=1), places)
