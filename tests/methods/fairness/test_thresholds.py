"""Thresholds by group: as good as trying every pair of them, and within what was allowed."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from modelwright.core.errors import DataError
from modelwright.methods.fairness.thresholds import Constraint, Thresholds, choose_thresholds

CONSTRAINTS: tuple[Constraint, ...] = ("demographic_parity", "equal_opportunity", "equalised_odds")


def people(seed: int, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, truth and groups; the second group is scored lower than it deserves."""
    generator = np.random.default_rng(seed)
    groups = generator.integers(0, 2, rows)
    truly = generator.random(rows) < np.where(groups == 1, 0.4, 0.6)
    scores = 1 / (1 + np.exp(-(2.0 * truly - 1 - 0.8 * groups + generator.normal(size=rows)))).round(2)
    return scores, truly, groups


def judged(
    chosen: tuple[float, float], constraint: Constraint, scores: np.ndarray, truly: np.ndarray, groups: np.ndarray
) -> tuple[float, float]:
    """Return gap and accuracy, counted from the rows."""
    answered = scores >= np.asarray(chosen)[groups]

    def share(rows: np.ndarray) -> float:
        one, other = (answered[rows & (groups == group)].mean() for group in range(2))
        return abs(float(one - other))

    gaps = {
        "demographic_parity": [share(np.ones(len(truly), bool))],
        "equal_opportunity": [share(truly)],
        "equalised_odds": [share(truly), share(~truly)],
    }
    return max(gaps[constraint]), float((answered == truly).mean())


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("tolerance", [0.0, 0.05, 0.3])
def test_no_pair_within_the_tolerance_is_more_accurate(constraint: Constraint, tolerance: float) -> None:
    for seed in range(4):
        scores, truly, groups = people(seed, 60)
        found = choose_thresholds(scores, truly, groups, 2, constraint, tolerance)
        gap, accuracy = judged(found.of_group, constraint, scores, truly, groups)
        assert (gap, accuracy) == (pytest.approx(found.gap), pytest.approx(found.accuracy))
        candidates = [[*np.unique(scores[groups == group]).tolist(), 2.0] for group in range(2)]
        tried = [judged(pair, constraint, scores, truly, groups) for pair in product(*candidates)]
        within = [right for apart, right in tried if apart <= tolerance]
        if within:
            assert gap <= tolerance + 1e-12
            # Boxes lie on a grid of three places in each direction: one row of sixty may be missed.
            assert accuracy >= max(within) - (0.0 if constraint != "equalised_odds" else 1 / 60) - 1e-12
        else:
            assert gap <= min(apart for apart, _ in tried) + 1e-12


def test_a_larger_tolerance_costs_less_accuracy() -> None:
    scores, truly, groups = people(9, 3000)
    for constraint in CONSTRAINTS:
        found = [
            choose_thresholds(scores, truly, groups, 2, constraint, tolerance) for tolerance in (0.01, 0.1, 0.5, 1.0)
        ]
        assert [item.accuracy for item in found] == sorted(item.accuracy for item in found)
        assert found[0].gap <= 0.01 < found[-1].gap
    # Where everything is allowed, each group has the threshold that is best for it alone.
    best = found[-1]
    for group in range(2):
        mine = groups == group
        tried = [float(((scores[mine] >= cut) == truly[mine]).mean()) for cut in np.unique(scores[mine])]
        assert ((scores[mine] >= best.of_group[group]) == truly[mine]).mean() >= max(tried)


def test_more_scores_than_candidates() -> None:
    generator = np.random.default_rng(2)
    groups, scores = generator.integers(0, 3, 5000), generator.random(5000)
    truly = generator.random(5000) < scores ** (1 + groups)
    found = choose_thresholds(scores, truly, groups, 3, "demographic_parity", 0.02)
    assert isinstance(found, Thresholds)
    assert found.gap <= 0.02
    rates = [(scores[groups == group] >= found.of_group[group]).mean() for group in range(3)]
    assert max(rates) - min(rates) == pytest.approx(found.gap)


def test_a_group_without_one_of_the_outcomes_cannot_be_made_equal_in_them() -> None:
    scores, truly, groups = np.array([0.1, 0.9, 0.4]), np.array([True, False, False]), np.array([0, 0, 1])
    for constraint in ("equal_opportunity", "equalised_odds"):
        with pytest.raises(DataError, match="group 1 has 0 favourable and 1 other rows"):
            choose_thresholds(scores, truly, groups, 2, constraint, 0.1)
    assert choose_thresholds(scores, truly, groups, 2, "demographic_parity", 1.0).accuracy >= 2 / 3
    with pytest.raises(DataError, match="no groups"):
        choose_thresholds(scores, truly, groups, 0, "demographic_parity", 0.1)
