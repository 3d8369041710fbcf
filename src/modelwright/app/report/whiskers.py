"""Values with their intervals on a shared axis: a dot, a whisker, and the ticks as faint lines behind them."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from .axis import Axis
from .drawing import at, dot, join, tag

HEIGHT = 34


def whisker(
    axis: Axis,
    value: float,
    low: float | None = None,
    high: float | None = None,
    *,
    others: Sequence[float] = (),
    style: str = "",
) -> Markup:
    """Draw one row: the interval as a line, the value as a dot, other values (folds, say) as small rings.

    The numbers stand beside the drawing, so it is hidden from screen readers.
    """
    parts = [_ticks(axis)]
    if low is not None and high is not None:
        parts += _interval(axis, low, high)
    parts += [dot(axis.at(other), 50, "ring", 3) for other in others]
    parts.append(dot(axis.at(value), 50, "value", 4.5))
    return tag("svg", *parts, class_=f"row-chart {style}".strip(), width="100%", height=HEIGHT, aria_hidden="true")


def bar(axis: Axis, value: float, low: float | None = None, high: float | None = None) -> Markup:
    """Draw a bar from the low end of the axis to the value, with the interval as a thin line over it."""
    parts = [
        tag("rect", x="0", y="38%", width="100%", height="24%", rx="2", class_="track"),
        tag("rect", x="0", y="38%", width=at(axis.at(value)), height="24%", rx="2", class_="fill"),
    ]
    if low is not None and high is not None:
        parts += _interval(axis, low, high)
    return tag("svg", *parts, class_="row-chart", width="100%", height=20, aria_hidden="true")


def axis_labels(axis: Axis) -> Markup:
    """Draw the tick labels that belong above or below rows of whiskers."""
    last = len(axis.ticks) - 1
    labels = []
    for index, tick in enumerate(axis.ticks):
        anchor = "start" if index == 0 else "end" if index == last else "middle"
        minor = "tick minor" if index not in (0, last) and index != round(last / 2) else "tick"
        labels.append(
            tag("text", axis.label(tick), x=at(axis.at(tick)), y="50%", dy="0.32em", text_anchor=anchor, class_=minor)
        )
    return tag("svg", *labels, class_="row-chart", width="100%", height=18, aria_hidden="true")


def end_labels(axis: Axis) -> Markup:
    """Draw the two ends of an axis that belongs to one row only."""
    left = tag("text", axis.label(axis.ticks[0]), x="0", y="100%", dy="-1", text_anchor="start", class_="tick")
    right = tag("text", axis.label(axis.ticks[-1]), x="100%", y="100%", dy="-1", text_anchor="end", class_="tick")
    return tag("svg", left, right, class_="row-chart ends", width="100%", height=14, aria_hidden="true")


def _ticks(axis: Axis) -> Markup:
    return join(
        tag("line", x1=at(axis.at(tick)), x2=at(axis.at(tick)), y1="0", y2="100%", class_="grid") for tick in axis.ticks
    )


def _interval(axis: Axis, low: float, high: float) -> list[Markup]:
    left, right = at(axis.at(low)), at(axis.at(high))
    ends = [tag("line", x1=end, x2=end, y1="36%", y2="64%", class_="whisker") for end in (left, right)]
    return [tag("line", x1=left, x2=right, y1="50%", y2="50%", class_="whisker"), *ends]
