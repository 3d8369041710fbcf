"""The diagnosis of a training: findings in words, the fit on both parts, and the gradient of each layer as a small picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from .bilingual import say
from .quantities import bounds, count, finite, share, significant

# As many cells as tell the story; a cell costs a hundred bytes of the page.
LAYERS, LOOKS = 20, 30
SEVERITIES = ("severe", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One finding: how bad it is, its sentence in both languages, and edits of the recipe to try."""

    severity: str
    sentence: Markup
    next: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One measure of the fit: on training examples, on validation examples, and the gap with its interval."""

    name: str
    training: str
    validation: str
    gap: str
    interval: str


@dataclass(frozen=True)
class Strip:
    """The gradient of one layer: how strong each cell is drawn and what its hint says; the last norm in words."""

    layer: str
    cells: tuple[tuple[float, str], ...]
    last: str


@dataclass(frozen=True)
class Diagnosis:
    """What the section on the diagnosis shows."""

    findings: tuple[Finding, ...]
    rows: tuple[Row, ...]
    n: str
    dead: str
    strips: tuple[Strip, ...]
    scale: Markup


def view_diagnosis(record: dict[str, Any]) -> Diagnosis | None:
    """Return the diagnosis of a training, or nothing where none was made."""
    found = record.get("diagnosis")
    if not isinstance(found, dict):
        return None
    fit = found.get("fit") or {}
    strips, scale = _strips(record.get("trace") or [])
    return Diagnosis(
        findings=tuple(_finding(item) for item in found.get("findings") or []),
        rows=_rows(fit),
        n=count(fit["n"]) if finite(fit.get("n")) else "",
        dead=_dead(record.get("dead_units") or {}),
        strips=strips,
        scale=scale,
    )


def _finding(item: dict[str, Any]) -> Finding:
    severity = str(item.get("severity", ""))
    numbers: dict[str, Any] = {name: _number(name, value) for name, value in (item.get("numbers") or {}).items()}
    sentence = say(str(item.get("words", "")), **numbers)
    return Finding(
        severity if severity in SEVERITIES else "note", sentence, tuple(str(edit) for edit in item.get("next") or [])
    )


def _number(name: str, value: Any) -> str:
    number = finite(value)
    if number is None:
        return str(value)
    if name.startswith("share"):
        return share(number, 1.0)
    return count(number) if name.startswith("step") else significant(number)


def _rows(fit: dict[str, Any]) -> tuple[Row, ...]:
    rows = []
    gap, confidence = fit.get("gap") or {}, fit.get("confidence") or {}
    there, here = finite(fit.get("training")), finite(fit.get("validation"))
    if there is not None and here is not None and _known(gap):
        interval = bounds(gap["value"], gap["low"], gap["high"])
        rows.append(Row("Loss", significant(there), significant(here), significant(gap["value"]), interval))
    there, here = finite(fit.get("training_accuracy")), finite(fit.get("validation_accuracy"))
    if there is not None and here is not None:
        rows.append(Row("Accuracy", significant(there), significant(here), significant(here - there), ""))
    if _known(confidence):
        interval = bounds(confidence["value"], confidence["low"], confidence["high"])
        rows.append(Row("Confidence less being right", "", significant(confidence["value"]), "", interval))
    return tuple(rows)


def _known(interval: dict[str, Any]) -> bool:
    return all(finite(interval.get(name)) is not None for name in ("value", "low", "high"))


def _dead(layers: dict[str, Any]) -> str:
    units = sum(total for _, total in layers.values())
    dead = sum(number for number, _ in layers.values())
    return f"{count(dead)} / {count(units)} ({share(dead, units)})" if units else ""


def _strips(trace: list[dict[str, Any]]) -> tuple[tuple[Strip, ...], Markup]:
    """Return a strip for each layer, the first layer on top; where there are too many, every so many of them."""
    turn = trace[0].get("turn") if trace else ""
    looks = _thinned([point for point in trace if point.get("turn") == turn], LOOKS)
    if len(looks) < 2:
        return (), Markup("")
    layers = _thinned(list(looks[0]["layers"]), LAYERS)
    norms = {
        layer: [(point["step"], finite((point["layers"].get(layer) or [None])[0])) for point in looks]
        for layer in layers
    }
    positive = [norm for strip in norms.values() for _, norm in strip if norm]
    if not positive:
        return (), Markup("")
    low, high = min(positive), max(positive)
    span = math.log(high / low) or 1.0

    def cell(step: float, norm: float | None) -> tuple[float, str]:
        # What was not finite is drawn as strong as can be.
        strength = 1.0 if norm is None else 0.0 if norm <= 0 else 0.08 + 0.92 * math.log(norm / low) / span
        return round(strength, 3), f"{count(step)}: {'∞' if norm is None else significant(norm)}"

    strips = tuple(
        Strip(layer, tuple(cell(*item) for item in strip), "∞" if strip[-1][1] is None else significant(strip[-1][1]))
        for layer, strip in norms.items()
    )
    scale = say(
        "Light is small, dark is large, on a logarithmic scale from {low} to {high}; steps {first} to {last}.",
        low=significant(low),
        high=significant(high),
        first=count(looks[0]["step"]),
        last=count(looks[-1]["step"]),
    )
    return strips, scale


def _thinned(items: list[Any], most: int) -> list[Any]:
    """Return at most so many items, evenly spread, the first and the last among them."""
    if len(items) <= most:
        return items
    return [items[round(index * (len(items) - 1) / (most - 1))] for index in range(most)]
