"""What a column is said to hold, and how far two go together or apart, against cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from modelwright.methods.profiling import columns, relations


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.0, None, 3.0], "number"),
        (["2026-01-02", "2026-03-04", None], "date"),
        (["2026", "2027"], "category"),
        (["a", "b"] * 40, "category"),
        ([f"a long text, number {row}" for row in range(40)], "text"),
        ([None, "", float("nan")], "empty"),
    ],
)
def test_the_kind_of_a_column(values: list[object], kind: str) -> None:
    assert columns.kind_of(values) == kind


def test_five_numbers_and_a_histogram_that_loses_no_row() -> None:
    values = np.array([np.nan, *np.arange(1.0, 102.0), 1e9])
    found = columns.summarise(values)
    assert (found["least"], found["median"], found["most"]) == (1.0, 51.5, 1e9)
    edges = columns.edges_of(values)
    assert edges[-1] < 1e9
    assert sum(columns.count_in(values, edges)) == 102
    assert columns.count_in(values, edges)[-1] > 1
    assert columns.count_in(np.full(5, 3.0), columns.edges_of(np.full(5, 3.0))) == [5]


def test_drift_is_that_of_scipy_and_grows_with_a_shift() -> None:
    generator = np.random.default_rng(1)
    one, other = generator.normal(size=800), generator.normal(0.3, 1, size=400)
    theirs = stats.ks_2samp(one, other, method="asymp")
    distance, chance = relations.drift_of_numbers(one, other)
    assert distance == pytest.approx(theirs.statistic)
    assert chance == pytest.approx(theirs.pvalue, rel=0.2)
    assert chance < 0.001 < relations.drift_of_numbers(one[:400], one[400:])[1]
    assert relations.drift_of_numbers(np.array([np.nan]), one) == (0.0, 1.0)


def test_drift_of_values_is_the_share_that_would_have_to_change() -> None:
    distance, chance = relations.drift_of_values(["a"] * 80 + ["b"] * 20, ["a"] * 50 + ["b"] * 50)
    assert distance == pytest.approx(0.3)
    assert chance == pytest.approx(stats.chi2_contingency([[80, 20], [50, 50]], correction=False).pvalue)
    assert relations.drift_of_values(["a"], ["a", "a"]) == (0.0, 1.0)


def test_what_goes_together_is_that_of_scipy() -> None:
    generator = np.random.default_rng(2)
    one = generator.integers(0, 6, 300).astype(float)
    other = one**3 + generator.normal(size=300)
    assert relations.rank_correlation(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)
    assert relations.rank_correlation(one, np.ones(300)) == 0.0
    assert relations.correlation_ratio(one, one.astype(str)) == pytest.approx(1.0)
    assert relations.correlation_ratio(one, generator.permutation(one).astype(str)) < 0.3
    assert relations.cramers_v(one, one) == pytest.approx(1.0, abs=0.02)
    assert relations.cramers_v(one, generator.integers(0, 3, 300)) < 0.2
