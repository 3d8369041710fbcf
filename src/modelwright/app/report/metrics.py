"""The metrics with their intervals: what comes first, which way is better, on which axis they are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ...core.evidence import Evidence
from .axis import Axis, linear_axis
from .bilingual import measure_name, say, unit_name
from .quantities import bounds, count, finite, percent, quantity, significant
from .whiskers import axis_labels, end_labels, whisker

HEADLINE = (
    "accuracy",
    "balanced_accuracy",
    "f1_macro",
    "roc_auc",
    "pr_auc",
    "recall_at_90_precision",
    "log_loss",
    "loss",
    "bits_per_character",
    "bits_per_byte",
    "perplexity",
    "brier",
    "calibration_error",
)
LOWER_IS_BETTER = (
    "log_loss",
    "brier",
    "calibration_error",
    "perplexity",
    "loss",
    "validation_loss",
    "bits_per_character",
    "bits_per_byte",
    "unknown_tokens",
    "l1",
    "perceptual",
    "kid",
    "style_distance",
    "style_distance_ratio",
)


@dataclass(frozen=True)
class Row:
    """One metric: its name, the drawing, the numbers, how it was measured."""

    name: Markup
    code: str
    drawing: Markup
    value: str
    interval: str
    n: str
    method: str
    source: str
    reason: str


@dataclass(frozen=True)
class Group:
    """Metrics that are read the same way; they share an axis, or each has its own (no labels then)."""

    title: Markup
    axis: Markup
    rows: tuple[Row, ...]
    more: tuple[Row, ...]


@dataclass(frozen=True)
class Headline:
    """The one number on top of the page."""

    name: Markup
    value: str
    interval: str
    confidence: str
    n: str
    drawing: Markup
    axis: Markup
    part: Markup


def base(name: str) -> str:
    """Return a claim's name without its slice."""
    return name.split("[")[0]


def pick_headline(claims: Sequence[Evidence], fallback: Evidence | None) -> Headline | None:
    """Return the first headline metric that was measured; without one, the accuracy on the validation part."""
    by_name = {item.name: item for item in claims if item.value is not None}
    found = next((by_name[name] for name in HEADLINE if name in by_name), None) or next(
        (item for item in by_name.values() if item.low is not None), None
    )
    part = say("on the test part")
    if found is None:
        found, part = fallback, say("on the validation part, which chose the model")
    if found is None or found.value is None:
        return None
    axis = _shared_axis([found]) if not _lower(found) else _own_axis(found)
    drawn = found.low is not None and found.high is not None
    return Headline(
        name=measure_name(found.name),
        value=significant(found.value),
        interval=bounds(found.value, found.low, found.high) if found.low is not None and found.high is not None else "",
        confidence=percent(found.confidence) if found.confidence else "",
        n=count(found.n) if found.n else "",
        drawing=whisker(axis, found.value, found.low, found.high, style="large") if drawn else Markup(""),
        axis=axis_labels(axis) if drawn else Markup(""),
        part=part,
    )


def list_methods(claims: Sequence[Evidence]) -> tuple[str, ...]:
    """Return how the intervals were made: the first way, then the others with the measures they were used for."""
    ways: dict[str, list[str]] = {}
    for item in claims:
        if item.low is not None and "[" not in item.name:
            way = f"{item.method}, {percent(item.confidence)}" if item.confidence else item.method
            ways.setdefault(way, []).append(item.name)
    return tuple(
        way if index == 0 else f"{way} ({', '.join(names)})" for index, (way, names) in enumerate(ways.items())
    )


def group_metrics(claims: Sequence[Evidence]) -> tuple[Group, ...]:
    """Return the metrics of the whole test part, those that people compare first."""
    whole = [item for item in claims if "[" not in item.name]
    whole.sort(key=lambda item: HEADLINE.index(item.name) if item.name in HEADLINE else len(HEADLINE))
    higher = [item for item in whole if not _lower(item) and item.unit == "fraction"]
    lower = [item for item in whole if _lower(item)]
    other = [item for item in whole if item not in higher and item not in lower]
    groups = []
    if higher:
        axis = _shared_axis(higher)
        rows = [view_row(item, axis) for item in higher]
        first = sum(item.name in HEADLINE for item in higher) or len(rows)
        groups.append(Group(say("higher is better"), axis_labels(axis), tuple(rows[:first]), tuple(rows[first:])))
    if lower:
        groups.append(
            Group(
                say("lower is better, each on its own scale"), Markup(""), tuple(_own_row(item) for item in lower), ()
            )
        )
    if other:
        groups.append(
            Group(say("other measures, each on its own scale"), Markup(""), tuple(_own_row(item) for item in other), ())
        )
    return tuple(groups)


def view_row(item: Evidence, axis: Axis | None, others: Sequence[float] = (), name: Markup | None = None) -> Row:
    """Return one claim as a row; without an axis, or without a value, nothing is drawn."""
    drawing = (
        whisker(axis, item.value, item.low, item.high, others=others) if axis and item.value is not None else Markup("")
    )
    return Row(
        name=measure_name(item.name) if name is None else name,
        code=item.name,
        drawing=drawing,
        value=quantity(item.value, item.unit) if item.value is not None else "–",
        interval=bounds(item.value, item.low, item.high)
        if item.value is not None and item.low is not None and item.high is not None
        else "",
        n=count(item.n) if item.n else "",
        method=f"{item.method}; {percent(item.confidence)}" if item.confidence else item.method,
        source=item.source,
        reason=f"{item.status.replace('_', ' ')}: {item.reason}" if item.status in ("not_applicable", "failed") else "",
    )


def view_folds(evaluation: dict[str, Any], claims: Sequence[Evidence]) -> tuple[Row, ...]:
    """Return the metrics of cross-validation: the mean with its interval, and one ring per fold."""
    rows = []
    folds = [fold for fold in evaluation.get("folds") or [] if isinstance(fold, dict)]
    for item in claims:
        if base(item.name) == "cross_validation" and item.value is not None:
            name = item.name[len("cross_validation[") : -1]
            scores = [score for fold in folds if (score := finite(fold.get(name))) is not None]
            axis = linear_axis(*_span([item], scores))
            row = view_row(item, Axis(axis.low, axis.high, (axis.low, axis.high)), scores, measure_name(name))
            rows.append(Row(**{**row.__dict__, "drawing": row.drawing + end_labels(axis)}))
    return tuple(rows)


@dataclass(frozen=True)
class Comparison:
    """One metric of this model and of the baselines, on one axis."""

    name: Markup
    axis: Markup
    rows: tuple[Row, ...]


def compare_floors(evaluation: dict[str, Any], claims: Sequence[Evidence]) -> tuple[Comparison, ...]:
    """Return this model beside the baseline models, metric by metric, where both were measured."""
    floors = [
        (str(floor.get("name", "?")), _claims_of(floor))
        for floor in evaluation.get("floors") or []
        if isinstance(floor, dict)
    ]
    mine = {item.name: item for item in claims if item.value is not None}
    compared = []
    for name in HEADLINE:
        others = [(label, found[name]) for label, found in floors if name in found]
        if name not in mine or not others:
            continue
        axis = linear_axis(*_span([mine[name], *(item for _, item in others)]))
        rows = [
            view_row(mine[name], axis, name=say("this model")),
            *(view_row(item, axis, name=_label(label)) for label, item in others),
        ]
        compared.append(Comparison(measure_name(name), axis_labels(axis), tuple(rows)))
    return tuple(compared)


def _claims_of(floor: dict[str, Any]) -> dict[str, Evidence]:
    found = [Evidence.from_json(item) for item in floor.get("claims") or [] if isinstance(item, dict)]
    return {item.name: item for item in found if item.value is not None}


def _label(text: str) -> Markup:
    return Markup("{}").format(text)


def _lower(item: Evidence) -> bool:
    return base(item.name) in LOWER_IS_BETTER


def _span(items: Iterable[Evidence], others: Sequence[float] = ()) -> tuple[float, float]:
    values = [value for item in items for value in (item.value, item.low, item.high) if value is not None]
    return min([*values, *others]), max([*values, *others])


def _shared_axis(items: Sequence[Evidence]) -> Axis:
    """From below the lowest whisker to 1, for fractions that are better when higher."""
    measured = [item for item in items if item.value is not None]
    low, high = _span(measured) if measured else (0.0, 1.0)
    return linear_axis(max(0.0, low) if high <= 1 else low, 1.0 if high <= 1 else high, 4)


def _own_axis(item: Evidence) -> Axis:
    low, high = _span([item])
    return linear_axis(min(0.0, low), high, 4)


def _own_row(item: Evidence) -> Row:
    if item.value is None:
        return view_row(item, None)
    axis = _own_axis(item)
    row = view_row(item, Axis(axis.low, axis.high, (axis.low, axis.high)))
    unit = unit_name(item.unit) if item.unit not in ("", "fraction") else Markup("")
    name = Markup("{} <span class='unit'>{}</span>").format(row.name, unit) if unit else row.name
    return Row(**{**row.__dict__, "name": name, "drawing": row.drawing + end_labels(axis)})
