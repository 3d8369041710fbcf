"""What a traced candidate costs: bytes with a bound, seconds, joules, grams, money."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...core.recipe import Recipe
from ...core.settings import AUTO
from ...methods.energy.carbon import JOULES_PER_KWH, grid_of
from ...methods.energy.processor import BUSY_WATTS, LEAST_WATTS, MOST_WATTS
from ...methods.energy.settings import Energy
from ...methods.planning.timing import Rates, seconds_here, seconds_of_step, seconds_with_batch
from .machine import Machine
from .settings import Plan

# What the bound has room for beside its share of the estimate: tensors of a few numbers that no shape tells of.
ROOM_BYTES = 4096
# Going forward alone takes about a third of a step, which goes back too.
FORWARD = 1 / 3
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Range:
    """A value, and bounds that it is expected to lie between."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Range:
        """Return all three, so many times as large."""
        return Range(self.value * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Priced:
    """One candidate: what it changes, what it needs. `refused` says why there is nothing else to say."""

    edits: dict[str, Any]
    refused: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    # Bytes by phase, and by holder over the steps.
    peaks: dict[str, int] = field(default_factory=dict)
    curve: list[Any] = field(default_factory=list)
    estimate: int = 0
    bound: int = 0
    # None where the candidate was not timed.
    step_seconds: Range | None = None
    seconds: Range | None = None
    joules: Range | None = None
    grams: Range | None = None
    money: Range | None = None
    unprobed: tuple[str, ...] = ()
    operations: list[dict[str, Any]] = field(default_factory=list)
    # What a call takes that does next to nothing.
    call_seconds: float = 0.0


def price(
    found: dict[str, Any], edits: dict[str, Any], recipe: Recipe, settings: Plan, machine: Machine, factor: Range
) -> Priced:
    """Turn what the worker found into what it costs; `factor` is how long past runs took of what was planned."""
    if "refused" in found:
        return Priced(edits, refused=found["refused"])
    estimate = max(found["peaks"].values())
    bound = int(estimate * (1 + settings.margin)) + ROOM_BYTES
    facts, operations = found["facts"], found.get("operations", [])
    priced = Priced(
        edits,
        facts=facts,
        peaks=found["peaks"],
        curve=found["curve"],
        estimate=estimate,
        bound=bound,
        unprobed=tuple(found["unprobed"]),
        operations=operations,
        call_seconds=found.get("call_seconds", 0.0),
    )
    return _with_time(priced, recipe, settings, machine, factor) if operations else priced


def _with_time(priced: Priced, recipe: Recipe, settings: Plan, machine: Machine, factor: Range) -> Priced:
    from dataclasses import replace

    facts = priced.facts
    rates = Rates(machine.flops_per_second, machine.bytes_per_second, machine.overhead_seconds)
    # Without a replay the calls cost what the machine's constants say.
    alone = (
        seconds_here(priced.operations, rates, priced.call_seconds)
        if priced.call_seconds
        else seconds_of_step(priced.operations, rates) + machine.step_seconds
    )
    step = factor.times(seconds_with_batch(alone, facts.get("batch_seconds", 0.0), facts.get("ahead", False)))
    answered = facts["validations"] * facts["validation_rows"] / facts["batch"] * FORWARD
    whole = step.times(facts["steps"] + answered)
    energy: Any = recipe.sections.get("energy") or Energy()
    cores, watts = facts["threads"], _watts(energy)
    joules = Range(whole.value * cores * watts.value, whole.low * cores * watts.low, whole.high * cores * watts.high)
    return replace(
        priced,
        step_seconds=step,
        seconds=whole,
        joules=joules,
        grams=grams_of(joules, energy),
        money=whole.times((settings.price or machine.price) / SECONDS_PER_HOUR),
    )


def grams_of(joules: Range, energy: Energy) -> Range:
    """Return the CO2 equivalent of some energy on the grid that a recipe names."""
    grid = grid_of(energy)
    return Range(
        joules.value * grid.grams / JOULES_PER_KWH,
        joules.low * grid.low / JOULES_PER_KWH,
        joules.high * grid.high / JOULES_PER_KWH,
    )


def _watts(energy: Energy) -> Range:
    """Return what a busy core of this machine draws."""
    if energy.watts != AUTO:
        return Range(float(energy.watts), 0.7 * float(energy.watts), 1.5 * float(energy.watts))
    return Range(BUSY_WATTS, LEAST_WATTS, MOST_WATTS)
