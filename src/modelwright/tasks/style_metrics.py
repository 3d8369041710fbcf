"""What is measured of pictures whose true answers are known: absolute error and structural similarity."""

from __future__ import annotations

import numpy as np

from ..core.evidence import Evidence
from ..methods.diagnosis.gap import bootstrap_mean
from ..methods.statistics.pictures import structural_similarity

SIMILARITY = "Wang et al. 2004, equation 13"


def measure_pairs(
    targets: np.ndarray, answers: np.ndarray, resamples: int, confidence: float, seed: int
) -> list[Evidence]:
    """Return the claims about answers beside the true pictures.

    Shapes: targets (n, 3, h, w) float from -1 to 1, answers (n, 3, h, w) float -> claims
    """
    sides = [(np.clip(side, -1, 1).transpose(0, 2, 3, 1) + 1) * 127.5 for side in (targets, answers)]
    errors = np.abs(sides[0] - sides[1]).mean(axis=(1, 2, 3)) / 255
    return [
        mean_claim("l1", errors, "mean absolute error, as a share of the range", "", resamples, confidence, seed),
        mean_claim(
            "ssim", structural_similarity(*sides), "structural similarity", SIMILARITY, resamples, confidence, seed
        ),
    ]


def mean_claim(
    name: str, values: np.ndarray, what: str, source: str, resamples: int, confidence: float, seed: int
) -> Evidence:
    """Return the mean over pictures with its bootstrap interval.

    Shapes: values (n,) float -> Evidence
    """
    gap = bootstrap_mean(values, resamples=resamples, confidence=confidence, generator=np.random.default_rng(seed))
    return Evidence(
        name,
        float(values.mean()),
        low=gap.low,
        high=gap.high,
        confidence=confidence,
        n=len(values),
        method=f"{what}; mean over pictures, percentile bootstrap, {resamples} resamples",
        source=source,
    )
