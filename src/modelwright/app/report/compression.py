"""What compression did: a column for each step, accuracy against size and time, and what became of each class and group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from .axis import linear_axis
from .bilingual import say
from .curves import Curve
from .drawing import at, dot, frame, line, plot, tag
from .quantities import bounds, count, finite, percent, quantity, seconds, significant

HEIGHT = 240
# As many slices as a person may read, those that lost most first; all are in the artifact.
SHOWN = 24
# The batch whose time is drawn; the table has both.
DRAWN = "1"


@dataclass(frozen=True)
class Cell:
    """A number, and below it how it compares."""

    value: str
    below: Markup


@dataclass(frozen=True)
class Step:
    """One step: its number, its kind, and what was asked of it."""

    number: str
    kind: Markup
    asked: str


@dataclass(frozen=True)
class Line:
    """A quantity, a class, a group or a gap between groups: of how many examples, and what it is after each step."""

    name: str
    n: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Compression:
    """What the section on compression shows."""

    steps: tuple[Step, ...]
    lines: tuple[Line, ...]
    curves: tuple[Curve, ...]
    axes: tuple[Markup, ...]
    slices: tuple[Line, ...]
    more: str
    gaps: tuple[Line, ...]
    energy: str


QUANTITIES = (
    "Accuracy",
    "Decided alike",
    "Calibration error",
    "Size",
    "One answer",
    "32 answers",
    "CPU, 1000 answers",
    "Energy, 1000 answers",
    "Operations",
)


def view_compression(found: dict[str, Any]) -> Compression | None:
    """Return what the table of compression says, or nothing where there was no step."""
    rows = [row for row in found.get("steps") or [] if isinstance(row, dict)]
    if len(rows) < 2:
        return None
    slices = [*_slices(rows, "classes"), *_slices(rows, "groups")]
    cost = rows[0].get("cost") or {}
    return Compression(
        steps=tuple(_step(number, row) for number, row in enumerate(rows)),
        lines=tuple(
            Line(name, "", cells)
            for name, cells in zip(QUANTITIES, zip(*(_numbers(row, rows[0]) for row in rows), strict=True), strict=True)
        ),
        curves=(_picture(rows, "size"), _picture(rows, "time")),
        axes=(say("KiB of weights"), say("milliseconds for one answer (median)")),
        slices=tuple(slices[:SHOWN]),
        more=count(len(slices) - SHOWN) if len(slices) > SHOWN else "",
        gaps=tuple(_gaps(rows)),
        energy=str(cost.get("method") or cost.get("reason") or ""),
    )


def _step(number: int, row: dict[str, Any]) -> Step:
    settings = row.get("settings") or {}
    asked = " ".join(f"{key}={_plain(value)}" for key, value in settings.items() if key != "kind")
    kind = str(settings.get("kind", ""))
    return Step(count(number), say(kind) if kind else say("before any step"), asked)


def _numbers(row: dict[str, Any], first: dict[str, Any]) -> tuple[Cell, ...]:
    """Return the numbers of a model in the order of QUANTITIES."""
    against = row.get("to_before") or {}
    cost, facts = row.get("cost") or {}, row.get("facts") or {}
    joules, operations = finite(cost.get("joules")), finite(facts.get("operations"))
    return (
        _accuracy(row, against),
        Cell(_percent(against.get("agreement")), Markup("")),
        Cell(_written(_value(row, "calibration_error")), Markup("")),
        Cell(quantity(row.get("bytes") or 0, "bytes"), _times(first.get("bytes"), row.get("bytes"), "smaller")),
        *(_latency(row, first, batch) for batch in ("1", "32")),
        Cell(
            _time(cost.get("cpu_seconds")),
            _times((first.get("cost") or {}).get("cpu_seconds"), cost.get("cpu_seconds"), "less"),
        ),
        Cell(
            "–" if joules is None else f"{significant(joules)} J",
            _times((first.get("cost") or {}).get("joules"), joules, "less"),
        ),
        Cell(
            "–" if operations is None else count(operations), _times(facts.get("operations_before"), operations, "less")
        ),
    )


def _accuracy(row: dict[str, Any], against: dict[str, Any]) -> Cell:
    value = _value(row, "accuracy")
    change = against.get("accuracy_change") or {}
    numbers = [finite(change.get(name)) for name in ("value", "low", "high")]
    if value is None or None in numbers:
        return Cell(_written(value), Markup(""))
    points, low, high = (100 * (number or 0.0) for number in numbers)
    return Cell(
        significant(value),
        say("{change} points ({low} to {high})", change=f"{points:+.2f}", low=f"{low:+.2f}", high=f"{high:+.2f}"),
    )


def _latency(row: dict[str, Any], first: dict[str, Any], batch: str) -> Cell:
    found = (row.get("latency") or {}).get(batch) or {}
    # Against the first in turn with it, and not by the two numbers of this table, which other moments have measured.
    ratio = finite(found.get("ratio_to_first"))
    return Cell(
        _time(found.get("p50")),
        say("{ratio} times faster", ratio=f"{ratio:.2f}") if ratio and row is not first else Markup(""),
    )


def _times(before: Any, after: Any, word: str) -> Markup:
    one, other = finite(before), finite(after)
    if not one or not other or one == other:
        return Markup("")
    return say("{ratio} times smaller" if word == "smaller" else "{ratio} times less", ratio=f"{one / other:.2f}")


def _picture(rows: list[dict[str, Any]], what: str) -> Curve:
    """Draw accuracy with its interval against size or time, a numbered dot for each step, joined in their order."""
    points = []
    for number, row in enumerate(rows):
        claim = (row.get("metrics") or {}).get("accuracy") or {}
        place = (
            finite(row.get("bytes"))
            if what == "size"
            else finite(((row.get("latency") or {}).get(DRAWN) or {}).get("p50"))
        )
        height = finite(claim.get("value"))
        if place is not None and height is not None:
            low, high = finite(claim.get("low")), finite(claim.get("high"))
            scaled = place / 1024 if what == "size" else place * 1000
            points.append((number, scaled, height, height if low is None else low, height if high is None else high))
    caption = say("Accuracy against size") if what == "size" else say("Accuracy against time")
    identifier = f"compression-{what}"
    if not points:
        return Curve(identifier, caption, (), Markup(""), plot(HEIGHT, identifier))
    across = linear_axis(0.0, max(place for _, place, _, _, _ in points))
    up = linear_axis(min(low for *_, low, _ in points), max(high for *_, high in points))
    places = [(across.at(place), 100 - up.at(height)) for _, place, height, _, _ in points]
    parts: list[Markup] = [frame(across, up), line(places, "training faint")]
    for (number, place, height, low, high), (x, y) in zip(points, places, strict=True):
        parts.append(
            tag("line", x1=at(x), x2=at(x), y1=at(100 - up.at(low)), y2=at(100 - up.at(high)), class_="whisker faint")
        )
        last = number == points[-1][0]
        hint = f"{count(number)}: {significant(place)}, {bounds(height, low, high)}"
        parts.append(dot(x, y, "point kept" if last else "point", 5.5 if last else 4, hint))
        parts.append(
            tag("text", count(number), x=at(x), y=at(y), dx="9", dy="16" if number % 2 else "-6", class_="tick")
        )
    return Curve(identifier, caption, (), Markup(""), plot(HEIGHT, identifier, *parts))


def _slices(rows: list[dict[str, Any]], kind: str) -> list[Line]:
    """Return each class or group: the accuracy before, then after each step with its change, those that lost most first."""
    last = rows[-1].get(kind) or {}
    lost = (rows[-1].get("to_first") or {}).get(kind) or {}
    ranked = sorted(last, key=lambda name: finite((lost.get(name) or {}).get("accuracy")) or 0.0)
    return [
        Line(
            name,
            count(last[name].get("n", 0)),
            tuple(_against_before(row, kind, name, "accuracy") for row in rows),
        )
        for name in ranked
    ]


def _gaps(rows: list[dict[str, Any]]) -> list[Line]:
    return [
        Line(
            f"{column}: {name.replace('_', ' ')}", "", tuple(_against_before(row, "gaps", column, name) for row in rows)
        )
        for column, gaps in (rows[-1].get("gaps") or {}).items()
        for name in gaps
    ]


def _against_before(row: dict[str, Any], kind: str, name: str, key: str) -> Cell:
    value = finite(((row.get(kind) or {}).get(name) or {}).get(key))
    change = finite((((row.get("to_before") or {}).get(kind) or {}).get(name) or {}).get(key))
    return Cell(_written(value), Markup("") if not change else Markup("{}").format(f"{change:+.4f}"))


def _value(row: dict[str, Any], name: str) -> float | None:
    return finite(((row.get("metrics") or {}).get(name) or {}).get("value"))


def _written(value: float | None) -> str:
    return "–" if value is None else significant(value)


def _percent(value: Any) -> str:
    number = finite(value)
    return "–" if number is None else percent(number)


def _time(value: Any) -> str:
    number = finite(value)
    return "–" if number is None else seconds(number)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{key}: {_plain(item)}" for key, item in value.items())
        return f"{{{inner}}}"
    return str(value)
