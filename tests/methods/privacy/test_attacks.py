"""What an attack proves: the bound by canaries, and the rate at which members are found."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelwright.core.errors import DataError
from modelwright.methods.privacy.auditing import Guesses, epsilon_lower_bound, guess_by_rank, improbability
from modelwright.methods.privacy.membership import attack, log_odds, stand_out


def test_the_bound_of_a_perfect_audit_is_the_published_one() -> None:
    """Of r right guesses out of r, without delta, the bound is where q^r = 0.05."""
    for count, expected in ((100, 3.49), (1000, 5.81)):
        share = 0.05 ** (1 / count)
        exact = math.log(share / (1 - share))
        assert epsilon_lower_bound(Guesses(count, count, count), 0.0, 0.95) == pytest.approx(exact, abs=1e-6)
        assert exact == pytest.approx(expected, abs=0.01)


def test_half_right_proves_nothing_and_more_right_proves_more() -> None:
    assert epsilon_lower_bound(Guesses(1000, 100, 50), 1e-5, 0.95) == 0.0
    bounds = [epsilon_lower_bound(Guesses(1000, 100, right), 1e-5, 0.95) for right in (60, 70, 80, 90, 100)]
    assert bounds == sorted(bounds)
    assert bounds[-1] > 3
    assert epsilon_lower_bound(Guesses(1000, 100, 90), 1e-5, 0.99) < bounds[3]
    assert epsilon_lower_bound(Guesses(1000, 100, 90), 1e-3, 0.95) < bounds[3]
    assert improbability(Guesses(10, 10, 0), 1.0, 1e-5) == 1.0


def test_the_bound_holds_at_randomised_response() -> None:
    """Each canary answered truly with probability e / (1 + e), which is exactly 1-private: the bound exceeds 1 in 5 % at most."""
    generator = np.random.default_rng(5)
    share = math.e / (1 + math.e)
    over = sum(
        epsilon_lower_bound(Guesses(500, 500, int(generator.binomial(500, share))), 0.0, 0.95) > 1.0 for _ in range(400)
    )
    assert over <= 0.05 * 400 + 6 * math.sqrt(400 * 0.05 * 0.95)
    assert over > 0, "a bound that is never exceeded is not tight"


def test_guessing_takes_the_ends_and_leaves_the_middle() -> None:
    scores = np.array([0.1, 0.9, 0.5, -1.0, 2.0, 0.4])
    included = np.array([False, True, False, False, True, True])
    assert guess_by_rank(scores, included, 4) == Guesses(6, 4, 4)
    assert guess_by_rank(-scores, included, 4) == Guesses(6, 4, 0)
    assert guess_by_rank(scores, included, 7) == Guesses(6, 6, 4)


def test_members_are_counted_above_the_threshold_of_the_others() -> None:
    others = np.arange(1000.0)
    found = attack(np.array([998.5, 999.5, 5.0, 998.0]), others, 0.001)
    # One other may be taken for a member: 999; what must be exceeded is 998.
    assert (found.allowed, found.right, found.rate, found.members, found.others) == (1, 2, 0.5, 4, 1000)
    none = attack(np.array([98.5, 99.5]), np.arange(100.0), 0.001)
    assert (none.allowed, none.right) == (0, 1)
    assert attack(others, others, 0.1).area == pytest.approx(0.5)
    assert attack(others + 2000, others, 0.1).area == 1.0


def test_scores_that_are_all_alike_find_nobody() -> None:
    found = attack(np.zeros(50), np.zeros(50), 0.1)
    assert (found.rate, found.area) == (0.0, 0.5)


def test_an_example_that_every_shadow_saw_is_left_out() -> None:
    target = np.array([2.0, 2.0, 2.0])
    shadows = np.array([[0.0, 1.0, 5.0], [1.0, 3.0, 1.0]])
    absent = np.array([[True, False, True], [True, False, False]])
    scores = stand_out(target, shadows, absent)
    assert np.isnan(scores[1])
    # Compared with those that did not see it: the mean of 0 and 1, and 5 alone.
    assert np.sign(scores[[0, 2]]).tolist() == [1.0, -1.0]
    assert attack(scores, np.array([0.0, np.nan]), 0.5).others == 1
    with pytest.raises(DataError, match="0 others can be scored"):
        attack(scores, np.array([np.nan]), 0.5)


def test_log_odds_are_finite_and_their_own_opposite() -> None:
    odds = log_odds(np.array([0.0, 0.2, 0.5, 0.8, 1.0]))
    assert np.isfinite(odds).all()
    np.testing.assert_allclose(odds, -odds[::-1], atol=1e-3)
