"""The curves of a training: losses, and whatever else was measured on the validation part, over steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from .axis import Axis, linear_axis, loss_axis, step_axis
from .bilingual import measure_name, say
from .drawing import at, dot, frame, line, plot, tag
from .quantities import count, finite, significant

HEIGHT = 240
LINES = {"training": "Training", "validation": "Validation"}
Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Curve:
    """One chart: the id of its caption, the caption, the lines' names with their styles, the drawing."""

    identifier: str
    caption: Markup
    legend: tuple[tuple[str, Markup], ...]
    note: Markup
    drawing: Markup


@dataclass(frozen=True)
class Training:
    """What the section on training shows."""

    curves: tuple[Curve, ...]
    kept_step: str
    kept_last: bool
    columns: tuple[Markup, ...]
    rows: tuple[tuple[str, ...], ...]


def view_training(record: dict[str, Any]) -> Training | None:
    """Return the charts and the table of a training, or nothing when nothing was recorded."""
    training = _points(record.get("loss"), "loss")
    history = [item for item in record.get("validation") or [] if isinstance(item, dict)]
    names = [name for name in (history[0] if history else {}) if name != "step"]
    measured = {name: _points(history, name) for name in names}
    kept = finite(record.get("kept_step"))
    last = max((x for points in (training, *measured.values()) for x, _ in points), default=0.0)
    if not last:
        return None
    across = step_axis(last)
    curves = []
    losses = {"training": training, "validation": measured.pop("loss", [])}
    if any(losses.values()):
        curves.append(_chart("loss", losses, across, kept, "curve-loss"))
    curves += [
        _chart(name, {"validation": points}, across, kept, f"curve-{index}")
        for index, (name, points) in enumerate(measured.items())
        if points
    ]
    columns, rows = _table(training, history, names)
    return Training(tuple(curves), count(kept) if kept else "", kept == last, columns, rows)


def _points(items: Any, name: str) -> Points:
    found = []
    for item in items if isinstance(items, list) else []:
        x, y = finite(item.get("step")), finite(item.get(name))
        if x is not None and y is not None:
            found.append((x, y))
    return found


def _chart(name: str, series: dict[str, Points], across: Axis, kept: float | None, identifier: str) -> Curve:
    values = [y for points in series.values() for _, y in points]
    up = loss_axis(values) if name == "loss" else linear_axis(min(values), max(values))
    if name == "accuracy":
        up = linear_axis(min(values), 1.0)
    parts = [frame(across, up)]
    if kept:
        there = [100 - up.at(y) for points in series.values() for x, y in points if x == kept]
        parts.append(_kept_mark(across, kept, below=bool(there) and min(there) < 40))
    for style, points in series.items():
        places = [(across.at(x), 100 - up.at(y)) for x, y in points]
        if len(places) > 1:
            parts.append(line(places, style))
        for (x, y), (left, top) in zip(points, places, strict=True):
            chosen = style == "validation" and x == kept
            parts.append(
                dot(
                    left,
                    top,
                    f"point {style}{' kept' if chosen else ''}",
                    5.5 if chosen else 2.2,
                    f"{count(x)}: {significant(y)}",
                )
            )
    legend = tuple((style, say(LINES[style])) for style, points in series.items() if points)
    note = say("logarithmic scale") if up.logarithmic else Markup("")
    return Curve(identifier, measure_name(name), legend, note, plot(HEIGHT, identifier, *parts))


def _kept_mark(across: Axis, kept: float, *, below: bool) -> Markup:
    """Mark the kept step; its label goes to the end of the line that the curves leave free."""
    place = across.at(kept)
    anchor, shift = ("end", "-6") if place > 60 else ("start", "6")
    top, drop = ("100%", "-0.7em") if below else ("0", "0.9em")
    text = say("kept: step {step}", svg=True, step=count(kept))
    label = tag("text", text, x=at(place), y=top, dx=shift, dy=drop, text_anchor=anchor, class_="kept-label")
    return tag("line", x1=at(place), x2=at(place), y1="0", y2="100%", class_="kept-line") + label


def _table(
    training: Points, history: list[dict[str, Any]], names: list[str]
) -> tuple[tuple[Markup, ...], tuple[tuple[str, ...], ...]]:
    by_step: dict[float, list[str]] = {}
    measured = [_points(history, name) for name in names]
    width = 1 + len(names)
    for column, points in enumerate([training, *measured]):
        for x, y in points:
            by_step.setdefault(x, ["–"] * width)[column] = significant(y)
    columns = (
        say("step"),
        say("training loss"),
        *(say("validation: {measure}", measure=measure_name(name)) for name in names),
    )
    return columns, tuple((count(step), *cells) for step, cells in sorted(by_step.items()))
