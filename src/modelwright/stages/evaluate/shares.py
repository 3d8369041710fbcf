"""How often something is right, as a claim with its interval."""

from __future__ import annotations

from ...core.evidence import Evidence
from ...methods.statistics.intervals import wilson_interval


def share_claim(name: str, right: int, n: int, confidence: float, what: str, source: str) -> Evidence:
    """Return the share of `n` that is right, about nothing yet."""
    low, high = wilson_interval(right, n, confidence)
    return Evidence(
        name,
        right / n,
        low=low,
        high=high,
        confidence=confidence,
        n=n,
        method=f"{what}; Wilson interval",
        source=source,
    )
