"""A ratio of sums with its interval: plain value, coverage, and groups that are drawn together."""

from __future__ import annotations

import numpy as np
import pytest

from modelwright.core.errors import DataError
from modelwright.methods.statistics.ratio import bootstrap_ratio


def test_the_value_is_the_ratio_of_the_sums() -> None:
    found = bootstrap_ratio(np.array([1.0, 3.0]), np.array([2, 6]), np.arange(2), generator=np.random.default_rng(0))
    assert found.value == 0.5
    assert (found.low, found.high) == (0.5, 0.5)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    dice, covered = np.random.default_rng(1), 0
    for _ in range(200):
        sizes = dice.integers(1, 50, size=80)
        nats = sizes * dice.gamma(2, 1, size=80)
        found = bootstrap_ratio(nats, sizes, np.arange(80), resamples=300, generator=dice)
        covered += found.low <= 2 <= found.high
    assert 178 <= covered <= 199


def test_examples_of_a_group_are_drawn_together() -> None:
    dice = np.random.default_rng(2)
    group = np.repeat(np.arange(20), 30)
    values = dice.normal(5, 1, size=20)[group]
    alone = bootstrap_ratio(values, np.ones(600), np.arange(600), generator=dice)
    together = bootstrap_ratio(values, np.ones(600), group, generator=dice)
    assert together.high - together.low > 3 * (alone.high - alone.low)


def test_nothing_to_divide_by() -> None:
    with pytest.raises(DataError, match="nothing to divide by"):
        bootstrap_ratio(np.ones(2), np.zeros(2), np.arange(2), generator=np.random.default_rng(0))
