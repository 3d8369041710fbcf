"""What became of the run: released, refused, stopped, not reached or not asked for; and the gates that decided."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from markupsafe import Markup

from ...core.journal import Record as Event
from .bilingual import say
from .material import Material
from .quantities import finite, quantity, short

State = Literal["released", "refused", "stopped", "not_reached", "not_asked"]
COMPARISON = re.compile(r"(>=|<=|==|>|<)\s*(.+)$")
SIGNS = {">=": "≥", "<=": "≤", "==": "=", ">": ">", "<": "<"}


@dataclass(frozen=True)
class GateRow:
    """One gate: what it asks, whether it holds, what was found, what was needed, why not."""

    gate: str
    passed: bool
    found: str
    needed: str
    reason: str
    # Who answers for a release although this gate does not hold, and why.
    by: str = ""
    why: str = ""


@dataclass(frozen=True)
class Verdict:
    """The state of the run in one word and one sentence, and the gates as they were judged last."""

    state: State
    title: Markup
    sentence: Markup
    gates: tuple[GateRow, ...]
    failed: tuple[GateRow, ...]
    judged_other: str
    asked: tuple[str, ...]


def judge_run(material: Material) -> Verdict:
    """Return the verdict on a run from its journal and its records."""
    gates, judged_model = _judged(material)
    failed = tuple(gate for gate in gates if not gate.passed and not gate.by)
    overridden = sum(bool(gate.by) for gate in gates)
    model = material.digest("model")
    other = judged_model if judged_model and model and judged_model != model else ""
    asked = tuple(str(gate) for gate in (material.recipe.get("release") or {}).get("gates") or [])
    state, title, sentence = _state(material, len(gates), 0 if other else len(failed), overridden)
    return Verdict(state, title, sentence, gates, failed, short(other), asked)


def _state(material: Material, gates: int, failed: int, overridden: int) -> tuple[State, Markup, Markup]:
    failure = _last_failure(material.events)
    if failure is not None:
        stage, reason = str(failure.data.get("stage", "")), str(failure.data.get("reason", ""))
        if stage == "release" and failed:
            sentence = say("{failed} of {total} gates do not hold. No release was made.", failed=failed, total=gates)
            return "refused", say("Release refused"), sentence
        return (
            "stopped",
            say("Not finished"),
            say("The stage {stage} stopped: {reason}", stage=say(stage), reason=reason),
        )
    if "release" in material.records:
        sentence = (
            say("{total} of {total} gates hold; signed.", total=gates)
            if gates
            else say("Signed; the recipe asked for no gate.")
        )
        if overridden:
            text = "{held} of {total} gates hold, {overridden} overridden by a named person; signed."
            sentence = say(text, held=gates - overridden, total=gates, overridden=overridden)
        return "released", say("Released"), sentence
    if "release" in material.recipe:
        return "not_reached", say("Not released yet"), say("The run has not come to the stage release.")
    return "not_asked", say("No release asked for"), say("The recipe has no section release.")


def _last_failure(events: list[Event]) -> Event | None:
    """Return the failure that ended the newest sitting; a stage that succeeded later takes it back."""
    last = None
    for event in events:
        if event.event == "stage failed":
            last = event
        elif event.event == "run finished" or (
            last
            and event.event in ("stage finished", "stage skipped")
            and event.data.get("stage") == last.data.get("stage")
        ):
            last = None
    return last


def _judged(material: Material) -> tuple[tuple[GateRow, ...], str]:
    event = next((event for event in reversed(material.events) if event.event == "gates judged"), None)
    verdicts = event.data.get("verdicts") if event else None
    units = {item.name: item.unit for item in material.claims()}
    rows = tuple(_gate_row(item, units) for item in verdicts or [] if isinstance(item, dict))
    return rows, str(event.data.get("model", "")) if event else ""


def _gate_row(item: dict[str, Any], units: dict[str, str]) -> GateRow:
    gate, found = str(item.get("gate", "")), finite(item.get("found"))
    match = COMPARISON.search(gate)
    claim, _, field = gate.split(match[1])[0].strip().rpartition(".") if match else (gate, "", "")
    unit = "" if field == "n" else units.get(claim, "")
    reason = "" if found is not None else str(item.get("reason", ""))
    needed = f"{SIGNS[match[1]]} {match[2]}" if match else ""
    override = item.get("override") or {}
    return GateRow(
        gate,
        bool(item.get("passed")),
        quantity(found, unit) if found is not None else "–",
        needed,
        reason,
        str(override.get("by", "")),
        str(override.get("reason", "")),
    )
