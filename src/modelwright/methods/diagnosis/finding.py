"""What a diagnosis says: a finding has a name, a weight, words with numbers in them, and what to try next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

Severity = Literal["severe", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    `words` is a sentence with places for the `numbers`; a number whose name starts with `share` is a fraction, one that
    starts with `step` counts steps. `remedies` names what may help, the likeliest first.
    """

    code: str
    severity: Severity
    words: str
    numbers: Mapping[str, float | str]
    remedies: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain data."""
        return {
            "code": self.code,
            "severity": self.severity,
            "words": self.words,
            "numbers": {name: _stored(value) for name, value in self.numbers.items()},
        }

    def sentence(self) -> str:
        """Return the words with the numbers put in."""
        return self.words.format(**{name: _written(name, value) for name, value in self.numbers.items()})


def _stored(value: float | str) -> float | str:
    # JSON has no number for what is not finite.
    return value if isinstance(value, str) else float(f"{value:.6g}") if isfinite(value) else "∞"


def _written(name: str, value: float | str) -> str:
    if isinstance(value, str):
        return value
    if name.startswith("share"):
        return f"{value:.1%}"
    return f"{value:.0f}" if name.startswith("step") else f"{value:.4g}"
