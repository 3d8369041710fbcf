"""What a classifier did to each group: a table of counts, the rates that follow from it, and how far they lie apart.

G groups, 8 cells: truly favourable (4) + answered favourably (2) + the answer is right (1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError

Floats = NDArray[np.float64]
Rates = dict[str, Floats]

CELLS = 8
TRULY, ANSWERED, RIGHT = (np.array([bool(cell & bit) for cell in range(CELLS)]) for bit in (4, 2, 1))
RATES = ("selection_rate", "tpr", "fpr", "ppv", "accuracy")
DISPARITIES = (
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "equalised_odds_difference",
    "equalised_odds_ratio",
    "equal_opportunity_difference",
    "accuracy_difference",
)


def count_outcomes(
    groups: NDArray[np.integer],
    truly: NDArray[np.bool_],
    answered: NDArray[np.bool_],
    right: NDArray[np.bool_],
    size: int,
) -> NDArray[np.int64]:
    """Count the rows of each group and cell; `size` is the number of groups.

    Shapes: groups (n,) int, truly, answered and right (n,) bool -> (size, 8) int
    Raises:
        DataError: no rows, or not as many of each.
    Source: M. Hardt, E. Price and N. Srebro, Equality of Opportunity in Supervised Learning, NeurIPS 2016, section 2.
    """
    lengths = {len(groups), len(truly), len(answered), len(right)}
    if len(lengths) != 1 or not len(groups):
        raise DataError(
            f"lengths {sorted(lengths)}", where="outcomes by group", expected="one group, label and answer for each row"
        )
    cells = 4 * truly.astype(np.int64) + 2 * answered.astype(np.int64) + right.astype(np.int64)
    return np.bincount(groups * CELLS + cells, minlength=size * CELLS).reshape(size, CELLS)


def rates_of(counts_G8: NDArray[np.generic]) -> Rates:
    """Return selection rate, true and false positive rate, precision and accuracy of each group; NaN where nobody counts.

    Shapes: counts (..., groups, 8) -> five arrays (..., groups)
    Source: M. Hardt, E. Price and N. Srebro, Equality of Opportunity in Supervised Learning, NeurIPS 2016, section 2;
        A. Chouldechova, Fair prediction with disparate impact, Big Data 5 (2017), equation 2.1 (ppv).
    """

    def share(of: NDArray[np.bool_], among: NDArray[np.bool_]) -> Floats:
        total = counts_G8[..., among].sum(axis=-1).astype(np.float64)
        part = counts_G8[..., of & among].sum(axis=-1).astype(np.float64)
        return np.divide(part, total, out=np.full(total.shape, np.nan), where=total > 0)

    return {
        "selection_rate": share(ANSWERED, np.ones(CELLS, dtype=np.bool_)),
        "tpr": share(ANSWERED, TRULY),
        "fpr": share(ANSWERED, ~TRULY),
        "ppv": share(TRULY, ANSWERED),
        "accuracy": share(RIGHT, np.ones(CELLS, dtype=np.bool_)),
    }


def disparities_of(rates: Rates) -> Rates:
    """Return how far the groups lie apart: differences of the largest and smallest rate, and their ratios.

    Groups in which a rate does not exist are left out of it; NaN where fewer than two are left, and for a ratio of zeros.

    Shapes: five arrays (..., groups) -> six arrays (...)
    Source: A. Agarwal et al., A Reductions Approach to Fair Classification, ICML 2018, definitions 1 and 2, as differences
        and ratios in fairlearn's user guide, "Common fairness metrics".
    """
    return {
        "demographic_parity_difference": _difference(rates["selection_rate"]),
        "demographic_parity_ratio": _ratio(rates["selection_rate"]),
        "equalised_odds_difference": np.maximum(_difference(rates["tpr"]), _difference(rates["fpr"])),
        "equalised_odds_ratio": _smaller_ratio(rates["tpr"], rates["fpr"]),
        "equal_opportunity_difference": _difference(rates["tpr"]),
        "accuracy_difference": _difference(rates["accuracy"]),
    }


def _ends(rate: Floats) -> tuple[Floats, Floats]:
    """Return the smallest and the largest rate; NaN where fewer than two groups have one."""
    few = (~np.isnan(rate)).sum(axis=-1) < 2
    low, high = np.fmin.reduce(rate, axis=-1), np.fmax.reduce(rate, axis=-1)
    return np.where(few, np.nan, low), np.where(few, np.nan, high)


def _difference(rate: Floats) -> Floats:
    low, high = _ends(rate)
    return high - low


def _ratio(rate: Floats) -> Floats:
    low, high = _ends(rate)
    return np.divide(low, high, out=np.full(low.shape, np.nan), where=high > 0)


def _smaller_ratio(one: Floats, other: Floats) -> Floats:
    """Return the smaller of two ratios; where one rate is 0 in every group it sets nobody apart, and the other ratio stands."""
    exist = ~np.isnan(_difference(one)) & ~np.isnan(_difference(other))
    return np.where(exist, np.fmin(_ratio(one), _ratio(other)), np.nan)
