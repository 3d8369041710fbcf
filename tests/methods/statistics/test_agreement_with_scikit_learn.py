"""Every metric against scikit-learn: plain, with integer weights, and on the repeated rows; and against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from modelwright.methods.statistics.catalogue import METRICS
from modelwright.methods.statistics.counts import confusion_matrix
from modelwright.methods.statistics.weights import bootstrap_weights, unit_weights

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def make(n, classes, seed, *, ties=False):
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, classes, n)
    logits = generator.normal(size=(n, classes))
    logits[np.arange(n), targets] += 1
    # Coarse logits give many rows with the same probabilities, and ties for the highest one.
    return targets, softmax(np.round(logits) if ties else logits)


def by_scikit_learn(targets, probabilities, weights):
    classes = probabilities.shape[1]
    predictions = probabilities.argmax(axis=1)
    weighted = {"sample_weight": weights}
    scores = probabilities[:, 1] if classes == 2 else probabilities
    values = {
        "accuracy": oracle.accuracy_score(targets, predictions, **weighted),
        "balanced_accuracy": oracle.balanced_accuracy_score(targets, predictions, **weighted),
        "roc_auc": oracle.roc_auc_score(targets, scores, multi_class="ovr")
        if weights is None
        else one_against_rest_auc(targets, probabilities, weights),
        "pr_auc": oracle.average_precision_score(targets, scores, **weighted),
        "recall_at_90_precision": recall_at_90_precision(targets, probabilities, weights),
        "log_loss": oracle.log_loss(targets, probabilities, labels=range(classes), **weighted),
        "brier": oracle.brier_score_loss(targets, probabilities, labels=range(classes), **weighted),
    }
    for name in ("precision", "recall", "f1"):
        function = getattr(oracle, f"{name}_score")
        for average in ("macro", "micro", "weighted", None):
            value = function(targets, predictions, average=average, zero_division=0, **weighted)
            values[f"{name}_{average or 'per_class'}"] = value
    return values


def one_against_rest_auc(targets, probabilities, weights):
    classes = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = [oracle.roc_auc_score(targets == c, probabilities[:, c], sample_weight=weights) for c in classes]
    return np.mean(areas)


def recall_at_90_precision(targets, probabilities, weights):
    found = []
    for c in [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1]):
        precision, recall, _ = oracle.precision_recall_curve(targets == c, probabilities[:, c], sample_weight=weights)
        found.append(recall[precision >= 0.9].max())
    return np.mean(found)


def naive_calibration_error(targets, probabilities, weights, bins=15):
    total = 0.0
    confidences, hits = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    for index in range(bins):
        inside = (confidences > index / bins) & (confidences <= (index + 1) / bins)
        weight = weights[inside].sum()
        if weight > 0:
            accuracy = (weights * hits)[inside].sum() / weight
            confidence = (weights * confidences)[inside].sum() / weight
            total += weight / weights.sum() * abs(accuracy - confidence)
    return total


CASES = [(400, 2, False), (400, 2, True), (500, 5, False), (500, 5, True)]


@pytest.mark.parametrize(("n", "classes", "ties"), CASES)
def test_plain_estimates_are_scikit_learns(n, classes, ties):
    targets, probabilities = make(n, classes, seed=1, ties=ties)
    expected = by_scikit_learn(targets, probabilities, None)
    assert set(expected) | {"calibration_error"} == set(METRICS)
    for name, value in expected.items():
        found = METRICS[name].function(targets, probabilities, unit_weights(n))
        np.testing.assert_allclose(found[0], value, err_msg=name, **CLOSE)


@pytest.mark.parametrize(("n", "classes", "ties"), CASES)
def test_resamples_are_scikit_learns_with_sample_weights(n, classes, ties):
    targets, probabilities = make(n, classes, seed=2, ties=ties)
    weights = bootstrap_weights(np.random.default_rng(3), n, 4)
    found = {name: metric.function(targets, probabilities, weights) for name, metric in METRICS.items()}
    for index, row in enumerate(weights):
        for name, value in by_scikit_learn(targets, probabilities, row).items():
            np.testing.assert_allclose(found[name][index], value, err_msg=name, **CLOSE)


def test_fractional_weights_are_scikit_learns():
    targets, probabilities = make(300, 3, seed=4, ties=True)
    weights = np.random.default_rng(5).random((2, 300))
    for name, value in by_scikit_learn(targets, probabilities, weights[1]).items():
        found = METRICS[name].function(targets, probabilities, weights)[1]
        np.testing.assert_allclose(found, value, err_msg=name, **CLOSE)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 30), classes=st.integers(3, 6), seed=st.integers(0, 10**6), levels=st.sampled_from([1, 2, 5, 1000])
)
def test_weights_equal_repeated_rows_even_where_classes_are_absent(n, classes, seed, levels):
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, classes, n)
    probabilities = softmax(generator.integers(0, levels, (n, classes)) / levels)
    row = bootstrap_weights(generator, n, 1)
    rows = np.repeat(np.arange(n), row[0].astype(int))
    seen, predicted = targets[rows], probabilities[rows].argmax(axis=1)
    for name in ("precision", "recall", "f1"):
        for average in ("macro", "micro", "weighted"):
            expected = getattr(oracle, f"{name}_score")(seen, predicted, average=average, zero_division=0)
            found = METRICS[f"{name}_{average}"].function(targets, probabilities, row)[0]
            assert math.isclose(found, expected, abs_tol=1e-12), (name, average)
    for name, metric in METRICS.items():
        repeated = metric.function(seen, probabilities[rows], unit_weights(len(rows)))
        weighted = metric.function(targets, probabilities, row)
        np.testing.assert_allclose(weighted, repeated, err_msg=name, **CLOSE)


@pytest.mark.parametrize("ties", [False, True])
def test_calibration_error_is_that_of_a_plain_loop(ties):
    targets, probabilities = make(400, 4, seed=6, ties=ties)
    weights = bootstrap_weights(np.random.default_rng(7), 400, 3)
    found = METRICS["calibration_error"].function(targets, probabilities, weights)
    expected = [naive_calibration_error(targets, probabilities, row) for row in weights]
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_confusion_matrix_has_the_targets_in_rows():
    targets, probabilities = make(300, 4, seed=8)
    weights = bootstrap_weights(np.random.default_rng(9), 300, 2)
    found = confusion_matrix(targets, probabilities, weights)
    for matrix, row in zip(found, weights, strict=True):
        expected = oracle.confusion_matrix(targets, probabilities.argmax(axis=1), sample_weight=row)
        np.testing.assert_array_equal(matrix, expected)


def test_log_loss_of_a_certain_error_is_finite_and_scikit_learns():
    targets, probabilities = np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]])
    found = METRICS["log_loss"].function(targets, probabilities, unit_weights(2))[0]
    assert math.isclose(found, oracle.log_loss(targets, probabilities), rel_tol=1e-12)
    assert 17 < found < 19
