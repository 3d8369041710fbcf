"""The plan for machines that are not here: traced, priced, refused where it does not fit, described as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ...core.evidence import Evidence
from ...core.recipe import Recipe
from ...core.settings import AUTO
from ...core.units import format_bytes, format_seconds
from ...methods.energy.settings import Energy
from ...methods.planning.ledger import UNKNOWN
from .claims import COSTS, claims_of_costs
from .fleet import LAYOUT, Choice, FleetSearch, name_of, reasons
from .machine import Machine
from .prices import Range, grams_of
from .refusal import limit_of, over_budget
from .settings import Plan
from .share import Fleet

SOURCE = (
    "the recipe's own steps, traced on tensors without memory as one process of so many, and followed through a model of "
    "PyTorch's CUDA allocator; validation and saving are not counted"
)
# What a device draws of its board power in training.
LEAST_WATTS, MOST_WATTS = 0.5, 1.1


def describe_fleet(
    recipe: Recipe, settings: Plan, machine: Machine, search: FleetSearch, found: Choice
) -> dict[str, Any]:
    """Return all that there is to show of a plan, in the shape of a plan for the machine at hand, and the devices besides."""
    chosen, train = found.chosen, recipe.sections["train"]
    why = reasons(found, search.memory, train.batch)  # type: ignore[attr-defined]
    return {
        "recipe": recipe.name,
        "machine": settings.machine,
        "source": machine.source,
        "factor": 1.0,
        "budget": settings.budget.model_dump(mode="json"),
        "estimate": chosen.estimate,
        "bound": chosen.bound,
        "peaks": {"training": chosen.estimate},
        "facts": {**chosen.facts, "threads": 1},
        "unprobed": [],
        "choices": {key: {"value": value, "why": why[key]} for key, value in edits_of(recipe, chosen).items()},
        "runner_up": _summary(found.runner_up) if found.runner_up else None,
        **_costs(recipe, search, chosen),
        "costliest": [],
        "holders": list(chosen.processes[0].holders),
        "curve": [],
        "candidates": [
            {**_summary(fleet), "chosen": fleet is chosen}
            for fleet in found.looked_at
            if not (fleet.refused or fleet.failed)
        ],
        "refused": sorted({fleet.refused for fleet in found.looked_at if fleet.refused}),
        "fleet": {
            "name": name_of(chosen),
            "devices": chosen.devices,
            "per_machine": machine.device.devices if machine.device else 1,
            "layout": chosen.layout,
            "memory": machine.memory_bytes,
            "beside": chosen.beside,
            "processes": [asdict(process) for process in chosen.processes],
        },
    }


def edits_of(recipe: Recipe, chosen: Fleet) -> dict[str, Any]:
    """Return what became of each key that the recipe leaves open."""
    train: Any = recipe.sections["train"]
    layout = {LAYOUT: chosen.layout} if train.layout.kind == AUTO and chosen.devices > 1 else {}
    return {**chosen.edits, **layout}


def _costs(recipe: Recipe, search: FleetSearch, chosen: Fleet) -> dict[str, dict[str, float] | None]:
    _, low, high = UNKNOWN
    energy: Any = recipe.sections.get("energy") or Energy()
    step = Range(chosen.step_seconds, low * chosen.step_seconds, high * chosen.step_seconds)
    whole = step.times(float(chosen.facts["steps"]))
    joules = search.joules(chosen)
    drawn = Range(joules, low * LEAST_WATTS * joules, high * MOST_WATTS * joules)
    money = search.money(chosen)
    return {
        "step_seconds": asdict(step),
        "seconds": asdict(whole),
        "joules": asdict(drawn),
        "grams": asdict(grams_of(drawn, energy)),
        "money": asdict(Range(money, low * money, high * money)),
    }


def _summary(fleet: Fleet) -> dict[str, Any]:
    return {
        "edits": {"plan.devices": fleet.devices, LAYOUT: fleet.layout, **fleet.edits},
        "estimate": fleet.estimate,
        "bound": fleet.bound,
        "step_seconds": {"value": fleet.step_seconds},
        "money": None,
        "whole": fleet.whole,
    }


def claims_of_fleet(plan: dict[str, Any], machine: Machine, about: dict[str, str]) -> Iterator[Evidence]:
    """Yield the evidence of such a plan."""
    for name in ("all", "training"):
        yield Evidence(
            f"planned_peak[{name}]",
            plan["estimate"],
            unit="bytes",
            high=plan["bound"] if name == "all" else None,
            about=about,
            method=f"of the fullest of {plan['fleet']['devices']} devices ({machine.name}), with what no tensor takes; not "
            "measured on one",
            source=SOURCE,
            status="estimated",
        )
    costs = {key: Range(**plan[key]) for _, _, key in COSTS}
    yield from claims_of_costs(costs, machine, about)


def refuse_fleet(settings: Plan, search: FleetSearch, found: Choice) -> None:
    """Stop here where nothing fits.

    Raises:
        BudgetError: says what would fit.
    """
    if not found.over:
        return
    chosen, name = found.chosen, found.over[0]
    needs = {
        "memory": format_bytes(chosen.bound),
        "time": format_seconds(chosen.seconds),
        "energy": f"{search.joules(chosen):.4g} J",
        "cost": f"{search.money(chosen):.4g}",
    }
    raise over_budget(
        f"{name_of(chosen)} ({settings.machine}) may need {needs[name]}" + (" a device" if name == "memory" else ""),
        "plan.machine" if name == "memory" and not settings.budget.memory else f"plan.budget.{name}",
        # The memory of a device is a limit, too.
        format_bytes(search.memory) if name == "memory" else limit_of(settings.budget, name),
        found.ways_out,
        "take more devices, or make the model smaller",
    )
