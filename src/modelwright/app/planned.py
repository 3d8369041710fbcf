"""A plan as lines for a terminal: bytes with their bound, the rest with its interval, every choice with its reason."""

from __future__ import annotations

from typing import Any

from ..core.units import format_bytes, format_seconds
from .fleet import lines_of_fleet
from .words import say

PHASES = ("training", "validation", "saving", "evaluation", "trial")


def lines_of(plan: dict[str, Any]) -> list[str]:
    """Return the table of a plan."""
    if "closed_form" in plan:
        return [
            f"{say('peak memory'):<22} {format_bytes(plan['closed_form']):>12}   {say('closed form, no bound')}: {plan['reason']}",
            *(
                f"{key:<22} {choice['value']!s:>12}   {choice['why']}"
                for key, choice in sorted(plan["choices"].items())
            ),
        ]
    if "reason" in plan:
        return [f"{say('nothing to plan')}: {plan['reason']}"]
    lines = [
        f"{say('peak memory'):<22} {format_bytes(plan['estimate']):>12}   {say('at most')} {format_bytes(plan['bound'])}",
        *(f"  {say(phase):<20} {format_bytes(plan['peaks'][phase]):>12}" for phase in PHASES if phase in plan["peaks"]),
    ]
    lines += _costs(plan)
    lines += [f"{key:<22} {choice['value']!s:>12}   {choice['why']}" for key, choice in sorted(plan["choices"].items())]
    other = plan["runner_up"]
    if other:
        edits = ", ".join(f"{key}: {value}" for key, value in other["edits"].items())
        lines.append(f"{say('runner-up'):<22} {format_bytes(other['estimate']):>12}   {edits}")
    if "fleet" in plan:
        lines += lines_of_fleet(plan)
    if plan["unprobed"]:
        lines.append(f"{say('known by shape alone')}: {', '.join(plan['unprobed'])}")
    return [*lines, *(f"{say('note')}: {note}" for note in plan.get("notes", []))]


def _costs(plan: dict[str, Any]) -> list[str]:
    shown = (
        ("time of a step", "step_seconds", format_seconds),
        ("time of the training", "seconds", format_seconds),
        ("energy", "joules", lambda joules: f"{joules:.3g} J"),
        ("CO2 equivalent", "grams", lambda grams: f"{grams:.3g} g"),
        ("money", "money", lambda money: f"{money:.3g}"),
    )
    return [
        f"{say(word):<22} {write(found['value']):>12}   {write(found['low'])} … {write(found['high'])}"
        for word, name, write in shown
        if (found := plan[name]) and found["value"]
    ]
