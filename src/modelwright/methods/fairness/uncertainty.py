"""How sure the rates of groups, and the differences between them, are: a bootstrap over rows, by way of the table of counts."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..statistics.intervals import Estimate, percentile_interval, wilson_interval
from .outcomes import ANSWERED, CELLS, TRULY, disparities_of, rates_of

# Which rows a rate is a share of.
AMONG = {
    "selection_rate": np.ones(CELLS, dtype=np.bool_),
    "tpr": TRULY,
    "fpr": ~TRULY,
    "ppv": ANSWERED,
    "accuracy": np.ones(CELLS, dtype=np.bool_),
}
# Which rates a difference or ratio compares.
COMPARED = {
    "demographic_parity": ("selection_rate",),
    "equalised_odds": ("tpr", "fpr"),
    "equal_opportunity": ("tpr",),
    "accuracy": ("accuracy",),
}


def resample_counts(counts_G8: NDArray[np.int64], resamples: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return the tables of as many bootstrap samples of the rows: drawing rows anew is drawing their cells anew.

    Shapes: counts (groups, 8) int -> (resamples, groups, 8) int
    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), algorithm 6.1.
    """
    total = int(counts_G8.sum())
    drawn = generator.multinomial(total, counts_G8.ravel() / total, size=resamples)
    return drawn.reshape(resamples, *counts_G8.shape)


def estimate_rates(
    counts_G8: NDArray[np.int64], drawn_RG8: NDArray[np.int64], confidence: float
) -> dict[str, list[Estimate]]:
    """Return each rate of each group with its interval: percentile, and never narrower than Wilson's at either end.

    Shapes: counts (groups, 8) int, drawn (resamples, groups, 8) int -> for each rate one Estimate for each group
    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), section 13.3; E. B. Wilson, Probable
        Inference, J. Am. Statist. Assoc. 22 (1927).
    """
    values, drawn = rates_of(counts_G8), rates_of(drawn_RG8)
    return {
        name: [
            _rate(float(value), drawn[name][:, group], int(counts_G8[group, AMONG[name]].sum()), confidence)
            for group, value in enumerate(values[name])
        ]
        for name in values
    }


def _rate(value: float, drawn_R: NDArray[np.float64], n: int, confidence: float) -> Estimate:
    existing = drawn_R[~np.isnan(drawn_R)]
    if np.isnan(value) or not len(existing):
        return Estimate(None, None, None, n, 0, confidence)
    low, high = percentile_interval(existing, confidence)
    least, most = wilson_interval(round(value * n), n, confidence)
    return Estimate(value, min(low, least), max(high, most), n, len(existing), confidence)


def estimate_disparities(
    counts_G8: NDArray[np.int64], drawn_RG8: NDArray[np.int64], confidence: float
) -> dict[str, Estimate]:
    """Return each difference and ratio with its interval.

    A largest difference is never negative, so its own resamples never reach zero, also where the groups are equal. The
    interval is made from the signed differences (or ratios) of all pairs instead, each at a confidence that holds for all
    pairs at once, and then folded as the measure itself folds them. Where a rate of a pair is 0 or 1, the ends of the Wilson
    intervals of both take the place of the resamples.

    Shapes: counts (groups, 8) int, drawn (resamples, groups, 8) int -> one Estimate for each
    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), section 13.3; for all pairs at once: O. J.
        Dunn, Multiple comparisons among means, J. Am. Statist. Assoc. 56 (1961).
    """
    rates, drawn = rates_of(counts_G8), rates_of(drawn_RG8)
    values, n, found = disparities_of(rates), int(counts_G8.sum()), {}
    for name, value in values.items():
        spans = _spans(name, counts_G8, drawn, confidence)
        if np.isnan(value) or not spans:
            found[name] = Estimate(None, None, None, n, 0, confidence)
            continue
        worst = min if name.endswith("_ratio") else max
        low, high = worst(low for low, _ in spans), worst(high for _, high in spans)
        found[name] = Estimate(
            float(value), min(float(value), low), max(float(value), high), n, len(drawn_RG8), confidence
        )
    return found


def _spans(
    name: str, counts_G8: NDArray[np.int64], drawn: dict[str, NDArray[np.float64]], confidence: float
) -> list[tuple[float, float]]:
    """Return the folded interval of every pair of groups, in every rate that a measure looks at."""
    rates = rates_of(counts_G8)
    compared = [
        (rate, one, other)
        for rate in COMPARED[name.rsplit("_", 1)[0]]
        for one, other in combinations(np.flatnonzero(~np.isnan(rates[rate])).tolist(), 2)
    ]
    ratio = name.endswith("_ratio")
    level = 1 - (1 - confidence) / max(1, len(compared))
    spans = []
    for rate, one, other in compared:
        if {float(rates[rate][one]), float(rates[rate][other])} & {0.0, 1.0}:
            ends: tuple[float, float] | None = _of_ends(
                _wilson(counts_G8[one], rate, level), _wilson(counts_G8[other], rate, level), ratio
            )
        else:
            ends = _of_resamples(drawn[rate][:, one], drawn[rate][:, other], level, ratio)
        if ends is not None:
            spans.append(_folded_ratio(*ends) if ratio else _folded_difference(*ends))
    return spans


def _wilson(counts_8: NDArray[np.int64], rate: str, level: float) -> tuple[float, float]:
    n = int(counts_8[AMONG[rate]].sum())
    return wilson_interval(round(float(rates_of(counts_8[None])[rate][0]) * n), n, level)


def _of_ends(one: tuple[float, float], other: tuple[float, float], ratio: bool) -> tuple[float, float]:
    """Return the interval of a difference, or of the angle of a ratio, from those of its two rates.

    A rate of 0 or 1 is that in every resample too, which is no certainty; so the ends stand in for the resamples there.
    """
    if ratio:
        return float(np.arctan2(one[0], other[1])), float(np.arctan2(one[1], other[0]))
    return one[0] - other[1], one[1] - other[0]


def _of_resamples(
    one_R: NDArray[np.float64], other_R: NDArray[np.float64], level: float, ratio: bool
) -> tuple[float, float] | None:
    known = ~np.isnan(one_R) & ~np.isnan(other_R)
    if ratio:
        known &= one_R + other_R > 0
    if not known.any():
        return None
    one_K, other_K = one_R[known], other_R[known]
    # As angles: a rate of zero is an end like any other, and both orders of a pair are one reflection apart.
    return percentile_interval(np.arctan2(one_K, other_K) if ratio else one_K - other_K, level)


def _folded_difference(low: float, high: float) -> tuple[float, float]:
    return max(0.0, low, -high), max(-low, high)


def _folded_ratio(low: float, high: float) -> tuple[float, float]:
    ends = sorted(float(min(np.tan(angle), np.tan(np.pi / 2 - angle))) for angle in (low, high))
    return max(0.0, ends[0]), 1.0 if low <= np.pi / 4 <= high else ends[1]
