"""The journal as a short time line: what happened, when, and to which model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ...core.journal import Record as Event
from .bilingual import say
from .quantities import clock, moment, quantity, seconds, short

SHOWN = 40
LOUD = {
    "stage failed": "bad",
    "checkpoint damaged": "bad",
    "torn record removed": "bad",
    "row quarantined": "warn",
    "rows in two parts": "warn",
}
MARKED = {"test part opened": "mark", "gates judged": "mark", "training resumed": "mark"}
# What these say is said by others: a stage that finished was started.
QUIET = ("stage started",)


@dataclass(frozen=True)
class Moment:
    """One thing that happened."""

    date: str
    clock: str
    style: str
    sentence: Markup
    times: int = 1


@dataclass(frozen=True)
class Timeline:
    """The newest events, the older ones, and how many there are."""

    earlier: tuple[Moment, ...]
    shown: tuple[Moment, ...]


def view_timeline(events: Iterable[Event]) -> Timeline:
    """Return the events worth telling; equal neighbours of a kind (quarantined rows) are told once."""
    told: list[Moment] = []
    before = ""
    for event in events:
        if event.event in QUIET:
            continue
        if told and event.event == before == "row quarantined":
            told[-1] = Moment(**{**told[-1].__dict__, "times": told[-1].times + 1})
            continue
        style = LOUD.get(event.event) or MARKED.get(event.event, "")
        if event.event == "gates judged" and any(not item.get("passed") for item in event.data.get("verdicts") or []):
            style = "bad"
        told.append(Moment(moment(event.time)[:10], clock(event.time), style, _sentence(event)))
        before = event.event
    cut = max(0, len(told) - SHOWN)
    return Timeline(tuple(told[:cut]), tuple(told[cut:]))


def _sentence(event: Event) -> Markup:
    data = event.data
    stage = say(str(data.get("stage", "")))
    if event.event == "run started":
        return say(
            "Run started: {stages}", stages=Markup(", ").join(say(str(name)) for name in data.get("stages") or [])
        )
    if event.event == "stage finished":
        return say("{stage} finished in {seconds}", stage=stage, seconds=seconds(float(data.get("seconds", 0.0))))
    if event.event == "stage skipped":
        return say("{stage}: made already", stage=stage)
    if event.event == "stage failed":
        return say("{stage} stopped: {reason}", stage=stage, reason=data.get("reason", ""))
    if event.event == "test part opened":
        return say("Test part opened for model {model}", model=_code(short(str(data.get("model", "")))))
    if event.event == "gates judged":
        verdicts = data.get("verdicts") or []
        passed = sum(bool(item.get("passed")) for item in verdicts)
        return say(
            "Gates judged for model {model}: {passed} of {total} hold",
            model=_code(short(str(data.get("model", "")))),
            passed=passed,
            total=len(verdicts),
        )
    return _other_sentence(event.event, data)


def _other_sentence(name: str, data: dict[str, Any]) -> Markup:
    if name == "auto resolved":
        return say(
            "{name} became {value}: {why}",
            name=_code(data.get("name", "")),
            value=data.get("value", ""),
            why=data.get("why", ""),
        )
    if name == "training resumed":
        return say("Training resumed after step {step}", step=quantity(float(data.get("step", 0)), "steps"))
    if name == "checkpoint damaged":
        return say("Damaged checkpoint found: {reason}", reason=data.get("reason", ""))
    if name == "row quarantined":
        return say(
            "Row quarantined: {origin}, {reason}", origin=_code(data.get("origin", "")), reason=data.get("reason", "")
        )
    if name == "rows in two parts":
        return say(
            "Rows that stand in two parts: {number}; policy: {policy}",
            number=data.get("between_parts", ""),
            policy=_code(data.get("policy", "")),
        )
    if name == "torn record removed":
        return say("A torn journal record of {bytes} bytes was removed", bytes=data.get("bytes", ""))
    if name == "run finished":
        return say("Run finished")
    # An event that this page does not know yet, as it stands in the journal.
    return Markup("{} {}").format(name, _code(", ".join(f"{key}={value}" for key, value in data.items())[:300]))


def _code(text: object) -> Markup:
    return Markup("<code>{}</code>").format(text)
