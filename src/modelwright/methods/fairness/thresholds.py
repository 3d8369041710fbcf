"""A threshold for each group, chosen after training so that the groups are treated alike. G groups, T candidate thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError

Floats = NDArray[np.float64]
Constraint = Literal["demographic_parity", "equal_opportunity", "equalised_odds"]
CANDIDATES = 400


@dataclass(frozen=True)
class Thresholds:
    """One threshold for each group, the largest gap that is left where they were chosen, and the accuracy there."""

    of_group: tuple[float, ...]
    gap: float
    accuracy: float


@dataclass(frozen=True)
class _Curve:
    """What each of T candidate thresholds would give in one group; `places` (T, K) is what the constraint compares."""

    thresholds: Floats
    places: Floats
    right: Floats


def choose_thresholds(
    scores: Floats,
    truly: NDArray[np.bool_],
    groups: NDArray[np.integer],
    size: int,
    constraint: Constraint,
    tolerance: float,
) -> Thresholds:
    """Return the thresholds with the best accuracy among those whose gap is at most `tolerance`; else those with the least gap.

    A row is answered favourably when its score reaches its group's threshold. The thresholds are fixed numbers: the random
    mixtures of two of them, by which the source closes the last of the gap, would treat equal people unequally.

    Shapes: scores (n,) float, truly (n,) bool, groups (n,) int -> Thresholds of `size` numbers
    Raises:
        DataError: a group without rows, or without both outcomes where the constraint speaks of them.
    Source: M. Hardt, E. Price and N. Srebro, Equality of Opportunity in Supervised Learning, NeurIPS 2016, section 3.2.
    """
    if not size:
        raise DataError("no groups", where="thresholds by group", expected="at least one group")
    curves = [_curve(scores[groups == group], truly[groups == group], constraint, group) for group in range(size)]
    best: tuple[tuple[bool, float, float], list[int]] | None = None
    for corner in _corners(curves, tolerance):
        chosen = [_most_accurate(curve, corner, tolerance) for curve in curves]
        places_GK = np.stack([curve.places[at] for curve, at in zip(curves, chosen, strict=True)])
        gap = float((places_GK.max(axis=0) - places_GK.min(axis=0)).max())
        right = float(sum(curve.right[at] for curve, at in zip(curves, chosen, strict=True)))
        within = gap <= tolerance
        rank = (within, right if within else -gap, -gap if within else right)
        if best is None or rank > best[0]:
            best = rank, chosen
    assert best is not None, "every candidate is in some box"
    (within, first, second), chosen = best
    return Thresholds(
        tuple(float(curve.thresholds[at]) for curve, at in zip(curves, chosen, strict=True)),
        gap=-second if within else -first,
        accuracy=(first if within else second) / len(scores),
    )


def _corners(curves: list[_Curve], tolerance: float) -> Floats:
    """Return the lower corners of the boxes, of side `tolerance`, in which the groups could meet.

    Each holds a place that some threshold of some group gives: at its lower end, in its middle, or at its upper end.
    """
    places = np.unique(np.concatenate([curve.places for curve in curves]), axis=0)
    shifts = np.array(list(product((0.0, 0.5, 1.0), repeat=places.shape[1]))) * tolerance
    return np.unique(np.concatenate([places - shift for shift in shifts]), axis=0)


def _most_accurate(curve: _Curve, corner_K: Floats, tolerance: float) -> int:
    """Return the most accurate candidate inside a box; the one nearest to its middle where none is inside."""
    inside_T = ((curve.places >= corner_K) & (curve.places <= corner_K + tolerance)).all(axis=1)
    if inside_T.any():
        return int(np.where(inside_T, curve.right, -1.0).argmax())
    return int(np.abs(curve.places - corner_K - tolerance / 2).max(axis=1).argmin())


def _curve(scores: Floats, truly: NDArray[np.bool_], constraint: Constraint, group: int) -> _Curve:
    positives, negatives = int(truly.sum()), int((~truly).sum())
    lacking = constraint != "demographic_parity" and (
        not positives or (not negatives and constraint == "equalised_odds")
    )
    if not len(scores) or lacking:
        raise DataError(
            f"group {group} has {positives} favourable and {negatives} other rows",
            where="thresholds by group",
            expected="rows of each kind that the constraint compares",
            next_step="take rare groups together, or use the constraint demographic_parity",
        )
    thresholds_T = np.unique(scores)
    if len(thresholds_T) > CANDIDATES:
        thresholds_T = np.unique(np.quantile(scores, np.linspace(0, 1, CANDIDATES)))
    # Above every score: nobody is answered favourably.
    thresholds_T = np.append(thresholds_T, np.nextafter(max(1.0, float(thresholds_T[-1])), 2.0))
    above_T = len(scores) - np.searchsorted(np.sort(scores), thresholds_T, side="left")
    hits_T = positives - np.searchsorted(np.sort(scores[truly]), thresholds_T, side="left")
    alarms_T = above_T - hits_T
    places = {
        "demographic_parity": [above_T / len(scores)],
        "equal_opportunity": [hits_T / max(1, positives)],
        "equalised_odds": [hits_T / max(1, positives), alarms_T / max(1, negatives)],
    }[constraint]
    right_T = (hits_T + negatives - alarms_T).astype(np.float64)
    return _Curve(thresholds_T, np.stack(places, axis=1).astype(np.float64), right_T)
