"""Drawing in SVG without a view box: places in per cent, sizes in pixels; text keeps its size in any width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from .axis import Axis

Point = tuple[float, float]


def tag(element: str, *children: object, **attributes: object) -> Markup:
    """Write one element; `class_` stands for class and `_` for a hyphen; everything is escaped."""
    written = Markup("").join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), value)
        for name, value in attributes.items()
        if value != ""
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(element), written, join(children))


def join(parts: Iterable[object]) -> Markup:
    """Put parts together, escaped where they are not markup already."""
    return Markup("").join(escape(part) for part in parts)


def at(share: float) -> str:
    """Write a place in per cent."""
    return f"{share:.2f}%"


def plot(height: int, labelled_by: str, *children: object) -> Markup:
    """Return a drawing as wide as its place, announced by the element with the given id."""
    return tag("svg", *children, class_="plot", width="100%", height=height, role="img", aria_labelledby=labelled_by)


def line(points: Sequence[Point], style: str) -> Markup:
    """Draw a line through places in per cent (y from the top); its stroke keeps its width however it is stretched."""
    path = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    shape = tag("polyline", points=path, class_=f"line {style}", vector_effect="non-scaling-stroke")
    return tag(
        "svg", shape, width="100%", height="100%", viewBox="0 0 100 100", preserveAspectRatio="none", overflow="visible"
    )


def frame(across: Axis, up: Axis) -> Markup:
    """Draw the grid lines and tick labels of a plot: `across` under it, `up` to its left."""
    rows = [
        tag("line", x1="0", x2="100%", y1=at(100 - up.at(tick)), y2=at(100 - up.at(tick)), class_="grid")
        + tag("text", up.label(tick), x="-10", y=at(100 - up.at(tick)), dy="0.32em", text_anchor="end", class_="tick")
        for tick in up.ticks
    ]
    columns = [
        tag(
            "text", across.label(tick), x=at(across.at(tick)), y="100%", dy="1.6em", text_anchor="middle", class_="tick"
        )
        for tick in across.ticks
    ]
    return join([*rows, *columns])


def dot(x: float, y: float, style: str, radius: float = 3, hint: str = "") -> Markup:
    """Draw a dot at a place in per cent (y from the top); the hint is shown under a pointer."""
    return tag("circle", tag("title", hint) if hint else "", cx=at(x), cy=at(y), r=f"{radius:g}", class_=style)
