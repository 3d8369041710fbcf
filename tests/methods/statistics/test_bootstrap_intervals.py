"""Resampling: what the weights are, that intervals cover, that chunks and sharing change nothing, and memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from modelwright.core.errors import DataError
from modelwright.methods.statistics import bootstrap
from modelwright.methods.statistics.bootstrap import paired_difference, summarise, summarise_all, summarise_per_class
from modelwright.methods.statistics.catalogue import METRICS
from modelwright.methods.statistics.counts import accuracy
from modelwright.methods.statistics.metric import Metric
from modelwright.methods.statistics.scored import score
from modelwright.methods.statistics.weights import bootstrap_weights, unit_weights


def make(n, classes, seed, lift=1.0):
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, classes, n)
    logits = generator.normal(size=(n, classes))
    logits[np.arange(n), targets] += lift
    exponentials = np.exp(logits)
    return targets, exponentials / exponentials.sum(axis=1, keepdims=True)


def test_weights_are_counts_of_n_draws():
    weights = bootstrap_weights(np.random.default_rng(0), 50, 4000)
    assert weights.shape == (4000, 50)
    assert (weights.sum(axis=1) == 50).all()
    # Each count is binomial(50, 1/50): variance 0.98, standard error of the mean of one column 0.0157.
    assert np.abs(weights.mean(axis=0) - 1).max() < 0.07
    assert abs(weights.var() - 0.98) < 0.02
    assert abs(np.corrcoef(weights[:, 0], weights[:, 1])[0, 1] + 1 / 49) < 0.06


def test_drawing_in_parts_gives_the_same_rows():
    whole = bootstrap_weights(np.random.default_rng(1), 7, 10)
    generator = np.random.default_rng(1)
    parts = [bootstrap_weights(generator, 7, count) for count in (3, 1, 6)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_groups_are_drawn_whole():
    groups = np.array(["b", "a", "b", "c", "a", "b"])
    weights = bootstrap_weights(np.random.default_rng(2), 6, 200, groups=groups)
    for name in "abc":
        members = weights[:, groups == name]
        assert (members == members[:, :1]).all()
    first_of_each = weights[:, [0, 1, 3]]
    assert (first_of_each.sum(axis=1) == 3).all()
    with pytest.raises(DataError, match="groups of shape"):
        bootstrap_weights(np.random.default_rng(2), 5, 3, groups=groups)


def test_summarise_all_equals_summarise_one_by_one(monkeypatch):
    targets, probabilities = make(120, 3, seed=3)
    together = summarise_all(targets, probabilities, resamples=90, generator=np.random.default_rng(4))
    assert set(together) == set(METRICS)
    # 40 rows a chunk here, so that the same draws come in other portions.
    monkeypatch.setattr(bootstrap, "CHUNK_BYTES", 40 * 8 * (120 + 4 * 3))
    for name, metric in METRICS.items():
        single = summarise_per_class if metric.per_class else summarise
        alone = single(metric, targets, probabilities, resamples=90, generator=np.random.default_rng(4))
        estimates = zip(alone, together[name], strict=True) if metric.per_class else [(alone, together[name])]
        for one, other in estimates:
            assert one.value == pytest.approx(other.value, abs=1e-12)
            assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-12)
            assert one.low <= one.value <= one.high
            assert (one.n, one.resamples, one.confidence) == (120, 90, 0.95)


def test_a_plain_function_is_a_metric_too():
    targets, probabilities = make(80, 3, seed=5)
    arguments = {"resamples": 50, "confidence": 0.9}
    by_name = summarise(METRICS["accuracy"], targets, probabilities, generator=np.random.default_rng(6), **arguments)
    function = METRICS["accuracy"].function
    assert by_name == summarise(function, targets, probabilities, generator=np.random.default_rng(6), **arguments)


def test_statistics_are_computed_once_for_all_their_metrics():
    calls = []

    def statistic(scored, weights):
        calls.append(len(weights))
        return METRICS["accuracy"].statistic(scored, weights)

    own = {name: Metric(name, statistic, accuracy, "fraction", True, False, "test") for name in ("first", "second")}
    targets, probabilities = make(30, 3, seed=7)
    summarise_all(targets, probabilities, metrics=own, resamples=20, generator=np.random.default_rng(8))
    assert calls == [1, 20]


@pytest.mark.parametrize("name", ["accuracy", "f1_macro", "roc_auc", "pr_auc", "log_loss"])
def test_intervals_cover_the_truth(name):
    metric, n, trials = METRICS[name], 300, 200
    targets, probabilities = make(200_000, 3, seed=9)
    truth = metric.function(targets, probabilities, unit_weights(200_000))[0]
    generator = np.random.default_rng(10)
    covered = 0
    for start in range(0, trials * n, n):
        part = slice(start, start + n)
        estimate = summarise(
            metric, targets[part], probabilities[part], resamples=200, confidence=0.9, generator=generator
        )
        covered += estimate.low <= truth <= estimate.high
    # Binomial(200, 0.9) lies within 0.83 .. 0.96 in 99.8 of 100 cases.
    assert 0.83 <= covered / trials <= 0.96


def test_groups_widen_the_interval_of_repeated_examples():
    targets, probabilities = make(60, 3, seed=11)
    targets, probabilities = np.repeat(targets, 10), np.repeat(probabilities, 10, axis=0)
    groups = np.repeat(np.arange(60), 10)
    naive = summarise(METRICS["accuracy"], targets, probabilities, generator=np.random.default_rng(12))
    honest = summarise(METRICS["accuracy"], targets, probabilities, generator=np.random.default_rng(12), groups=groups)
    ratio = (honest.high - honest.low) / (naive.high - naive.low)
    assert ratio == pytest.approx(np.sqrt(10), rel=0.15)


def test_average_precision_and_calibration_hold_their_own_value():
    # With few positives for each class every resample comes out higher than the examples themselves.
    targets, probabilities = make(1000, 40, seed=13, lift=0.5)
    metric = METRICS["pr_auc"]
    resampled = metric.function(targets, probabilities, bootstrap_weights(np.random.default_rng(14), 1000, 200))
    estimate = summarise(metric, targets, probabilities, resamples=200, generator=np.random.default_rng(14))
    assert estimate.method == "basic"
    assert resampled.mean() > estimate.value
    assert estimate.low < estimate.value <= estimate.high
    assert estimate.low < np.quantile(resampled, 0.025)
    assert METRICS["calibration_error"].interval == "basic"


def test_a_paired_difference_is_narrower_than_two_intervals():
    targets, probabilities = make(400, 3, seed=15)
    generator = np.random.default_rng(16)
    noisy = 0.95 * probabilities + 0.05 * generator.dirichlet(np.ones(3), 400)
    found = paired_difference(METRICS["accuracy"], targets, probabilities, noisy, generator=generator)
    single = summarise(METRICS["accuracy"], targets, probabilities, generator=generator)
    difference = np.mean(probabilities.argmax(axis=1) == targets) - np.mean(noisy.argmax(axis=1) == targets)
    assert found.value == pytest.approx(difference, abs=1e-12)
    assert found.high - found.low < 0.6 * (single.high - single.low)
    same = paired_difference(METRICS["roc_auc"], targets, probabilities, probabilities, generator=generator)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_the_sign_of_a_paired_difference_is_a_minus_b():
    targets, good = make(300, 3, seed=17, lift=3.0)
    worse = np.roll(good, 1, axis=1)
    found = paired_difference(METRICS["accuracy"], targets, good, worse, generator=np.random.default_rng(18))
    assert 0 < found.low <= found.value <= found.high
    with pytest.raises(DataError, match="3 classes and 2 classes"):
        paired_difference(
            METRICS["accuracy"], targets % 2, good, np.full((300, 2), 0.5), generator=np.random.default_rng(18)
        )


@pytest.mark.parametrize(("n", "classes", "resamples"), [(20_000, 2, 200), (100, 200, 300)])
def test_memory_stays_below_64_mib(n, classes, resamples):
    targets, probabilities = make(n, classes, seed=19)
    tracemalloc.start()
    try:
        summarise_all(targets, probabilities, resamples=resamples, generator=np.random.default_rng(20))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * 2**20


def test_rankings_that_are_not_kept_give_the_same(monkeypatch):
    targets, probabilities = make(200, 4, seed=21)
    weights = bootstrap_weights(np.random.default_rng(22), 200, 5)
    kept = METRICS["roc_auc"].function(targets, probabilities, weights)
    monkeypatch.setattr("modelwright.methods.statistics.scored.KEPT_RANKING_BYTES", 0)
    np.testing.assert_array_equal(kept, METRICS["roc_auc"].function(targets, probabilities, weights))
    assert "_kept_rankings" not in vars(score(targets, probabilities))


def test_per_class_and_single_metrics_are_not_mixed_up():
    targets, probabilities = make(20, 3, seed=23)
    with pytest.raises(ValueError, match="summarise_per_class"):
        summarise(METRICS["f1_per_class"], targets, probabilities, generator=np.random.default_rng(0), resamples=5)
    with pytest.raises(ValueError, match="use summarise"):
        summarise_per_class(
            METRICS["accuracy"], targets, probabilities, generator=np.random.default_rng(0), resamples=5
        )
    with pytest.raises(ValueError, match="resamples is 0"):
        summarise(METRICS["accuracy"], targets, probabilities, generator=np.random.default_rng(0), resamples=0)
