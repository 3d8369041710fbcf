"""How two players stand: one that always wins teaches the other nothing, and outputs that are all alike are a collapse."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from .finding import Finding

# Shares of what the discriminator sees, over the last quarter of the run: of everything known, and of nothing.
ALL, NOTHING = 0.97, 0.35
# Outputs that differ from each other by less than this share of what their contents do.
ALIKE = 0.25
FEWEST = 8


def judge_players(points: Sequence[dict[str, Any]]) -> list[Finding]:
    """Return what is wrong between the players; points are (step, right, diversity).

    Source: Goodfellow 2016 (tutorial on GANs), sections 4.3 and 5.1.
    """
    if len(points) < FEWEST:
        return []
    right, diversity = standing(points)
    found = []
    if diversity < ALIKE:
        found.append(
            Finding(
                "collapse",
                "severe",
                "The outputs collapse: they differ from each other by {share_diversity} of what their contents do.",
                {"share_diversity": diversity},
            )
        )
    if right > ALL:
        found.append(
            Finding(
                "discriminator_wins",
                "warning",
                "The players are unequal: the discriminator is right about {share_right} of what it sees, and the generator "
                "learns little from it.",
                {"share_right": right},
            )
        )
    if right < NOTHING:
        found.append(
            Finding(
                "discriminator_loses",
                "warning",
                "The players are unequal: the discriminator is right about {share_right} of what it sees, less than by "
                "guessing, and has nothing to teach.",
                {"share_right": right},
            )
        )
    return found


def standing(points: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Return how often the discriminator was right and how diverse the outputs were, over the last quarter of the run.

    Source: the work named at `judge_players`.
    """
    last = list(points)[-max(1, len(points) // 4) :]
    return fmean(point["right"] for point in last), fmean(point["diversity"] for point in last)
