"""Numbers as the page writes them: four significant digits, whole counts in full, units with their symbols."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from ...core.units import format_bytes, format_seconds

DIGITS = 4
# A narrow space that does not break: 72 842 reads the same in every language.
THIN = "\u202f"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SMALLEST_PLAIN, LARGEST_PLAIN = 1e-4, 1e6


def count(value: float) -> str:
    """Write a whole number in full, in groups of three."""
    return f"{round(value):,}".replace(",", THIN)


def significant(value: float) -> str:
    """Write a number with four significant digits: 0.9733, 12.50, 7.725 × 10⁻⁵."""
    if not math.isfinite(value):
        return "not finite"
    if value == 0:
        return "0"
    if SMALLEST_PLAIN <= abs(value) < LARGEST_PLAIN:
        return _plain(value, decimals(value))
    mantissa, exponent = f"{value:.{DIGITS - 1}e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(SUPERSCRIPT)}"


def decimals(value: float) -> int:
    """Return how many decimals show four significant digits."""
    if value == 0 or not math.isfinite(value):
        return DIGITS - 1
    # Through the rounded form, because 0.99999 becomes 1.000 and not 1.0000.
    return max(0, DIGITS - 1 - int(f"{value:.{DIGITS - 1}e}".split("e")[1]))


def _plain(value: float, places: int) -> str:
    whole = f"{value:,.{places}f}"
    return whole.replace(",", THIN)


def bounds(value: float, low: float, high: float) -> str:
    """Write an interval with the decimals of the value it belongs to."""
    if not SMALLEST_PLAIN <= abs(value) < LARGEST_PLAIN:
        return f"{significant(low)} – {significant(high)}"
    places = decimals(value)
    return f"{_plain(low, places)} – {_plain(high, places)}"


def percent(fraction: float) -> str:
    """Write a probability in per cent with four significant digits: 98.28 %, 0.07725 %; round ones stay short: 95 %."""
    if abs(100 * fraction - round(100 * fraction)) < 1e-9:
        return f"{round(100 * fraction)} %"
    return f"{significant(100 * fraction)} %"


def share(part: float, whole: float) -> str:
    """Write what share of a whole a count is, in per cent with one decimal; the counts themselves stand beside it."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def quantity(value: float, unit: str = "") -> str:
    """Write a value with the symbol of its unit, where the unit has one."""
    if unit == "bytes":
        return format_bytes(value)
    if unit == "seconds":
        return seconds(value)
    if float(value).is_integer() and (abs(value) >= 2 or unit in ("rows", "steps", "parameters", "examples")):
        return count(value)
    return significant(value)


def seconds(value: float) -> str:
    """Write a duration: 8.166 s, 3 min 20 s."""
    return format_seconds(value) if value < 1 or value >= 60 else f"{value:.4g} s"


def moment(timestamp: float) -> str:
    """Write a moment as date and time in UTC."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M")


def clock(timestamp: float) -> str:
    """Write the time of day in UTC."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%H:%M:%S")


def short(digest: str) -> str:
    """Return the first twelve characters of a digest: enough to tell two apart by eye."""
    return digest[:12]


def finite(value: object) -> float | None:
    """Return a number that can be drawn, or nothing."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None
