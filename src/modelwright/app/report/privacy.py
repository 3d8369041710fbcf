"""Privacy, claimed against measured, in words of both languages: epsilon never stands there without its delta."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from .axis import linear_axis
from .bilingual import say
from .quantities import count, percent, significant
from .whiskers import axis_labels, whisker


@dataclass(frozen=True)
class Line:
    """One sentence, and whether it is good news (`fine`), bad (`severe`), or neither (`plain`)."""

    style: str
    sentence: Markup


@dataclass(frozen=True)
class Picture:
    """One row of whiskers with its axis, and what the marks stand for."""

    caption: Markup
    drawing: Markup
    axis: Markup


@dataclass(frozen=True)
class Privacy:
    """What the section on privacy shows: the claim, what was measured, drawn too, and each direct test."""

    claimed: tuple[Line, ...]
    measured: tuple[Line, ...]
    checks: tuple[tuple[bool, str, str, str], ...]
    pictures: tuple[Picture, ...]


def view_privacy(training: dict[str, Any], audit: dict[str, Any]) -> Privacy | None:
    """Return what is claimed and measured of a run's privacy, or nothing where neither was."""
    spent = training.get("privacy") or {}
    if not spent and not audit:
        return None
    checks = tuple(
        (bool(check.get("passed")), str(check.get("name")), str(check.get("found")), str(check.get("expected")))
        for check in audit.get("checks") or []
    )
    return Privacy(
        tuple(_claimed(spent)), tuple(_measured(audit, spent, checks)), checks, tuple(_pictures(audit, spent))
    )


def _pictures(audit: dict[str, Any], spent: dict[str, Any]) -> list[Picture]:
    """Draw what was proved beside what is claimed, and whom an attack finds beside whom chance would."""
    found = []
    if canaries := audit.get("canaries"):
        proved, claimed = canaries["lower_bound"], canaries["claimed"]
        axis = linear_axis(0.0, max(proved, claimed))
        caption = say(
            "Epsilon at delta {delta}: the line goes from what the canaries prove to what is claimed, the dot.",
            delta=significant(spent.get("delta", math.nan)),
        )
        drawing = whisker(axis, claimed, min(proved, claimed), max(proved, claimed))
        found.append(Picture(caption, drawing, axis_labels(axis)))
    if members := audit.get("membership"):
        chance = members["allowed"] / members["others"]
        axis = linear_axis(0.0, max(members["high"], chance))
        caption = say(
            "Share of the training examples that are found, with its interval; the ring is what chance finds, {chance}.",
            chance=percent(chance),
        )
        drawing = whisker(axis, members["rate"], members["low"], members["high"], others=[chance])
        found.append(Picture(caption, drawing, axis_labels(axis)))
    return found


def _claimed(spent: dict[str, Any]) -> list[Line]:
    if not spent:
        return [Line("plain", say("The training was not private: nothing bounds what the weights tell of an example."))]
    delta = significant(spent["delta"])
    lines = [
        say(
            "The weights are ({epsilon}, {delta})-differentially private: with or without any one training example, whatever may be "
            "learnt from them is at most {factor} times as probable, but for a chance of {delta}.",
            epsilon=significant(spent["epsilon"]),
            delta=delta,
            factor=significant(math.exp(min(spent["epsilon"], 700.0))),
        ),
        say(
            "Counted by the PRV accountant of opacus {opacus}; the PLD accountant of dp-accounting {other} finds epsilon {checked} "
            "at delta {delta}. {steps} steps, sampling rate {rate}, noise {noise} times clip {clip}.",
            opacus=spent["versions"]["opacus"],
            other=spent["versions"]["dp-accounting"],
            checked=significant(spent["epsilon_checked"]),
            delta=delta,
            steps=count(spent["steps"]),
            rate=significant(spent["rate"]),
            noise=significant(spent["noise"]),
            clip=significant(spent["clip"]),
        ),
        say(
            "Not covered: what preprocessing learnt (scaling, vocabulary), reported losses, and the validation part, which decides "
            "what is kept."
        ),
    ]
    if spent["begun"] > spent["steps"]:
        again = say(
            "{again} steps were taken again after an interruption; counting both, epsilon is {begun} at delta {delta}.",
            again=count(spent["begun"] - spent["steps"]),
            begun=significant(spent["epsilon_begun"]),
            delta=delta,
        )
        lines.insert(1, again)
    return [Line("plain", line) for line in lines]


def _measured(
    audit: dict[str, Any], spent: dict[str, Any], checks: tuple[tuple[bool, str, str, str], ...]
) -> list[Line]:
    lines = []
    if checks:
        passed = sum(check[0] for check in checks)
        text = "{passed} of {total} direct tests of noise, clipping, sampling and counting pass."
        style = "fine" if passed == len(checks) else "severe"
        lines.append(Line(style, say(text, passed=passed, total=len(checks))))
    if canaries := audit.get("canaries"):
        lines.append(_bound(canaries, spent))
    if membership := audit.get("membership"):
        lines.append(_membership(membership))
    return lines


def _bound(canaries: dict[str, Any], spent: dict[str, Any]) -> Line:
    claimed = canaries["claimed"]
    stands = canaries["lower_bound"] <= claimed
    text = (
        "Of {guesses} guesses which of {canaries} canaries were in a second training, {right} were right: with {confidence} "
        "confidence epsilon is at least {bound} at delta {delta}, and {claimed} is claimed. "
    ) + ("The claim stands." if stands else "The claim is refuted.")
    sentence = say(
        text,
        guesses=count(canaries["guesses"]),
        canaries=count(canaries["canaries"]),
        right=count(canaries["right"]),
        confidence=percent(canaries["confidence"]),
        bound=significant(canaries["lower_bound"]),
        delta=significant(spent.get("delta", math.nan)),
        claimed=significant(claimed),
    )
    return Line("fine" if stands else "severe", sentence)


def _membership(found: dict[str, Any]) -> Line:
    text = (
        "An outsider who may be wrong about {allowed} of {others} others finds {rate} of the training examples (between {low} and "
        "{high}), by comparing with {shadows} shadow models."
        if found["shadows"]
        else "An outsider who may be wrong about {allowed} of {others} others finds {rate} of the training examples (between {low} "
        "and {high}), by how sure the model is."
    )
    sentence = say(
        text,
        allowed=count(found["allowed"]),
        others=count(found["others"]),
        rate=percent(found["rate"]),
        low=percent(found["low"]),
        high=percent(found["high"]),
        shadows=count(found["shadows"]),
    )
    return Line("plain", sentence)
