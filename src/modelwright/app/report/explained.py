"""Single answers and what they rest on: pictures under a veil of colour, tokens marked, fields with bars."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from .bilingual import say
from .examples import PIXELS, read_picture, width_of
from .explaining_words import METHODS
from .quantities import count, finite, percent, significant

# All pictures of this section together.
PICTURE_BYTES = 1_500_000
FIELDS_SHOWN = 10
# Methods that know no class, so that nothing speaks for or against one.
NO_SIDE = frozenset({"attention_rollout"})


@dataclass(frozen=True)
class Mark:
    """One part: its text, its side (`for`, `against`, `mixed` where none is taken, or nothing), how strongly (0 to 1), the weight."""

    text: str
    side: str
    strength: float
    weight: str
    value: str = ""


@dataclass(frozen=True)
class Reason:
    """What one method says of one answer: a picture, or the parts with their weights."""

    method: Markup
    picture: str
    tokens: tuple[Mark, ...]
    fields: tuple[Mark, ...]


@dataclass(frozen=True)
class Sample:
    """One example with its answer and the reasons for it."""

    title: Markup
    row: str
    true: str
    answered: str
    wrong: bool
    probability: str
    picture: str
    pixelated: bool
    reasons: tuple[Reason, ...]


def view_samples(items: list[Any], folder: Path) -> tuple[Sample, ...]:
    """Return the examples; pictures are taken from the folder only, until they weigh too much."""
    left, samples = PICTURE_BYTES, []
    for item in items:
        if not isinstance(item, dict):
            continue
        shown: dict[str, bytes] = {}
        weights = item.get("weights") or {}
        for method, name in [("", item.get("image")), *weights.items()]:
            content = read_picture(folder, name) if isinstance(name, str) else b""
            shown[method] = content if len(content) <= left else b""
            left -= len(shown[method])
        samples.append(_sample(item, shown))
    return tuple(samples)


def _sample(item: dict[str, Any], shown: dict[str, bytes]) -> Sample:
    probability, row = finite(item.get("probability_of_answer")), finite(item.get("row"))
    return Sample(
        title=say("worst example" if item.get("why") == "worst" else "typical example"),
        row="" if row is None else count(row),
        true=str(item.get("target", "")),
        answered=str(item.get("answer", "")),
        wrong=item.get("target") != item.get("answer"),
        probability="–" if probability is None else percent(probability),
        picture=_data(shown[""]),
        pixelated=width_of(shown[""]) < PIXELS,
        reasons=tuple(_reason(method, found, item, shown) for method, found in (item.get("weights") or {}).items()),
    )


def _reason(method: str, found: Any, item: dict[str, Any], shown: dict[str, bytes]) -> Reason:
    name, parts = say(METHODS.get(method, method)), item.get("parts") or []
    if isinstance(found, str) or len(found) != len(parts):
        return Reason(name, _data(shown.get(method, b"")), (), ())
    fields = item.get("fields") if isinstance(item.get("fields"), dict) else None
    numbers = [float(weight) for weight in found]
    # What takes no side is shown from its least: all shares are above nothing.
    least = min(numbers, default=0.0) if method in NO_SIDE else 0.0
    most = max((abs(weight - least) for weight in numbers), default=0.0) or 1.0
    marks = [_mark(str(part), weight, least, most, fields) for part, weight in zip(parts, numbers, strict=True)]
    if method in NO_SIDE:
        marks = [replace(mark, side="mixed" if mark.side else "") for mark in marks]
    if fields is None:
        return Reason(name, "", tuple(marks), ())
    return Reason(name, "", (), tuple(sorted(marks, key=lambda mark: -mark.strength)[:FIELDS_SHOWN]))


def _mark(text: str, weight: float, least: float, most: float, fields: dict[str, Any] | None) -> Mark:
    strength = round(abs(weight - least) / most, 3)
    side = "" if strength < 0.02 else "for" if weight > 0 else "against"
    value = (fields or {}).get(text)
    return Mark(text, side, strength, significant(weight), "–" if value is None else str(value)[:60])


def _data(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}" if content.startswith(b"\x89PNG") else ""
