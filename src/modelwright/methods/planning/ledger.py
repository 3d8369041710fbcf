"""What past runs took of what was planned for them: the factor and the interval of the next plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

# Of fewer runs no quantile says anything.
ENOUGH = 5
COVERED = 0.9
# Without past runs: what plans on machines that nothing was known of have been wrong by.
UNKNOWN = (1.0, 0.6, 1.7)


def factor_of(entries: Iterable[Mapping[str, Any]], machine: str) -> tuple[float, float, float]:
    """Return by what a planned time is to be multiplied, and the bounds that nine of ten past runs lay between.

    Of few runs the bounds are those of `UNKNOWN`, around their median.

    Source: Hyndman and Fan 1996, definition 7, for the quantiles.
    """
    ratios = np.array(
        [
            entry["seconds"] / entry["planned_seconds"]
            for entry in entries
            if entry["machine"] == machine and entry["planned_seconds"] > 0 and entry["seconds"] > 0
        ]
    )
    if not len(ratios):
        return UNKNOWN
    middle = float(np.median(ratios))
    if len(ratios) < ENOUGH:
        return middle, middle * UNKNOWN[1], middle * UNKNOWN[2]
    low, high = np.quantile(ratios, ((1 - COVERED) / 2, (1 + COVERED) / 2))
    return middle, float(low), float(high)
