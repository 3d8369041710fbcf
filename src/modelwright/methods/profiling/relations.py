"""How far two parts of the data differ in a column, and how far two columns go together; each between 0 and 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def drift_of_numbers(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float]:
    """Return the largest distance between two cumulative distributions, and how likely as much is by chance.

    Shapes: one (rows,) float64, other (rows,) float64
    Source: Hodges 1958, The significance probability of the Smirnov two-sample test, section 2.
    """
    # Not scipy.stats: importing it takes a second, and every stage `prepare` of every recipe comes through here.
    from scipy.special import kolmogorov

    one, other = np.sort(one[np.isfinite(one)]), np.sort(other[np.isfinite(other)])
    if not len(one) or not len(other):
        return 0.0, 1.0
    every = np.concatenate([one, other])
    below = [np.searchsorted(values, every, side="right") / len(values) for values in (one, other)]
    distance = float(np.abs(below[0] - below[1]).max())
    return distance, float(kolmogorov(distance * np.sqrt(len(one) * len(other) / (len(one) + len(other)))))


def drift_of_values(one: Sequence[Any], other: Sequence[Any]) -> tuple[float, float]:
    """Return the share of rows that would have to change their value, and how likely as much is by chance.

    Source: Levin and Peres 2017, Markov chains and mixing times, section 4.1 (total variation); Pearson 1900 (chi-squared).
    """
    counts = [Counter(map(str, values)) for values in (one, other)]
    names = sorted({*counts[0], *counts[1]})
    if len(names) < 2 or not len(one) or not len(other):
        return 0.0, 1.0
    table = np.array([[count[name] for name in names] for count in counts], dtype=np.float64)
    shares = table / table.sum(axis=1, keepdims=True)
    return float(np.abs(shares[0] - shares[1]).sum() / 2), _chance(_chi_squared(table), len(names) - 1)


def rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the correlation of the ranks of two columns, over the rows where both are there; 0 where one is constant.

    Shapes: one (rows,) float64, other (rows,) float64 -> float
    Source: Spearman 1904, The proof and measurement of association between two things.
    """
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 3:
        return 0.0
    ranks = [_ranks(values[both]) for values in (one, other)]
    if any(rank.std() == 0 for rank in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def correlation_ratio(values: NDArray[np.float64], groups: Sequence[Any]) -> float:
    """Return how much of a column's spread lies between groups: 0 none, 1 all of it.

    Shapes: values (rows,) float64 -> float
    Source: Fisher 1925, Statistical methods for research workers, section 45 (eta).
    """
    finite = np.isfinite(values)
    numbers = values[finite]
    names, codes = np.unique(np.array([str(group) for group in groups])[finite], return_inverse=True)
    total = float(((numbers - numbers.mean()) ** 2).sum()) if len(numbers) else 0.0
    if total == 0 or len(names) < 2:
        return 0.0
    counts = np.bincount(codes)
    means = np.bincount(codes, numbers) / counts
    return float(np.sqrt((counts * (means - numbers.mean()) ** 2).sum() / total))


def cramers_v(one: Sequence[Any], other: Sequence[Any]) -> float:
    """Return how far two columns of categories go together, without the part that chance alone gives.

    Source: Bergsma 2013, A bias-correction for Cramer's V and Tschuprow's T, section 2.
    """
    first, second = ([str(value) for value in values] for values in (one, other))
    rows, columns = sorted(set(first)), sorted(set(second))
    if len(rows) < 2 or len(columns) < 2:
        return 0.0
    table = np.zeros((len(rows), len(columns)))
    place = ({name: at for at, name in enumerate(rows)}, {name: at for at, name in enumerate(columns)})
    for pair, count in Counter(zip(first, second, strict=True)).items():
        table[place[0][pair[0]], place[1][pair[1]]] = count
    n, (r, c) = table.sum(), table.shape
    phi = max(0.0, _chi_squared(table) / n - (r - 1) * (c - 1) / (n - 1))
    least = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(phi / least)) if least > 0 else 0.0


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of each value; equal ones share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: NDArray[np.float64] = (last - (counts - 1) / 2)[place]
    return mean


def _chi_squared(table: NDArray[np.float64]) -> float:
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    return float(((table - expected) ** 2 / expected).sum())


def _chance(statistic: float, freedom: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(freedom, statistic))
