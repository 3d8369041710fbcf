"""Rates by group, and how far the groups lie apart: the numbers of another library, on tables that nobody chose."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from modelwright.core.errors import DataError
from modelwright.methods.fairness.outcomes import DISPARITIES, RATES, count_outcomes, disparities_of, rates_of

NEAR = 1e-9
# Making its tables takes fairlearn a fifth of a second each.
TABLES = [15, pytest.param(100, marks=pytest.mark.full)]
Table = tuple[np.ndarray, np.ndarray, np.ndarray]


def table(seed: int) -> Table:
    """Return groups, truth and answers of random rows; some groups are tiny, so that some rates do not exist."""
    generator = np.random.default_rng(seed)
    size = int(generator.integers(2, 7))
    rows = int(generator.integers(20, 400))
    groups = generator.choice(size, size=rows, p=generator.dirichlet(np.ones(size)))
    truly = generator.random(rows) < generator.uniform(0.1, 0.9, size)[groups]
    answered = np.where(generator.random(rows) < 0.7, truly, generator.random(rows) < generator.random(size)[groups])
    return groups, truly, answered.astype(bool)


def ours(groups: np.ndarray, truly: np.ndarray, answered: np.ndarray) -> dict[str, np.ndarray]:
    counts = count_outcomes(groups, truly, answered, truly == answered, int(groups.max()) + 1)
    return rates_of(counts)


def complete(seed: int) -> Table:
    """Return a random table in which every group is there and has both outcomes: fairlearn calls a missing rate 0."""
    groups, truly, answered = table(seed)
    kept = np.isin(groups, [group for group in np.unique(groups) if len(set(truly[groups == group].tolist())) == 2])
    return np.unique(groups[kept], return_inverse=True)[1], truly[kept], answered[kept]


@pytest.mark.parametrize("tables", TABLES)
def test_differences_and_ratios_are_those_of_fairlearn(tables: int) -> None:
    from fairlearn import metrics

    theirs = {
        "demographic_parity_difference": metrics.demographic_parity_difference,
        "demographic_parity_ratio": metrics.demographic_parity_ratio,
        "equalised_odds_difference": metrics.equalized_odds_difference,
        "equalised_odds_ratio": metrics.equalized_odds_ratio,
        "equal_opportunity_difference": metrics.equal_opportunity_difference,
    }
    compared = 0
    for seed in range(tables):
        groups, truly, answered = complete(seed)
        if groups.max(initial=0) == 0:
            continue
        found = disparities_of(ours(groups, truly, answered))
        for name, metric in theirs.items():
            with warnings.catch_warnings():
                # A ratio of two rates that are both 0.
                warnings.simplefilter("ignore")
                expected = metric(truly, answered, sensitive_features=groups)
            if np.isfinite(expected):
                assert abs(float(found[name]) - expected) <= NEAR, (seed, name)
                compared += 1
            else:
                assert np.isnan(found[name]), (seed, name)
    assert compared >= 4 * tables, "the tables are too poor to show anything"


@pytest.mark.parametrize("tables", TABLES)
def test_rates_are_those_of_fairlearn(tables: int) -> None:
    from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
    from sklearn.metrics import accuracy_score, precision_score

    compared = 0
    for seed in range(tables):
        groups, truly, answered = table(seed)
        found = ours(groups, truly, answered)
        metrics = {
            "selection_rate": selection_rate,
            "tpr": true_positive_rate,
            "fpr": false_positive_rate,
            "ppv": lambda true, said: precision_score(true, said, zero_division=np.nan),
            "accuracy": accuracy_score,
        }
        assert set(metrics) == set(RATES)
        frame = MetricFrame(metrics=metrics, y_true=truly, y_pred=answered, sensitive_features=groups)
        for group, row in frame.by_group.iterrows():
            for name in metrics:
                value = found[name][group]
                # Where a rate does not exist, fairlearn says 0 and we say so.
                if not np.isnan(value):
                    assert abs(value - float(row[name])) <= NEAR, (seed, group, name)
                    compared += 1
    assert compared > 10 * tables


def test_a_rate_that_does_not_exist_is_no_number_and_not_compared() -> None:
    groups = np.array([0, 0, 1, 1, 2, 2])
    truly = np.array([True, False, False, False, True, False])
    answered = np.array([True, False, True, False, True, True])
    rates = ours(groups, truly, answered)
    assert np.isnan(rates["tpr"][1])
    assert rates["tpr"][[0, 2]].tolist() == [1.0, 1.0]
    found = disparities_of(rates)
    assert set(found) == set(DISPARITIES)
    # Group 1 has no row that is truly favourable: the others are compared without it.
    assert found["equal_opportunity_difference"] == 0.0
    assert found["equalised_odds_difference"] == 1.0
    alone = disparities_of(ours(np.zeros(4, int), np.array([True, False] * 2), np.array([True] * 4)))
    assert all(np.isnan(value) for value in alone.values())


def test_right_means_the_class_and_not_only_its_side() -> None:
    """Of three classes two are favourable: a row may be called favourable rightly, and still be wrong."""
    counts = count_outcomes(
        np.array([0, 0]), np.array([True, True]), np.array([True, True]), np.array([True, False]), size=1
    )
    rates = rates_of(counts)
    assert (rates["tpr"][0], rates["accuracy"][0]) == (1.0, 0.5)


def test_rows_that_do_not_fit_are_refused() -> None:
    yes = np.array([True])
    with pytest.raises(DataError, match=r"lengths \[1, 2\]"):
        count_outcomes(np.array([0, 0]), yes, yes, yes, 1)
    none = np.zeros(0, bool)
    with pytest.raises(DataError, match=r"lengths \[0\]"):
        count_outcomes(np.zeros(0, int), none, none, none, 1)
