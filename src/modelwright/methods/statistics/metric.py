"""What a metric is: a statistic of weighted examples, shared by its family, and a way to read one number from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .intervals import Method
from .scored import Scored, score
from .weights import check_weights

Floats = NDArray[np.float64]

MetricFunction = Callable[[NDArray[Any], Floats, Floats], Floats]


@dataclass(frozen=True)
class Metric:
    """One metric by name.

    `statistic` turns checked examples and weights into what the family shares, such as class counts; `read` takes the
    metric from it. Metrics with the same statistic are computed together by `summarise_all`. `interval` is "basic"
    where resampling itself raises the metric, so that a percentile interval would lie too high.
    """

    name: str
    statistic: Callable[[Scored, Floats], Any]
    read: Callable[[Any], Floats]
    unit: str
    higher_is_better: bool
    per_class: bool
    source: str
    interval: Method = "percentile"

    def function(
        self, targets: NDArray[np.generic], probabilities: NDArray[np.generic], weights: NDArray[np.generic]
    ) -> Floats:
        """Compute the metric for each row of weights.

        Shapes: targets (examples,) integer, probabilities (examples, classes) float, weights (resamples,
            examples) float -> (resamples,) float, or (resamples, classes) where the metric is per class
        Raises:
            DataError: see `score` and `check_weights`.
        Source: the metric's own, in `source`.
        """
        scored = score(targets, probabilities)
        return self.read(self.statistic(scored, check_weights(weights, scored.examples)))
