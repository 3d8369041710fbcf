"""Membership inference: how well an outsider tells training examples from others, by how sure the model is of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelwright.core.errors import DataError

# Keeps logarithms and divisions finite.
TINY = 1e-12


@dataclass(frozen=True)
class Attack:
    """The share of members found (`rate`, right of `members`) where at most `allowed` of the others were taken for members."""

    rate: float
    right: int
    members: int
    others: int
    allowed: int
    area: float


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Return log(p / (1 - p)), which is nearly normal over models where p itself is not.

    Shapes: probability (n,) float -> (n,) float
    Source: Carlini et al. 2022, "Membership inference attacks from first principles", section IV-C.
    """
    inside = np.clip(np.asarray(probability, dtype=np.float64), TINY, 1 - TINY)
    return np.log(inside) - np.log1p(-inside)


def stand_out(target: np.ndarray, shadows: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """Return how far the model's log odds on each example lie above those of shadow models that did not see the example.

    An example that every shadow saw gets no score (nan). The spread is that of all examples: a few shadows tell none of their own.

    Shapes: target (n,) float, shadows (k, n) float, absent (k, n) bool -> (n,) float
    Source: Carlini et al. 2022, section IV-D, the offline attack, with a global variance.
    """
    seen_by = absent.sum(axis=0)
    total = np.where(absent, shadows, 0.0).sum(axis=0)
    mean = np.divide(total, seen_by, out=np.full(len(target), np.nan), where=seen_by > 0)
    residual = np.where(absent, shadows - mean, np.nan)
    spread = float(np.nanstd(residual)) if np.isfinite(residual).any() else 1.0
    return (target - mean) / max(spread, TINY)


def attack(members: np.ndarray, others: np.ndarray, false_positives: float) -> Attack:
    """Take for members what scores above a threshold that at most the given share of the others reaches.

    Shapes: members (n,) float, others (m,) float
    Raises:
        DataError: no members or no others.
    Source: Carlini et al. 2022, section III, true positives at a low rate of false ones.
    """
    members, others = members[~np.isnan(members)], others[~np.isnan(others)]
    if not len(members) or not len(others):
        raise DataError(
            f"{len(members)} training examples and {len(others)} others can be scored",
            where="audit.privacy",
            expected="some of both",
            next_step="raise audit.privacy.shadows, or give the validation part more rows",
        )
    allowed = int(false_positives * len(others) + TINY)
    threshold = np.sort(others)[len(others) - 1 - allowed]
    right = int((members > threshold).sum())
    ranks = np.searchsorted(np.sort(others), members, side="left") + np.searchsorted(
        np.sort(others), members, side="right"
    )
    area = float(ranks.mean() / (2 * len(others)))
    return Attack(right / len(members), right, len(members), len(others), allowed, area)
