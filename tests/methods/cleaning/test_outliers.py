"""Bounds against their definitions, on both sides, with missing values; the forest against rows planted far away."""

from __future__ import annotations

import numpy as np
import pytest

from modelwright.methods.cleaning.outliers import iqr_bounds, isolation_scores, outside, robust_bounds, z_score_bounds

NAN = float("nan")


def test_z_score_is_two_sided_and_leaves_missing_values_alone() -> None:
    values = np.array([1.0, 2.0, 3.0, NAN])
    low, high = z_score_bounds(values, 1.0)
    assert (low, high) == pytest.approx((2 - (2 / 3) ** 0.5, 2 + (2 / 3) ** 0.5))
    assert outside(np.array([1.0, 2.0, 3.0, NAN, low, high]), (low, high)).tolist() == [
        True,
        False,
        True,
        False,
        False,
        False,
    ]


def test_robust_bounds_are_not_moved_by_what_they_find() -> None:
    values = np.array([9.0, 10.0, 10.0, 11.0, 12.0, 1e9])
    low, high = robust_bounds(values, 3.0)
    # The median is 10.5 and the median absolute deviation 1.
    assert (low, high) == pytest.approx((10.5 - 3 / 0.6744897501960817, 10.5 + 3 / 0.6744897501960817))
    assert z_score_bounds(values, 3.0)[1] > 1e8, "the plain bounds are"
    assert robust_bounds(np.array([5.0] * 9 + [6.0]), 3.0)[0] < 5 < robust_bounds(np.array([5.0] * 9 + [6.0]), 3.0)[1]


def test_iqr_is_tukeys() -> None:
    values = np.arange(1.0, 10.0)
    assert iqr_bounds(values, 1.5) == (3 - 1.5 * 4, 7 + 1.5 * 4)


@pytest.mark.parametrize("bounds", [z_score_bounds, robust_bounds, iqr_bounds])
def test_a_column_of_nothing_bounds_nothing(bounds: object) -> None:
    assert bounds(np.array([NAN, NAN]), 3.0) == (-np.inf, np.inf)  # type: ignore[operator]


def test_rows_planted_far_away_are_isolated_first() -> None:
    generator = np.random.default_rng(3)
    train = generator.normal(size=(300, 3))
    far = np.array([[6.0, -6.0, 6.0], [NAN, 9.0, -9.0]])
    of_train, of_far = isolation_scores(train, far, 100, seed=1)
    assert of_far.min() > np.quantile(of_train, 0.97)
    assert np.array_equal(isolation_scores(train, far, 100, seed=1)[1], of_far)
