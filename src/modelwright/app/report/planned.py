"""What was planned against what happened: the table, memory over a step by what holds it, time against memory of the choices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ...core.evidence import Evidence
from ...core.files import write_bytes
from . import bilingual
from .axis import Axis, linear_axis
from .drawing import dot, frame, join, line, plot, tag
from .fleet import draw_fleet
from .quantities import quantity

HEIGHT = 280
MEBIBYTE = 1 << 20
PHASES = ("training", "validation", "saving", "evaluation", "trial")
SYMBOLS = {"joules": " J", "g CO2e": " g"}
SECTION, STYLE = "planned.html", "style.css"


@dataclass(frozen=True)
class Row:
    """One quantity: what was planned, its bounds, and what happened, where that is known."""

    name: Markup
    planned: str
    bounds: str
    happened: str


@dataclass(frozen=True)
class Planned:
    """What the section on the plan shows."""

    rows: tuple[Row, ...]
    choices: tuple[tuple[str, str, str], ...]
    picture: Markup
    holders: tuple[tuple[int, str], ...]
    pareto: Markup
    costliest: tuple[tuple[str, str], ...]
    unprobed: str
    notes: tuple[str, ...]


def view_plan(plan: dict[str, Any], claims: Mapping[str, Evidence]) -> Planned | None:
    """Return what was planned and what came of it; nothing where there was no plan."""
    if not plan.get("peaks"):
        return None
    used = [place for place in range(len(plan["holders"])) if any(held[place] for held in plan["curve"])]
    return Planned(
        rows=tuple(_rows(plan, claims)),
        choices=tuple((key, str(choice["value"]), str(choice["why"])) for key, choice in plan["choices"].items()),
        picture=_stacked(plan["curve"], used),
        holders=tuple((place, plan["holders"][place]) for place in used),
        pareto=_pareto(plan),
        costliest=tuple((item["operator"], quantity(item["seconds"], "seconds")) for item in plan["costliest"]),
        unprobed=", ".join(plan["unprobed"]),
        notes=tuple(plan.get("notes", [])),
    )


def _rows(plan: dict[str, Any], claims: Mapping[str, Evidence]) -> list[Row]:
    rows = [
        Row(
            bilingual.say("Peak memory"),
            quantity(plan["estimate"], "bytes"),
            f"≤ {quantity(plan['bound'], 'bytes')}",
            "",
        )
    ]
    rows += [
        Row(bilingual.say(f"Peak of {phase}"), quantity(plan["peaks"][phase], "bytes"), "", "")
        for phase in PHASES
        if phase in plan["peaks"]
    ]
    happened = {"seconds": "training_seconds", "joules": "energy[train]", "grams": "carbon[train]"}
    words = {
        "step_seconds": ("Time of a step", "seconds"),
        "seconds": ("Time of the training", "seconds"),
        "joules": ("Energy of the training", "joules"),
        "grams": ("CO2 of the training", "g CO2e"),
        "money": ("Money for the training", ""),
    }
    for name, (word, unit) in words.items():
        found = plan.get(name)
        if found and found["value"]:
            claim = claims.get(happened.get(name, ""))
            came = _written(claim.value, unit) if claim is not None and claim.value is not None else ""
            came = _mean_step(claims) if name == "step_seconds" else came
            between = f"{_written(found['low'], unit)} – {_written(found['high'], unit)}"
            rows.append(Row(bilingual.say(word), _written(found["value"], unit), between, came))
    return rows


def _written(value: float, unit: str) -> str:
    """Write a value with its unit, also where the page elsewhere has the unit in the head of a column."""
    return quantity(value, unit) + SYMBOLS.get(unit, "")


def _mean_step(claims: Mapping[str, Evidence]) -> str:
    """Return what a step took with its share of validation and saving, which are in no planned step."""
    taken, steps = (claims[name].value if name in claims else None for name in ("training_seconds", "steps"))
    return f"≤ {quantity(taken / steps, 'seconds')}" if taken and steps else ""


def _stacked(curve: list[list[int]], used: list[int]) -> Markup:
    """Draw areas on top of each other: what holds memory, from operation to operation of one step."""
    if len(curve) < 2:
        return Markup("")
    up = linear_axis(0.0, max(sum(held) for held in curve) / MEBIBYTE)
    across = Axis(0.0, float(len(curve) - 1), ())
    below = [0.0] * len(curve)
    areas = []
    for place in used:
        above = [low + held[place] / MEBIBYTE for low, held in zip(below, curve, strict=True)]
        edge = [(across.at(x), 100 - up.at(y)) for x, y in enumerate(above)]
        back = [(across.at(x), 100 - up.at(y)) for x, y in reversed(list(enumerate(below)))]
        points = " ".join(f"{x:.2f},{y:.2f}" for x, y in (*edge, *back))
        areas.append(tag("polygon", points=points, class_=f"held held-{place}"))
        below = above
    picture = tag("svg", *areas, width="100%", height="100%", viewBox="0 0 100 100", preserveAspectRatio="none")
    return plot(HEIGHT, "plan-picture", frame(across, up), picture)


def _pareto(plan: dict[str, Any]) -> Markup:
    """Draw every timed choice: the time of a step against the peak, the chosen one large."""
    candidates = [item for item in plan["candidates"] if item["step_seconds"]]
    if len({(item["estimate"], item["step_seconds"]["value"]) for item in candidates}) < 2:
        return Markup("")
    times = [1000 * item["step_seconds"]["value"] for item in candidates]
    sizes = [item["estimate"] / MEBIBYTE for item in candidates]
    across, up = linear_axis(min(times), max(times)), linear_axis(0.0, max(sizes))
    dots = []
    for item, time, size in zip(candidates, times, sizes, strict=True):
        chosen = item.get("chosen", item["edits"] == {key: choice["value"] for key, choice in plan["choices"].items()})
        money = item["money"]["value"] if item["money"] else 0.0
        hint = ", ".join(f"{key} {value}" for key, value in item["edits"].items()) or plan["recipe"]
        joules = item.get("joules")
        hint += f": {time:.3g} ms, {size:.4g} MiB" + (f", {joules['value']:.3g} J" if joules else "")
        hint += f", {money:.3g}" if money else ""
        dots.append(dot(across.at(time), 100 - up.at(size), "point" if chosen else "value", 6 if chosen else 4, hint))
    edge = [(across.at(time), 100 - up.at(size)) for time, size in frontier(list(zip(times, sizes, strict=True)))]
    return plot(HEIGHT, "plan-pareto", frame(across, up), line(edge, "ideal"), join(dots))


def frontier(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that no other one beats in both numbers, from left to right."""
    found: list[tuple[float, float]] = []
    for time, size in sorted(points):
        if not found or size < found[-1][1]:
            found.append((time, size))
    return found


def render_plan(plan: dict[str, Any], claims: Mapping[str, Evidence]) -> Markup:
    """Return the inside of the section on the plan; empty where there was none."""
    from jinja2 import Environment, StrictUndefined

    if "closed_form" in plan:
        words = bilingual.say("Four times the parameters, a closed form without a bound:")
        return Markup('<p class="note">{} {}; {}</p>').format(
            words, quantity(plan["closed_form"], "bytes"), plan["reason"]
        )
    found = view_plan(plan, claims)
    if found is None:
        return Markup("")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = (files(__package__) / SECTION).read_text(encoding="utf-8")
    return Markup(environment.from_string(template).render(plan=found, say=bilingual.say)) + draw_fleet(plan)


def write_plan(path: Path, plan: dict[str, Any]) -> None:
    """Write a plan as a page that needs nothing but itself."""
    style = (files(__package__) / STYLE).read_text(encoding="utf-8")
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<title>{}</title><style>{}</style><main><section class="block"><h1>{}</h1><div class="body">{}</div></section></main></html>'
    )
    name = plan.get("recipe", "")
    inside = render_plan(plan, {}) or plan.get("reason", "")
    write_bytes(path, Markup(page).format(name, Markup(style), f"Plan · 计划: {name}", inside).encode())
