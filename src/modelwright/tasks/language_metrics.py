"""What is measured of a language model: loss, perplexity and bits, with intervals over documents."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..core.evidence import Evidence
from ..methods.statistics.intervals import Estimate
from ..methods.statistics.ratio import bootstrap_ratio

# With fewer documents than this, the windows that the model sees at once are resampled instead, as if they were independent.
FEWEST_DOCUMENTS = 30
TOKENS, CHARACTERS, BYTES, DOCUMENT = range(4)
SHANNON = "Shannon 1951"
JELINEK = "Jelinek et al. 1977"


def measure(targets: np.ndarray, answers: np.ndarray, resamples: int, confidence: float, seed: int) -> list[Evidence]:
    """Return the claims about a language model on some examples.

    Shapes: targets (n, 4) int (tokens, characters, bytes, document of each example), answers (n, 1) float (nats a token)
        -> claims
    """
    nats = answers[:, 0] * targets[:, TOKENS]
    unit, of = resampled(targets[:, DOCUMENT])

    def ratio(below: int) -> Estimate:
        return bootstrap_ratio(
            nats,
            targets[:, below],
            unit,
            resamples=resamples,
            confidence=confidence,
            generator=np.random.default_rng(seed),
        )

    loss, of_characters, of_bytes = ratio(TOKENS), ratio(CHARACTERS), ratio(BYTES)
    method = f"percentile bootstrap over {of}, {resamples} resamples"
    return [
        _claim("loss", loss, "nats", f"mean over {int(targets[:, TOKENS].sum())} tokens; {method}", SHANNON),
        _claim("perplexity", _mapped(loss, math.exp), "", f"exp(loss); {method}", JELINEK),
        _claim("bits_per_character", _mapped(of_characters, _bits), "bits", method, SHANNON),
        _claim("bits_per_byte", _mapped(of_bytes, _bits), "bits", method, SHANNON),
    ]


def resampled(documents: np.ndarray) -> tuple[np.ndarray, str]:
    """Return which examples are resampled together, and what those are called."""
    if len(np.unique(documents)) >= FEWEST_DOCUMENTS:
        return documents, "documents"
    return np.arange(len(documents)), "windows"


def _bits(nats: float) -> float:
    return nats / math.log(2)


def _mapped(item: Estimate, change: Callable[[float], float]) -> Estimate:
    value, low, high = (None if value is None else change(value) for value in (item.value, item.low, item.high))
    return replace(item, value=value, low=low, high=high)


def _claim(name: str, item: Estimate, unit: str, method: str, source: str) -> Evidence:
    return Evidence(
        name,
        item.value,
        unit=unit,
        low=item.low,
        high=item.high,
        confidence=item.confidence,
        n=item.n,
        method=method,
        source=source,
    )
