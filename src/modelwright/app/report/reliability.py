"""The reliability diagram: how sure the model was against how often it was right, with intervals and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from .axis import Axis, linear_axis
from .bilingual import say
from .drawing import at, dot, frame, line, plot, tag
from .quantities import bounds, count, finite, percent, significant

HEIGHT = 320
FIELDS = ("low", "high", "count", "confidence", "accuracy", "accuracy_low", "accuracy_high")
SHARE = Axis(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))


@dataclass(frozen=True)
class Reliability:
    """The diagram, the histogram beneath it, and the same numbers as rows of a table."""

    drawing: Markup
    histogram: Markup
    rows: tuple[tuple[str, ...], ...]


def view_reliability(bins: Any) -> Reliability | None:
    """Return the diagram of the bins that hold examples, or nothing."""
    found = [
        item
        for item in bins or []
        if isinstance(item, dict) and all(finite(item.get(name)) is not None for name in FIELDS)
    ]
    if not found:
        return None
    parts = [frame(SHARE, SHARE), line([(0, 100), (100, 0)], "ideal")]
    parts.append(line([(SHARE.at(item["confidence"]), 100 - SHARE.at(item["accuracy"])) for item in found], "faint"))
    for item in found:
        x = SHARE.at(item["confidence"])
        top, bottom = at(100 - SHARE.at(item["accuracy_high"])), at(100 - SHARE.at(item["accuracy_low"]))
        parts.append(tag("line", x1=at(x), x2=at(x), y1=top, y2=bottom, class_="whisker"))
        hint = f"{percent(item['confidence'])} → {percent(item['accuracy'])}, n = {count(item['count'])}"
        parts.append(dot(x, 100 - SHARE.at(item["accuracy"]), "value", 4.5, hint))
    rows = tuple(
        (
            f"{item['low']:.2f} – {item['high']:.2f}",
            significant(item["confidence"]),
            significant(item["accuracy"]),
            bounds(1.0, item["accuracy_low"], item["accuracy_high"]),
            count(item["count"]),
        )
        for item in found
    )
    return Reliability(plot(HEIGHT, "reliability-caption", *parts), _histogram(found), rows)


def _histogram(bins: list[dict[str, float]]) -> Markup:
    most = linear_axis(0, max(item["count"] for item in bins), 2)
    bars = []
    for item in bins:
        left, width, height = (
            SHARE.at(item["low"]),
            SHARE.at(item["high"]) - SHARE.at(item["low"]),
            most.at(item["count"]),
        )
        hint = tag("title", f"{percent(item['low'])} – {percent(item['high'])}: {count(item['count'])}")
        bars.append(
            tag(
                "rect",
                hint,
                x=at(left + width * 0.08),
                width=at(width * 0.84),
                y=at(100 - height),
                height=at(height),
                class_="fill",
            )
        )
    ticks = [
        tag("text", most.label(tick), x="-10", y=at(100 - most.at(tick)), dy="0.32em", text_anchor="end", class_="tick")
        for tick in (most.ticks[0], most.ticks[-1])
    ]
    base = tag("line", x1="0", x2="100%", y1="100%", y2="100%", class_="grid")
    label = tag("text", say("examples per bin", svg=True), x="0", y="0", dy="0.9em", dx="6", class_="tick")
    return plot(64, "reliability-caption", base, *bars, *ticks, label)
