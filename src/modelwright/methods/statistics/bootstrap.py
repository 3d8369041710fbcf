"""A metric with its interval: resampled in chunks of bounded memory, many metrics sharing one set of resamples.

The value is always the plain estimate on the examples as they are, never the mean of the resamples.

N examples, C classes, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelwright.core.errors import DataError

from .catalogue import METRICS
from .intervals import Estimate, Method, basic_interval, percentile_interval
from .metric import Metric, MetricFunction
from .scored import Scored, score
from .weights import bootstrap_weights, unit_weights

Floats = NDArray[np.float64]
Array = NDArray[np.generic]

# Of one chunk of weights. The metrics keep about eight arrays of this size at a time, and beyond a few MiB the
# processor's cache no longer holds them, which halves the speed.
CHUNK_BYTES = 2 * 2**20


def summarise(
    metric: Metric | MetricFunction,
    targets: Array,
    probabilities: Array,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    generator: np.random.Generator,
    groups: Array | None = None,
) -> Estimate:
    """Return one metric with its bootstrap interval: percentile, or basic where the Metric says so.

    Beyond its input it holds less than 64 MiB, unless one resample alone needs more. A metric that does not exist in
    some resamples has its interval from the others; `Estimate.resamples` says how many those are.

    Shapes: targets (examples,) integer, probabilities (examples, classes) float, groups (examples,) any -> Estimate
    Raises:
        DataError: see `score` and `bootstrap_weights`.
    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), algorithm 6.1 and section 13.3.
    """
    scored = score(targets, probabilities)
    compute = _on(metric, scored)
    value_R, values_R = _resample(compute, scored, resamples, generator, groups)
    if values_R.ndim != 1:
        raise ValueError("a metric with one value for each class has many intervals: use summarise_per_class")
    return _estimate(value_R[0], values_R, scored.examples, confidence, _known(metric))


def summarise_per_class(
    metric: Metric | MetricFunction,
    targets: Array,
    probabilities: Array,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    generator: np.random.Generator,
    groups: Array | None = None,
) -> tuple[Estimate, ...]:
    """Return a per-class metric with one bootstrap interval for each class.

    Each interval holds for its class alone, not for all classes at once.

    Shapes: targets (examples,) integer, probabilities (examples, classes) float, groups (examples,) any
        -> one Estimate for each class
    Raises:
        DataError: see `score` and `bootstrap_weights`.
    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), algorithm 6.1 and section 13.3.
    """
    scored = score(targets, probabilities)
    value_RC, values_RC = _resample(_on(metric, scored), scored, resamples, generator, groups)
    if values_RC.ndim != 2:
        raise ValueError("a metric with one value has one interval: use summarise")
    return _estimates_per_class(value_RC, values_RC, scored.examples, confidence, _known(metric))


def summarise_all(
    targets: Array,
    probabilities: Array,
    *,
    metrics: Mapping[str, Metric] = METRICS,
    resamples: int = 1000,
    confidence: float = 0.95,
    generator: np.random.Generator,
    groups: Array | None = None,
) -> dict[str, Estimate | tuple[Estimate, ...]]:
    """Return every metric with its interval; per-class metrics give a tuple, one Estimate for each class.

    All metrics see the same resamples, and what several need, such as class counts, is computed once. The result of a
    metric is that of `summarise` with a generator in the same state.

    Shapes: targets (examples,) integer, probabilities (examples, classes) float, groups (examples,) any
        -> name to Estimate
    Raises:
        DataError: see `score` and `bootstrap_weights`.
    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), algorithm 6.1 and section 13.3.
    """
    scored = score(targets, probabilities)
    plain = _read_all(metrics, scored, unit_weights(scored.examples))
    chunks: dict[str, list[Floats]] = {name: [] for name in metrics}
    for weights_RN in _weight_chunks(generator, scored, resamples, groups):
        for name, values in _read_all(metrics, scored, weights_RN).items():
            chunks[name].append(values)
    results: dict[str, Estimate | tuple[Estimate, ...]] = {}
    for name, metric in metrics.items():
        values = np.concatenate(chunks.pop(name))
        if metric.per_class:
            results[name] = _estimates_per_class(plain[name], values, scored.examples, confidence, metric)
        else:
            results[name] = _estimate(plain[name][0], values, scored.examples, confidence, metric)
    return results


def paired_difference(
    metric: Metric | MetricFunction,
    targets: Array,
    probabilities_a: Array,
    probabilities_b: Array,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    generator: np.random.Generator,
    groups: Array | None = None,
) -> Estimate:
    """Return how much higher a metric is for model a than for model b on the same examples, with its interval.

    Both models see the same resamples, so what is hard for both cancels and the interval is narrower than that of two
    independent ones. The interval is percentile for every metric: a bias of resampling is in both and mostly cancels.

    Shapes: targets (examples,) integer, probabilities_a and probabilities_b (examples, classes) float -> Estimate
    Raises:
        DataError: see `score` and `bootstrap_weights`; or another number of classes in a than in b.
    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), chapter 16; P. Koehn, Statistical
        Significance Tests for Machine Translation Evaluation, EMNLP 2004, section 4 (paired resampling).
    """
    scored_a, scored_b = score(targets, probabilities_a), score(targets, probabilities_b)
    if scored_a.classes != scored_b.classes:
        raise DataError(
            f"{scored_a.classes} classes and {scored_b.classes} classes",
            where="paired difference",
            expected="two models of the same classes",
            next_step="compare models trained on the same list of classes",
        )
    compute_a, compute_b = _on(metric, scored_a), _on(metric, scored_b)

    def difference(weights_RN: Floats) -> Floats:
        return compute_a(weights_RN) - compute_b(weights_RN)

    value_R, values_R = _resample(difference, scored_a, resamples, generator, groups)
    if values_R.ndim != 1:
        raise ValueError("a paired difference needs a metric with one value")
    return _estimate(value_R[0], values_R, scored_a.examples, confidence, None)


def _known(metric: Metric | MetricFunction) -> Metric | None:
    return metric if isinstance(metric, Metric) else None


def _on(metric: Metric | MetricFunction, scored: Scored) -> Callable[[Floats], Floats]:
    if isinstance(metric, Metric):
        return lambda weights_RN: metric.read(metric.statistic(scored, weights_RN))
    return lambda weights_RN: metric(scored.targets, scored.probabilities, weights_RN)


def _read_all(metrics: Mapping[str, Metric], scored: Scored, weights_RN: Floats) -> dict[str, Floats]:
    statistics: dict[Any, Any] = {}
    values = {}
    for name, metric in metrics.items():
        if metric.statistic not in statistics:
            statistics[metric.statistic] = metric.statistic(scored, weights_RN)
        values[name] = metric.read(statistics[metric.statistic])
    return values


def _resample(
    compute: Callable[[Floats], Floats],
    scored: Scored,
    resamples: int,
    generator: np.random.Generator,
    groups: Array | None,
) -> tuple[Floats, Floats]:
    plain = compute(unit_weights(scored.examples))
    return plain, np.concatenate(
        [compute(weights_RN) for weights_RN in _weight_chunks(generator, scored, resamples, groups)]
    )


def _weight_chunks(
    generator: np.random.Generator, scored: Scored, resamples: int, groups: Array | None
) -> Iterator[Floats]:
    rows = max(1, CHUNK_BYTES // (8 * (scored.examples + 4 * scored.classes)))
    if groups is not None and np.shape(groups) == (scored.examples,):
        groups = np.unique(groups, return_inverse=True)[1]
    for start in range(0, max(resamples, 1), rows):
        yield bootstrap_weights(generator, scored.examples, min(rows, resamples - start), groups=groups)


def _estimate(value: float, values_R: Floats, n: int, confidence: float, metric: Metric | None) -> Estimate:
    method: Method = "percentile" if metric is None else metric.interval
    existing = values_R[~np.isnan(values_R)]
    if np.isnan(value):
        return Estimate(None, None, None, n, 0, confidence, method)
    if len(existing) == 0:
        return Estimate(float(value), None, None, n, 0, confidence, method)
    if metric is not None and method == "basic":
        lowest, highest = (0.0, 1.0) if metric.unit == "fraction" else (-np.inf, np.inf)
        low, high = basic_interval(float(value), existing, confidence, lowest, highest)
    else:
        low, high = percentile_interval(existing, confidence)
    return Estimate(float(value), low, high, n, len(existing), confidence, method)


def _estimates_per_class(
    value_RC: Floats, values_RC: Floats, n: int, confidence: float, metric: Metric | None
) -> tuple[Estimate, ...]:
    return tuple(
        _estimate(value, values_RC[:, index], n, confidence, metric) for index, value in enumerate(value_RC[0])
    )
