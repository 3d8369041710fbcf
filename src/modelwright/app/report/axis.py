"""Axes of charts: a range with round ticks, and where a value lies on it, in per cent of the drawing."""

from __future__ import annotations

import math
from dataclasses import dataclass

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Axis:
    """A range, its ticks, and whether equal ratios (logarithmic) or equal differences have equal lengths."""

    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Return the place of a value in per cent from the low end, kept inside the drawing."""
        if self.logarithmic:
            value = max(value, self.low)
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 3)

    def label(self, tick: float) -> str:
        """Write a tick with the decimals that its neighbours need."""
        if self.logarithmic or len(self.ticks) < 2:
            return f"{tick:g}"
        step = self.ticks[1] - self.ticks[0]
        text = f"{step:.10f}".rstrip("0")
        places = len(text.split(".")[1])
        return f"{tick:,.{places}f}".replace(",", "\u202f")


def linear_axis(low: float, high: float, count: int = 5) -> Axis:
    """Return an axis from a round number at or below `low` to one at or above `high`."""
    # Values that differ by rounding alone are one value.
    if high - low <= 1e-9 * max(1.0, abs(low), abs(high)):
        pad = abs(low) * 0.05 or 0.5
        low, high = low - pad, high + pad
    step = _round_step((high - low) / count)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(index * step, 12) for index in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)


def step_axis(last: float, count: int = 5) -> Axis:
    """Return an axis from 0 to exactly `last`, with round ticks between."""
    step = max(1.0, _round_step(max(last, 1) / count))
    return Axis(0.0, max(last, 1.0), tuple(index * step for index in range(int(last / step) + 1)))


def logarithmic_axis(low: float, high: float) -> Axis:
    """Return an axis whose ends are powers of ten, or 2 or 5 times one."""
    marks = [mantissa * 10.0**exponent for exponent in range(-12, 13) for mantissa in (1, 2, 5)]
    first = max((mark for mark in marks if mark <= low), default=marks[0])
    last = min((mark for mark in marks if mark >= high), default=marks[-1])
    inside = [mark for mark in marks if first <= mark <= last]
    decades = [mark for mark in inside if f"{mark:.0e}".startswith("1")]
    return Axis(first, last, tuple(decades if len(inside) > 6 else inside), logarithmic=True)


def loss_axis(values: list[float]) -> Axis:
    """Return a logarithmic axis when positive values span more than a factor of thirty, else a linear one from 0."""
    if min(values) > 0 and max(values) / min(values) > 30:
        return logarithmic_axis(min(values), max(values))
    return linear_axis(min(0.0, *values), max(values))


def _round_step(raw: float) -> float:
    power = 10.0 ** math.floor(math.log10(raw))
    return float(next(step * power for step in STEPS if step * power >= raw * (1 - 1e-9)))
