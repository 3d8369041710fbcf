"""The search for better settings: what was chosen, the models in their order, how the best value grew, what mattered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ...core.journal import Record as Event
from .axis import Axis, linear_axis, step_axis
from .bilingual import measure_name
from .drawing import dot, frame, line, plot
from .quantities import count, finite, seconds, significant
from .whiskers import bar

HEIGHT = 240
# As many rows as a person may read; all trials are in the artifact.
SHOWN = 200


@dataclass(frozen=True)
class Place:
    """One model of the leaderboard: its kind, how many trials had it, its best value, as a bar too."""

    model: str
    trials: str
    value: str
    drawing: Markup


@dataclass(frozen=True)
class Trial:
    """One row of the table of trials."""

    number: str
    state: str
    value: str
    epochs: str
    seconds: str
    settings: str
    reason: str
    best: bool


@dataclass(frozen=True)
class Tuning:
    """What the section on the search shows."""

    measure: Markup
    method: str
    chosen: tuple[tuple[str, str], ...]
    models: tuple[Place, ...]
    history: Markup
    shares: tuple[tuple[str, str, Markup], ...]
    reason: str
    trials: tuple[Trial, ...]
    more: str


def view_tuning(found: dict[str, Any], events: list[Event]) -> Tuning | None:
    """Return what a search found, or nothing where there was none."""
    summary, trials = found.get("summary") or {}, [item for item in found.get("trials") or [] if isinstance(item, dict)]
    if not summary or not trials:
        return None
    took = {event.data.get("number"): event.data.get("seconds") for event in events if event.event == "trial ended"}
    importance = found.get("importance") or {}
    shares = {name: share for name, share in (importance.get("shares") or {}).items() if finite(share) is not None}
    whole = Axis(0.0, 1.0, (0.0, 0.5, 1.0))
    return Tuning(
        measure=measure_name(f"validation_{summary.get('measure')}"),
        method=str(summary.get("method", "")),
        chosen=tuple((key, _plain(value)) for key, value in (found.get("edits") or {}).items()),
        models=_leaderboard(trials, bool(summary.get("maximise"))),
        history=_history(trials, bool(summary.get("maximise"))),
        shares=tuple((name, significant(share), bar(whole, share)) for name, share in shares.items()),
        reason=str(importance.get("reason", "")),
        trials=tuple(_trial(item, took.get(item.get("number")), summary.get("best")) for item in trials[:SHOWN]),
        more=count(len(trials) - SHOWN) if len(trials) > SHOWN else "",
    )


def _trial(item: dict[str, Any], took: Any, best: Any) -> Trial:
    value, epochs, spent = finite(item.get("value")), finite(item.get("epochs")), finite(took)
    edits = item.get("edits") or {}
    return Trial(
        number=count(int(item.get("number", 0)) + 1),
        state=str(item.get("state", "")),
        value="–" if value is None else significant(value),
        epochs="–" if epochs is None else f"{epochs:g}",
        seconds="–" if spent is None else seconds(spent),
        settings=" ".join(f"{key}={_plain(value)}" for key, value in edits.items()),
        reason=str(item.get("reason", "")),
        best=item.get("number") == best,
    )


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        inner = ", ".join(f"{key}: {_plain(item)}" for key, item in value.items())
        return f"{{{inner}}}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _finished(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in trials if item.get("state") == "finished" and finite(item.get("value")) is not None]


def _leaderboard(trials: list[dict[str, Any]], maximise: bool) -> tuple[Place, ...]:
    """Return the models that were tried, the best first; nothing where there was only one."""
    by_model: dict[str, list[dict[str, Any]]] = {}
    for item in trials:
        model = (item.get("edits") or {}).get("model")
        if model is not None:
            by_model.setdefault(str(model.get("kind") if isinstance(model, dict) else model), []).append(item)
    if len(by_model) < 2:
        return ()
    pick = max if maximise else min
    bests = {
        model: pick(finite(item["value"]) or 0.0 for item in _finished(items)) if _finished(items) else None
        for model, items in by_model.items()
    }
    known = [value for value in bests.values() if value is not None]
    axis = linear_axis(0.0, max(known, default=1.0))
    ranked = sorted(bests, key=lambda model: (bests[model] is None, (bests[model] or 0.0) * (-1 if maximise else 1)))
    return tuple(
        Place(
            model,
            count(len(by_model[model])),
            "–" if (value := bests[model]) is None else significant(value),
            Markup("") if value is None else bar(axis, value),
        )
        for model in ranked
    )


def _history(trials: list[dict[str, Any]], maximise: bool) -> Markup:
    """Draw every trial as a dot and the best value so far as a line."""
    valued = [
        (int(item["number"]) + 1, float(item["value"]), item)
        for item in trials
        if finite(item.get("value")) is not None
    ]
    if not valued:
        return Markup("")
    across = step_axis(len(trials))
    up = linear_axis(min(value for _, value, _ in valued), max(value for _, value, _ in valued))
    pick = max if maximise else min
    course: list[tuple[float, float]] = []
    for number, value, item in valued:
        if item.get("state") == "finished":
            height = 100 - up.at(value if not course else pick(value, _best_until(valued, number, maximise)))
            course += [(across.at(number), course[-1][1])] if course else []
            course.append((across.at(number), height))
    dots = [
        dot(
            across.at(number),
            100 - up.at(value),
            "point validation" if item.get("state") == "finished" else "point training",
            3.5,
            f"{count(number)}: {significant(value)}",
        )
        for number, value, item in valued
    ]
    best = [line(course, "validation")] if len(course) > 1 else []
    return plot(HEIGHT, "tuning-history", frame(across, up), *best, *dots)


def _best_until(valued: list[tuple[int, float, dict[str, Any]]], last: int, maximise: bool) -> float:
    pick = max if maximise else min
    return pick(value for number, value, item in valued if number <= last and item.get("state") == "finished")
