"""Recall at 90 % precision: against scikit-learn's curve, at its edges, and how well its interval covers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve

from modelwright.methods.statistics.bootstrap import summarise
from modelwright.methods.statistics.catalogue import METRICS
from modelwright.methods.statistics.weights import bootstrap_weights, unit_weights

METRIC = METRICS["recall_at_90_precision"]


def make(n: int, seed: int, digits: int = 3) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    targets = (generator.random(n) < 0.15).astype(np.int64)
    scores = np.round(1 / (1 + np.exp(-generator.normal(loc=3.0 * targets - 1.5))), digits)
    return targets, np.stack([1 - scores, scores], axis=1)


def by_scikit_learn(targets: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> float:
    precision, recall, _ = precision_recall_curve(targets, scores, sample_weight=weights)
    return float(recall[precision >= 0.9].max())


@pytest.mark.parametrize("digits", [1, 3])
def test_it_is_read_from_scikit_learns_curve(digits: int) -> None:
    targets, probabilities = make(400, 7, digits)
    (found,) = METRIC.function(targets, probabilities, unit_weights(400))
    expected = by_scikit_learn(targets, probabilities[:, 1])
    assert found == pytest.approx(expected)
    weights = bootstrap_weights(np.random.default_rng(1), 400, 20)
    resampled = METRIC.function(targets, probabilities, weights)
    assert resampled == pytest.approx([by_scikit_learn(targets, probabilities[:, 1], row) for row in weights])
    assert len(set(resampled.tolist())) > 5


def test_edges() -> None:
    targets = np.array([0, 0, 0, 1])
    right, wrong = np.array([0.1, 0.2, 0.3, 0.9]), np.array([0.9, 0.2, 0.3, 0.5])
    for scores, expected in ((right, 1.0), (wrong, 0.0)):
        (found,) = METRIC.function(targets, np.stack([1 - scores, scores], axis=1), unit_weights(4))
        assert found == expected
    # Nine of ten above the threshold are positive: exactly 90 %, which is enough.
    targets = np.array([1] * 9 + [0] + [0] * 10)
    (found,) = METRIC.function(targets, np.array([[0.2, 0.8]] * 10 + [[0.9, 0.1]] * 10), unit_weights(20))
    assert found == 1.0
    (found,) = METRIC.function(np.zeros(3, dtype=np.int64), np.array([[0.5, 0.5]] * 3), unit_weights(3))
    assert np.isnan(found)


def test_its_interval_holds_the_value() -> None:
    targets, probabilities = make(600, 3)
    found = summarise(METRIC, targets, probabilities, resamples=300, generator=np.random.default_rng(0))
    assert found.low <= found.value <= found.high
    assert 0 < found.high - found.low < 0.8
