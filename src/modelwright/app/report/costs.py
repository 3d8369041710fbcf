"""What a run has cost: energy, carbon and processor time of each stage, with bounds and how they were found."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from ...core.evidence import Evidence
from ...core.metering import COSTS
from ...core.units import format_joules
from .bilingual import say
from .material import Material
from .quantities import seconds, significant


@dataclass(frozen=True)
class Cost:
    """One stage: its name, energy and carbon with their bounds, processor time; the share of all energy as the width of a bar."""

    stage: Markup
    energy: str
    energy_bounds: str
    carbon: str
    carbon_bounds: str
    cpu: str
    width: float


@dataclass(frozen=True)
class Costs:
    """What the section on costs shows."""

    rows: tuple[Cost, ...]
    total: Cost
    each: tuple[tuple[Markup, str, str], ...]
    measured: bool
    method: str
    grid: str


def view_costs(material: Material) -> Costs | None:
    """Return what each stage has cost, or nothing where no meter was read."""
    claims = {item.name: item for item in material.claims()}
    stages = [
        name
        for name in material.records
        if claims.get(f"energy[{name}]") and claims[f"energy[{name}]"].value is not None
    ]
    if not stages:
        return None
    found = [[claims.get(f"{cost}[{stage}]") for cost in COSTS] for stage in stages]
    sums = [_sum([items[index] for items in found]) for index in range(len(COSTS))]
    whole = sums[COSTS.index("energy")][0]
    rows = tuple(
        _cost(say(stage), [_numbers(item) for item in items], whole) for stage, items in zip(stages, found, strict=True)
    )
    energy, carbon = claims[f"energy[{stages[-1]}]"], claims.get(f"carbon[{stages[-1]}]")
    each = [
        (say(words), format_joules(item.value), _bounds(item.low, item.high))
        for name, words in (
            ("energy_per_example", "of each example seen in training"),
            ("energy_per_answer", "of each answer to the test part"),
        )
        if (item := claims.get(name)) is not None and item.value is not None
    ]
    return Costs(
        rows=rows,
        total=_cost(say("total"), sums, whole),
        each=tuple(each),
        measured=energy.status == "measured",
        method=energy.method,
        grid=carbon.source if carbon is not None else "",
    )


Numbers = tuple[float, float | None, float | None]


def _numbers(item: Evidence | None) -> Numbers:
    return (item.value or 0.0, item.low, item.high) if item is not None else (0.0, None, None)


def _sum(items: list[Evidence | None]) -> Numbers:
    numbers = [_numbers(item) for item in items]
    return tuple(sum(number[index] or 0.0 for number in numbers) for index in range(3))  # type: ignore[return-value]


def _cost(stage: Markup, numbers: list[Numbers], whole: float) -> Cost:
    cpu, energy, carbon = numbers
    return Cost(
        stage=stage,
        energy=format_joules(energy[0]),
        energy_bounds=_bounds(energy[1], energy[2]),
        carbon=significant(carbon[0]),
        carbon_bounds=f"{significant(carbon[1])} – {significant(carbon[2])}"
        if carbon[1] is not None and carbon[2]
        else "",
        cpu=seconds(cpu[0]),
        width=round(100 * energy[0] / whole, 1) if whole else 0.0,
    )


def _bounds(low: float | None, high: float | None) -> str:
    return f"{format_joules(low)} – {format_joules(high)}" if low is not None and high is not None else ""
