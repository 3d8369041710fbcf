"""Intervals against scipy and simulation, curves against scikit-learn, the reliability curve against its metric."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as oracle

from modelwright.core.errors import DataError
from modelwright.methods.statistics.calibration import reliability_curve
from modelwright.methods.statistics.catalogue import METRICS
from modelwright.methods.statistics.curves import precision_recall_points, roc_curve_points
from modelwright.methods.statistics.intervals import basic_interval, percentile_interval, t_interval, wilson_interval
from modelwright.methods.statistics.weights import unit_weights


def make(n, classes, seed):
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, classes, n)
    logits = generator.normal(size=(n, classes))
    logits[np.arange(n), targets] += 1
    return targets, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_percentile_interval_cuts_equal_tails():
    assert percentile_interval(np.arange(101.0), 0.9) == pytest.approx((5, 95))
    with pytest.raises(DataError, match="1 values that are not finite"):
        percentile_interval(np.array([0.5, np.nan]), 0.9)
    with pytest.raises(DataError):
        percentile_interval(np.array([]), 0.9)
    with pytest.raises(ValueError, match="confidence is 95"):
        percentile_interval(np.ones(3), 95)


def test_basic_interval_is_reflected_cut_and_holds_the_value():
    values = np.arange(101.0) / 100
    assert basic_interval(0.4, values, 0.9) == pytest.approx((-0.15, 0.75))
    assert basic_interval(0.4, values, 0.9, 0, 1) == pytest.approx((0, 0.75))
    assert basic_interval(-0.5, values, 0.9) == pytest.approx((-1.95, -0.5))


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (10, 10), (3, 10), (997, 1000)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_wilson_interval_is_scipys(successes, n, confidence):
    expected = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    assert wilson_interval(successes, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_interval_refuses_counts_that_cannot_be(successes, n):
    with pytest.raises(DataError):
        wilson_interval(successes, n, 0.95)


def test_t_interval_is_scipys_and_widens_for_folds():
    values = [0.81, 0.84, 0.79, 0.86, 0.83]
    expected = stats.t.interval(0.9, 4, loc=np.mean(values), scale=stats.sem(values))
    low, high = t_interval(values, 0.9)
    assert (low, high) == pytest.approx(expected, abs=1e-12)
    wide_low, wide_high = t_interval(values, 0.9, test_over_train=1 / 4)
    assert (wide_high - wide_low) / (high - low) == pytest.approx(math.sqrt((1 / 5 + 1 / 4) / (1 / 5)))
    with pytest.raises(DataError, match="two or more"):
        t_interval([0.5], 0.9)


@pytest.mark.parametrize("decimals", [1, 2, 12])
def test_curve_points_lie_on_scikit_learns_curves(decimals):
    targets, probabilities = make(2000, 3, seed=1)
    scores = np.round(probabilities[:, 2], decimals)
    probabilities = np.column_stack([(1 - scores) / 2, (1 - scores) / 2, scores])
    roc = roc_curve_points(targets, probabilities, of_class=2)
    false_rates, true_rates, thresholds = oracle.roc_curve(targets == 2, scores, drop_intermediate=False)
    full = {t: (x, y) for x, y, t in zip(false_rates, true_rates, thresholds, strict=True)}
    for x, y, t in list(zip(roc.false_positive_rates, roc.true_positive_rates, roc.thresholds, strict=True))[1:]:
        assert full[t] == pytest.approx((x, y), abs=1e-12)
    precisions, recalls, thresholds = oracle.precision_recall_curve(targets == 2, scores)
    full = {t: (x, y) for x, y, t in zip(recalls, precisions, thresholds, strict=False)}
    curve = precision_recall_points(targets, probabilities, of_class=2)
    for x, y, t in zip(curve.recalls, curve.precisions, curve.thresholds, strict=True):
        assert full[t] == pytest.approx((x, y), abs=1e-12)


def test_thinned_curves_keep_their_ends_their_limit_and_nearly_their_area():
    targets, probabilities = make(20_000, 2, seed=2)
    roc = roc_curve_points(targets, probabilities)
    assert 150 < len(roc.thresholds) <= 200
    assert (roc.false_positive_rates[0], roc.true_positive_rates[0]) == (0, 0)
    assert (roc.false_positive_rates[-1], roc.true_positive_rates[-1]) == (1, 1)
    assert np.isfinite(roc.thresholds).all()
    steps = np.diff(roc.false_positive_rates).max(), np.diff(roc.true_positive_rates).max()
    assert max(steps) <= 2 / 199 + 1e-3
    area = METRICS["roc_auc"].function(targets, probabilities, unit_weights(20_000))[0]
    assert np.trapezoid(roc.true_positive_rates, roc.false_positive_rates) == pytest.approx(area, abs=2e-4)
    curve = precision_recall_points(targets, probabilities, points=50)
    assert 40 < len(curve.recalls) <= 50
    assert curve.recalls[-1] == 1
    assert (np.diff(curve.recalls) > 0).all()


def test_curves_of_a_missing_class_are_refused():
    targets, probabilities = np.zeros(5, int), np.full((5, 2), 0.5)
    for function in (roc_curve_points, precision_recall_points):
        with pytest.raises(DataError, match="0 examples of class 1"):
            function(targets, probabilities)
    with pytest.raises(DataError, match="0 of the rest"):
        roc_curve_points(targets, probabilities, of_class=0)
    assert precision_recall_points(targets, probabilities, of_class=0).precisions == (1.0,)
    with pytest.raises(ValueError, match="of_class is 2"):
        roc_curve_points(targets, probabilities, of_class=2)


def test_the_reliability_curve_adds_up_to_the_calibration_error():
    targets, probabilities = make(1000, 4, seed=3)
    curve = reliability_curve(targets, probabilities)
    assert sum(part.count for part in curve) == 1000
    error = sum(part.count / 1000 * abs(part.accuracy - part.confidence) for part in curve)
    found = METRICS["calibration_error"].function(targets, probabilities, unit_weights(1000))[0]
    assert error == pytest.approx(found, abs=1e-12)
    for part in curve:
        assert part.low < part.confidence <= part.high
        assert part.accuracy_low <= part.accuracy <= part.accuracy_high
        assert part.high - part.low == pytest.approx(1 / 15)


def test_bins_are_closed_above():
    probabilities = np.array([[0.6, 0.4], [0.8, 0.2], [1.0, 0.0]])
    curve = reliability_curve(np.array([0, 1, 0]), probabilities, bins=5)
    assert [(round(part.low, 12), part.count) for part in curve] == [(0.4, 1), (0.6, 1), (0.8, 1)]
    assert [part.accuracy for part in curve] == [1, 0, 1]
