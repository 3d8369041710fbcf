"""Why the model answers so: pictures of a layer's features, what single answers rest on, and what was made of all that in tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from .axis import Axis, linear_axis
from .bilingual import say
from .drawing import frame, line, plot, tag
from .explained import Sample, view_samples
from .explaining_words import METHODS, NOTES
from .imitating import Surrogate, view_surrogates
from .quantities import count, finite, percent, significant
from .whiskers import bar

HEIGHT, SQUARE = 180, 320
# Colours of classes; with more classes they come again.
HUES = 10
CHECKS = {
    "attribution_deletion": "Taking away what weighs most, the answer falls faster than in random orders",
    "attribution_insertion": "Putting back what weighs most, the answer rises faster than in random orders",
    "attribution_randomisation": "Unlike the explanation of models that learnt nothing (0: as unlike as chance, 1: the same)",
    "attribution_completeness": "Adds up to the change that it explains (share missed)",
}


@dataclass(frozen=True)
class Projection:
    """One picture of the features in two dimensions, and how far it can be believed."""

    identifier: str
    name: Markup
    layer: str
    drawing: Markup
    note: Markup


@dataclass(frozen=True)
class Check:
    """One sanity check: what it says, what was found, and whether it passed."""

    name: Markup
    value: str
    interval: str
    n: str
    passed: bool
    reason: str


@dataclass(frozen=True)
class Method:
    """One attribution with its checks and its two curves, and for the whole table the worth of each column."""

    kind: str
    name: Markup
    note: Markup
    checks: tuple[Check, ...]
    curves: tuple[tuple[str, Markup, Markup], ...]
    columns: tuple[tuple[str, str, Markup], ...]


@dataclass(frozen=True)
class Explaining:
    """What the section shows."""

    projections: tuple[Projection, ...]
    legend: tuple[tuple[int, str], ...]
    methods: tuple[Method, ...]
    checked: str
    samples: tuple[Sample, ...]
    surrogates: tuple[Surrogate, ...]


def view_explaining(found: dict[str, Any], folder: Path) -> Explaining | None:
    """Return what was explained, or nothing where nothing was asked; pictures are taken from the folder only."""
    if not found:
        return None
    classes = [str(name) for name in found.get("classes") or []]
    projections = tuple(_projection(item) for item in found.get("projections") or [])
    methods = tuple(_method(item) for item in found.get("attributions") or [])
    return Explaining(
        projections=projections,
        legend=tuple((number % HUES, name) for number, name in enumerate(classes)) if projections else (),
        methods=methods,
        checked=count(found.get("checked") or 0),
        samples=view_samples(found.get("examples") or [], folder),
        surrogates=view_surrogates(found.get("surrogates") or []),
    )


def method_name(kind: str) -> Markup:
    """Return the name of a method as people write it."""
    return say(METHODS.get(kind, kind))


def _projection(item: dict[str, Any]) -> Projection:
    kind, places = str(item["kind"]), [(float(x), float(y)) for x, y in item["places"]]
    identifier, agreement = f"projection-{kind}", item["agreement"]
    note = say(
        "Trustworthiness {trust}. Of {n} validation examples, {share} lie among neighbours of their own class (between {low} and "
        "{high}); among all features of the layer it is {layer}.",
        trust=significant(item["trustworthiness"]),
        n=count(len(places)),
        share=percent(agreement["value"]),
        low=percent(agreement["low"]),
        high=percent(agreement["high"]),
        layer=percent(agreement["in_layer"]),
    )
    if "variance" in item:
        note += Markup(" ") + say("The two directions hold {share} of the variance.", share=percent(item["variance"]))
    return Projection(
        identifier, method_name(kind), str(item["layer"]), _scatter(places, item["classes"], identifier), note
    )


def _scatter(places: list[tuple[float, float]], classes: list[int], identifier: str) -> Markup:
    """Draw one path of dots for each class, so that a thousand examples weigh little."""
    ends = [(min(values), max(values)) for values in zip(*places, strict=True)]
    across, up = ([3 + 94 * (value - low) / ((high - low) or 1) for value in values]
                  for values, (low, high) in zip(zip(*places, strict=True), ends, strict=True))  # fmt: skip
    paths = []
    for number in sorted(set(classes)):
        dots = "".join(
            f"M{x:.1f} {100 - y:.1f}h0" for x, y, own in zip(across, up, classes, strict=True) if own == number
        )
        paths.append(tag("path", d=dots, class_=f"dots hue-{number % HUES}", vector_effect="non-scaling-stroke"))
    inner = tag("svg", *paths, width="100%", height="100%", viewBox="0 0 100 100", preserveAspectRatio="none")
    return plot(SQUARE, identifier, inner)


def _method(item: dict[str, Any]) -> Method:
    kind, facts = str(item["kind"]), item.get("facts") or {}
    note = say(NOTES.get(kind, ""))
    if "layer" in facts:
        note += Markup(" ") + say("Layer: {layer}.", layer=facts["layer"])
    curves = tuple(
        (f"{name}-{kind}", say(caption), _curves(item["curves"][name], f"{name}-{kind}"))
        for name, caption in (("deletion", "Parts taken away"), ("insertion", "Parts put back"))
        if name in (item.get("curves") or {})
    )
    checks = tuple(_check(claim) for claim in item.get("checks") or [])
    return Method(kind, method_name(kind), note, checks, curves, _columns(facts))


def _check(claim: dict[str, Any]) -> Check:
    value, low, high = (finite(claim.get(name)) for name in ("value", "low", "high"))
    return Check(
        name=say(CHECKS.get(str(claim["name"]).partition("[")[0], str(claim["name"]))),
        value="–" if value is None else significant(value),
        interval="" if low is None or high is None else f"{significant(low)} – {significant(high)}",
        n=count(claim.get("n") or 0),
        passed=claim.get("status") == "measured",
        reason=str(claim.get("reason", "")),
    )


def _curves(found: dict[str, Any], identifier: str) -> Markup:
    across, up = Axis(0.0, 1.0, (0.0, 0.5, 1.0)), linear_axis(0.0, max(1.0, *found["curve"], *found["random"]), 4)
    lines = []
    for name, style in (("random", "training"), ("curve", "validation")):
        values = found[name]
        points = [(100 * step / (len(values) - 1), 100 - up.at(value)) for step, value in enumerate(values)]
        lines.append(line(points, style))
    return plot(HEIGHT, identifier, frame(across, up), *lines)


def _columns(facts: dict[str, Any]) -> tuple[tuple[str, str, Markup], ...]:
    """Return the columns of a table, the weightiest first."""
    named = list(zip(facts.get("columns") or [], facts.get("mean") or [], facts.get("deviation") or [], strict=True))
    if not named:
        return ()
    # What helps when it is dealt out anew is worth nothing, and has no bar.
    axis = linear_axis(0.0, max(1e-9, *(mean for _, mean, _ in named)))
    return tuple(
        (str(name), f"{significant(mean)} ± {significant(deviation)}", bar(axis, mean))
        for name, mean, deviation in sorted(named, key=lambda item: -item[1])
    )
