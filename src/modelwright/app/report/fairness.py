"""Fairness: the rates of each declared group, how far the groups lie apart, and what each mitigation would change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ...core.evidence import Evidence
from .axis import Axis, linear_axis
from .bilingual import say
from .drawing import at, dot, frame, plot, tag
from .metrics import Group, Row, view_row
from .quantities import count, finite, percent, significant
from .whiskers import axis_labels

HEIGHT = 260
# As fractions all of them, so that the rates of all groups can be compared by eye.
WHOLE = Axis(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))
SHOWN_GAPS = ("demographic_parity_difference", "equalised_odds_difference", "equal_opportunity_difference")
NAMES = {
    "demographic_parity_difference": "Demographic parity difference",
    "demographic_parity_ratio": "Demographic parity ratio",
    "equalised_odds_difference": "Equalised odds difference",
    "equalised_odds_ratio": "Equalised odds ratio",
    "equal_opportunity_difference": "Equal opportunity difference",
    "accuracy_difference": "Accuracy difference",
    "selection_rate": "Selection rate",
    "tpr": "True positive rate",
    "fpr": "False positive rate",
    "ppv": "Positive predictive value",
    "accuracy": "Accuracy",
    "reweighing": "reweighing",
    "group_robust": "group-robust",
}


@dataclass(frozen=True)
class Compared:
    """One comparison: what tells its groups apart, how far they lie apart, and every rate of every group."""

    name: str
    gaps: Group | None
    reason: str
    left_out: str
    rates: tuple[Group, ...]


@dataclass(frozen=True)
class Mitigation:
    """One row of the table of before and after."""

    name: Markup
    accuracy: str
    gaps: tuple[tuple[str, str], ...]
    thresholds: str
    reason: str


@dataclass(frozen=True)
class Fairness:
    """What the section on fairness shows."""

    note: Markup
    compared: tuple[Compared, ...]
    mitigations: tuple[Mitigation, ...]
    gap: Markup
    drawing: Markup


def view_fairness(found: dict[str, Any]) -> Fairness | None:
    """Return what an audit of fairness found, or nothing where no groups were declared."""
    if not found.get("comparisons"):
        return None
    rows = found.get("mitigations") or []
    note = say(
        "Called favourable: {classes}. Intervals hold with {confidence}; groups with fewer than {least} rows are named and not "
        "judged.",
        classes=", ".join(map(str, found["positive"])),
        confidence=percent(found["confidence"]),
        least=count(found["least"]),
    )
    gap = f"{found.get('constraint', 'equalised_odds')}_difference"
    return Fairness(
        note=note,
        compared=tuple(_compared(one) for one in found["comparisons"]),
        mitigations=tuple(_mitigation(row) for row in rows),
        gap=_word(gap),
        drawing=_trade_off(rows, gap),
    )


def _compared(one: dict[str, Any]) -> Compared:
    gaps = [_claim(name, item) for name, item in (one.get("gaps") or {}).items()]
    names = list((one["groups"] or [{"rates": {}}])[0]["rates"])
    return Compared(
        name=str(one["name"]),
        gaps=Group(
            say("Gaps"),
            axis_labels(WHOLE),
            tuple(view_row(item, WHOLE, name=_word(item.name)) for item in gaps),
            (),
        )
        if gaps
        else None,
        reason=str(one.get("reason", "")),
        left_out=", ".join(map(str, one.get("left_out") or [])),
        rates=tuple(
            Group(_word(name), axis_labels(WHOLE), tuple(_rate(group, name) for group in one["groups"]), ())
            for name in names
        ),
    )


def _word(name: str) -> Markup:
    return say(NAMES.get(name, name))


def _rate(group: dict[str, Any], name: str) -> Row:
    item = group["rates"][name]
    row = view_row(_claim(name, item), WHOLE, name=Markup("{}").format(group["name"]))
    reason: Any = item.get("reason") or ""
    if group.get("reason"):
        reason = say("too few to judge")
    elif reason:
        reason = say(reason)
    blank = {"drawing": Markup(""), "value": "–", "interval": ""} if group.get("reason") else {}
    return Row(**{**row.__dict__, **blank, "reason": reason})


def _claim(name: str, item: dict[str, Any]) -> Evidence:
    value = finite(item.get("value"))
    return Evidence(name, value, "fraction", finite(item.get("low")), finite(item.get("high")), n=item.get("n"))


def _mitigation(row: dict[str, Any]) -> Mitigation:
    gaps = []
    for name in SHOWN_GAPS:
        item = (row.get("gaps") or {}).get(name) or {}
        value, low, high = (finite(item.get(key)) for key in ("value", "low", "high"))
        shown = "–" if value is None else significant(value)
        gaps.append((shown, f"{low:.3f} – {high:.3f}" if low is not None and high is not None else ""))
    thresholds = row.get("thresholds") or {}
    return Mitigation(
        name=_word(str(row.get("name"))),
        accuracy="–" if "accuracy" not in row else significant(float(row["accuracy"])),
        gaps=tuple(gaps),
        thresholds=", ".join(f"{group} {value:.3f}" for group, value in thresholds.items()),
        reason=str(row.get("reason", "")),
    )


def _trade_off(rows: list[dict[str, Any]], gap: str) -> Markup:
    """Draw accuracy against the gap that was to be made small: one point for the model as it is and for each mitigation."""
    points = [
        (str(row["name"]), value, float(row["accuracy"]))
        for row in rows
        if (value := finite(((row.get("gaps") or {}).get(gap) or {}).get("value"))) is not None
    ]
    if len(points) < 2:
        return Markup("")
    across = linear_axis(0.0, max(value for _, value, _ in points))
    up = linear_axis(min(right for _, _, right in points), max(right for _, _, right in points))
    drawn = []
    for number, (name, value, right) in enumerate(points):
        x, y = across.at(value), 100 - up.at(right)
        style = "point validation" if number else "point training"
        drawn.append(dot(x, y, style, 5, f"{name}: {significant(value)}, {significant(right)}"))
        anchor = "end" if x > 70 else "start"
        drawn.append(
            tag(
                "text",
                say(NAMES.get(name, name), svg=True),
                x=at(x),
                y=at(y),
                dx=-10 if anchor == "end" else 10,
                dy="0.32em",
                text_anchor=anchor,
                class_="tick",
            )
        )
    return plot(HEIGHT, "fairness-trade-off", frame(across, up), *drawn)
