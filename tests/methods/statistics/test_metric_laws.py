"""Laws that hold for every metric whatever the data, and the catalogue as data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwright.methods.statistics.catalogue import METRICS
from modelwright.methods.statistics.weights import bootstrap_weights, unit_weights

NAMES = sorted(METRICS)


def make(n, classes, seed):
    generator = np.random.default_rng(seed)
    # Two decimals: many ties of scores.
    probabilities = np.round(generator.dirichlet(np.ones(classes), n), 2)
    return generator.integers(0, classes, n), probabilities / probabilities.sum(axis=1, keepdims=True)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 40), classes=st.integers(2, 5), seed=st.integers(0, 10**6))
def test_the_order_of_examples_does_not_matter(n, classes, seed):
    targets, probabilities = make(n, classes, seed)
    weights = bootstrap_weights(np.random.default_rng(seed), n, 3)
    order = np.random.default_rng(seed + 1).permutation(n)
    for name, metric in METRICS.items():
        before = metric.function(targets, probabilities, weights)
        after = metric.function(targets[order], probabilities[order], weights[:, order])
        np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-12, err_msg=name)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 40), classes=st.integers(2, 5), seed=st.integers(0, 10**6))
def test_resamples_ignore_their_neighbours_and_the_scale_of_weights(n, classes, seed):
    targets, probabilities = make(n, classes, seed)
    weights = bootstrap_weights(np.random.default_rng(seed), n, 3)
    for name, metric in METRICS.items():
        together = metric.function(targets, probabilities, weights)
        alone = metric.function(targets, probabilities, 8 * weights[1:2])
        np.testing.assert_allclose(alone[0], together[1], rtol=1e-12, atol=1e-12, err_msg=name)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 60), classes=st.integers(2, 5), seed=st.integers(0, 10**6))
def test_fractions_lie_between_zero_and_one(n, classes, seed):
    targets, probabilities = make(n, classes, seed)
    for name, metric in METRICS.items():
        if metric.unit == "fraction":
            values = metric.function(targets, probabilities, unit_weights(n))
            assert ((values >= -1e-12) & (values <= 1 + 1e-12) | np.isnan(values)).all(), name


@pytest.mark.parametrize("name", NAMES)
def test_a_perfect_model_is_better_than_a_wrong_one(name):
    metric, targets = METRICS[name], np.tile([0, 1, 2], 10)
    right = np.eye(3)[targets]
    wrong = np.eye(3)[(targets + 1) % 3]
    best = metric.function(targets, right, unit_weights(30))
    worst = metric.function(targets, wrong, unit_weights(30))
    assert ((best > worst) if metric.higher_is_better else (best < worst)).all()
    ideal = 1.0 if metric.higher_is_better else 0.0
    np.testing.assert_allclose(best, ideal, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_catalogue_says_what_a_metric_is(name):
    metric = METRICS[name]
    targets, probabilities = make(30, 4, seed=1)
    values = metric.function(targets, probabilities, unit_weights(30))
    assert values.shape == ((1, 4) if metric.per_class else (1,))
    assert metric.name == name
    assert metric.source
    assert metric.unit
