"""The few numbers that a command prints when it has run: how good, how fair, how private."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

QUALITY = (
    "accuracy",
    "f1_macro",
    "roc_auc",
    "calibration_error",
    "cross_validation[accuracy]",
    "loss",
    "bits_per_character",
    "bits_per_byte",
    "floor[bits_per_character]",
)
# Of a whole comparison, not of one group, whose name holds `=`.
GAP = re.compile(r"fairness\[[^=\]]+\]\[(?:demographic_parity|equalised_odds)_difference\]")


def headline(claims: Mapping[str, Any]) -> list[str]:
    """Return one line for each number that matters most; a claim that is not applicable has no numbers and no line."""
    shown = [*(name for name in QUALITY if name in claims), *(name for name in claims if GAP.fullmatch(name))]
    lines = [
        f"{name:<26} {claims[name].value:.4f}  [{claims[name].low:.4f}, {claims[name].high:.4f}]"
        for name in shown
        if claims[name].value is not None and claims[name].low is not None
    ]
    return [*lines, *_privacy(claims)]


def _privacy(claims: Mapping[str, Any]) -> list[str]:
    """Return what is claimed and what was proved; epsilon never without its delta."""
    if "epsilon" not in claims or "delta" not in claims:
        return []
    line = f"{'epsilon':<26} {claims['epsilon'].high:.4f}  delta {claims['delta'].value:g}"
    proved = claims.get("epsilon_lower_bound")
    if proved is None or proved.value is None:
        return [line]
    return [
        line,
        f"{'epsilon_lower_bound':<26} {proved.value:.4f}  delta {claims['delta'].value:g}, {proved.n} canaries",
    ]
