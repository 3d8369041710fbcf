"""Quantities as people write them (`8 GiB`, `30 min`, `50 Wh`, `5 %`, `3 epochs`) to numbers in base units, and back.

Base units: bytes, seconds, joules, watts, fraction of one.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal

FACTORS: dict[str, dict[str, float]] = {
    "bytes": {
        "B": 1,
        "kB": 1e3,
        "MB": 1e6,
        "GB": 1e9,
        "TB": 1e12,
        "KiB": 2**10,
        "MiB": 2**20,
        "GiB": 2**30,
        "TiB": 2**40,
    },
    "seconds": {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86400},
    "joules": {"J": 1, "kJ": 1e3, "MJ": 1e6, "Wh": 3600, "kWh": 3.6e6},
    "fraction": {"%": 0.01, "": 1},
    "steps": {"step": 1, "steps": 1},
    "epochs": {"epoch": 1, "epochs": 1},
}
QUANTITY = re.compile(r"\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z%]*)\s*")


def parse_quantity(text: str | float | int, unit: str) -> float:
    """Turn `text` into a number of base units of `unit` ('bytes', 'seconds', 'joules', 'fraction', ...).

    A bare number is taken to be in base units already.

    Raises:
        ValueError: what was found and which units would have done.
    """
    if isinstance(text, bool):
        raise ValueError(f"found {text}, expected {describe_unit(unit)}")
    match = None if isinstance(text, (int, float)) else QUANTITY.fullmatch(text)
    if (match is None and isinstance(text, str)) or (match is not None and match[2] not in ("", *FACTORS[unit])):
        raise ValueError(f"found '{text}', expected {describe_unit(unit)}")
    number, factor = (match[1], FACTORS[unit].get(match[2], 1)) if match else (text, 1)
    try:
        # Multiplied as written: 95 times the binary number nearest to 0.01 is not 0.95.
        number = float(Decimal(number) * Decimal(str(factor))) if factor != 1 else float(number)
    except (ArithmeticError, OverflowError):
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"found '{text}', expected a finite number of {unit}")
    return number


def describe_unit(unit: str) -> str:
    """Say which spellings a quantity of `unit` may have."""
    spellings = ", ".join(name for name in FACTORS[unit] if name)
    return f"a number of {unit}, alone or with one of: {spellings}"


@dataclass(frozen=True)
class Span:
    """A length of training: so many steps, or so many epochs."""

    count: float
    unit: str

    def __str__(self) -> str:
        # repr keeps every digit: what a run stores as text must read back as the same length.
        return f"{int(self.count) if self.count == int(self.count) else self.count!r} {self.unit}"

    def steps(self, steps_per_epoch: int) -> int:
        """Return the span in whole steps, at least one when the span is not empty."""
        count = self.count * steps_per_epoch if self.unit == "epochs" else self.count
        return max(1, round(count)) if count > 0 else 0


def parse_span(text: str | Span) -> Span:
    """Turn '3 epochs' or '200 steps' into a Span.

    Raises:
        ValueError: a bare number, or another unit.
    """
    if isinstance(text, Span):
        return text
    match = QUANTITY.fullmatch(str(text))
    unit = next((name for name in ("steps", "epochs") if match and match[2] in FACTORS[name]), "")
    if match is None or not unit or not math.isfinite(float(match[1])):
        raise ValueError(f"found '{text}', expected a length such as '3 epochs' or '200 steps'")
    if float(match[1]) < 0:
        raise ValueError(f"found '{text}', expected a length that is not negative")
    return Span(float(match[1]), unit)


def format_bytes(count: float) -> str:
    """Write a number of bytes with a binary prefix: 1536 -> '1.5 KiB'."""
    for prefix in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} B" if prefix == "B" else f"{count:.1f} {prefix}"
        count /= 1024
    return f"{count:.1f} TiB"


def format_joules(joules: float) -> str:
    """Write an amount of energy for people: 0.5 -> '0.5 J', 7.2e6 -> '2 kWh'."""
    for unit, factor in (("kWh", 3.6e6), ("Wh", 3600.0), ("kJ", 1000.0)):
        if abs(joules) >= factor:
            return f"{joules / factor:.3g} {unit}"
    return f"{joules:.3g} J"


def format_seconds(seconds: float) -> str:
    """Write a duration for people: 0.0123 -> '12.3 ms', 75 -> '1 min 15 s'."""
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
