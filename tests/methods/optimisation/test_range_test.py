"""The range test finds the rate at which a loss falls fastest, and says when none does."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelwright.methods.optimisation.range_test import diverged, growing_rate, smooth, suggest_rate

RATES = [growing_rate(step, 100, 1e-6, 10.0) for step in range(100)]


def test_rates_grow_evenly_on_a_logarithmic_scale() -> None:
    assert RATES[0] == pytest.approx(1e-6)
    assert RATES[-1] == pytest.approx(10.0)
    np.testing.assert_allclose(np.diff(np.log(RATES)), np.log(1e7) / 99)


def test_smoothing_has_no_bias_at_the_start() -> None:
    np.testing.assert_allclose(smooth([3.0] * 20), 3.0)


def test_the_suggested_rate_lies_on_the_steep_side() -> None:
    """A loss that falls around 1e-3 and explodes above 1."""
    rng = np.random.default_rng(0)
    losses = [2.3 - 1.8 / (1 + (1e-3 / rate) ** 2) + max(0.0, rate - 0.3) ** 2 + rng.normal(0, 0.02) for rate in RATES]
    found = suggest_rate(RATES, losses)
    assert found is not None
    # The average lags behind by some steps, and each step is 18 per cent.
    assert 5e-4 < found < 2e-2


@pytest.mark.parametrize("losses", [[2.3] * 100, [2.3 + 0.01 * step for step in range(100)], [math.nan] * 100])
def test_a_loss_that_never_falls_suggests_nothing(losses: list[float]) -> None:
    assert suggest_rate(RATES, losses) is None


def test_divergence_is_four_times_the_best_or_not_finite() -> None:
    assert not diverged([1.0, 0.9, 1.2])
    assert diverged([1.0, math.inf])
    assert diverged([1.0] * 5 + [100.0])
