"""The intervals of rates and of differences: simulated tables, of which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from modelwright.methods.fairness.outcomes import count_outcomes, disparities_of, rates_of
from modelwright.methods.fairness.uncertainty import estimate_disparities, estimate_rates, resample_counts

SIMULATIONS, RESAMPLES, ROWS = 500, 400, 2000


def shares(positive: tuple[float, float], tpr: tuple[float, float], fpr: tuple[float, float]) -> np.ndarray:
    """Return the probability of each cell of two equally large groups."""
    found = np.zeros((2, 8))
    for group in range(2):
        true, hit, alarm = positive[group], tpr[group], fpr[group]
        # Truly, answered, right: of two classes, right is where the two agree.
        found[group, 7], found[group, 4] = true * hit, true * (1 - hit)
        found[group, 2], found[group, 1] = (1 - true) * alarm, (1 - true) * (1 - alarm)
    return found / 2


UNEQUAL = shares((0.5, 0.3), (0.8, 0.6), (0.2, 0.1))


def coverage(probabilities: np.ndarray, simulations: int, seed: int) -> dict[str, float]:
    """Return how often the interval of each number holds its true value."""
    truth = rates_of(probabilities)
    apart = disparities_of(truth)
    generator = np.random.default_rng(seed)
    held: dict[str, int] = {}
    for _ in range(simulations):
        counts = generator.multinomial(ROWS, probabilities.ravel()).reshape(probabilities.shape)
        drawn = resample_counts(counts, RESAMPLES, generator)
        for name, groups in estimate_rates(counts, drawn, 0.95).items():
            for group, item in enumerate(groups):
                key = f"{name}[{group}]"
                held[key] = held.get(key, 0) + (item.low <= truth[name][group] <= item.high)
        for name, item in estimate_disparities(counts, drawn, 0.95).items():
            held[name] = held.get(name, 0) + (item.low <= apart[name] <= item.high)
    return {name: count / simulations for name, count in held.items()}


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """Measured over 500 simulated audits; with 95 % claimed, 93 to 97 % are asked for."""
    found = coverage(UNEQUAL, SIMULATIONS, 11)
    print({name: round(share, 3) for name, share in found.items()})
    for name, share in found.items():
        # The larger of two differences has an interval that holds for both, and so holds more often.
        most = 1.0 if name.startswith("equalised_odds") else 0.97
        assert 0.93 <= share <= most, (name, share)


def test_equal_groups_are_not_called_unequal() -> None:
    """A largest difference is never negative; its interval must reach 0 all the same where the groups are equal."""
    found = coverage(shares((0.4, 0.4), (0.7, 0.7), (0.2, 0.2)), 200, 12)
    for name in ("demographic_parity_difference", "equalised_odds_difference", "demographic_parity_ratio"):
        assert found[name] >= 0.925, name


def test_an_interval_holds_its_value_and_says_how_many_rows_it_rests_on() -> None:
    generator = np.random.default_rng(3)
    counts = np.array([[10, 5, 3, 0, 2, 0, 4, 6], [0, 0, 0, 0, 0, 0, 0, 9]])
    drawn = resample_counts(counts, 300, generator)
    rates = estimate_rates(counts, drawn, 0.95)
    for values in rates.values():
        for item in values:
            if item.value is not None:
                assert 0 <= item.low <= item.value <= item.high <= 1
    # All nine rows of the second group are truly favourable and called so: not wrong once, and not certain.
    assert (rates["tpr"][1].value, rates["tpr"][1].n) == (1.0, 9)
    assert rates["tpr"][1].low < 0.75
    assert rates["fpr"][1].value is None
    assert [item.n for item in rates["ppv"]] == [13, 9]


def test_a_rate_of_nothing_is_no_certainty() -> None:
    """Nobody of five was called favourable: every resample says the same, and five are five."""
    counts = np.array([[0, 60, 20, 0, 40, 0, 0, 60], [0, 30, 10, 0, 5, 0, 0, 0]])
    drawn = resample_counts(counts, 300, np.random.default_rng(5))
    found = estimate_disparities(counts, drawn, 0.95)
    ratio, gap = found["equalised_odds_ratio"], found["equal_opportunity_difference"]
    assert (ratio.value, ratio.low) == (0.0, 0.0)
    assert ratio.high > 0.5
    assert gap.value == pytest.approx(0.6)
    assert gap.low < 0.3
    assert 0.6 < gap.high <= 1.0


def test_the_resamples_are_those_of_the_rows() -> None:
    """Counting resampled rows and drawing counts are one: the same spread, to a few per cent."""
    generator = np.random.default_rng(4)
    groups, truly = generator.integers(0, 2, 400), generator.random(400) < 0.4
    answered = np.where(generator.random(400) < 0.8, truly, ~truly)
    right = truly == answered
    counts = count_outcomes(groups, truly, answered, right, 2)
    by_counts = disparities_of(rates_of(resample_counts(counts, 4000, generator)))["equalised_odds_difference"]
    by_rows = []
    for _ in range(4000):
        rows = generator.integers(0, 400, 400)
        again = count_outcomes(groups[rows], truly[rows], answered[rows], right[rows], 2)
        by_rows.append(float(disparities_of(rates_of(again))["equalised_odds_difference"]))
    assert by_counts.std() == pytest.approx(np.std(by_rows), rel=0.08)
    assert by_counts.mean() == pytest.approx(np.mean(by_rows), rel=0.05)
