"""What a plan claims: estimates, each with what it lies below or between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...core.evidence import Evidence
from .machine import Machine
from .prices import Priced, Range
from .settings import Plan

# Phases of a training that people ask about; what building and watching need besides lies below them.
SHOWN = ("training", "validation", "saving", "evaluation", "trial")
# Claim, unit, and what it is called in a plan.
COSTS = (
    ("planned_seconds[step]", "seconds", "step_seconds"),
    ("planned_seconds[training]", "seconds", "seconds"),
    ("planned_energy", "joules", "joules"),
    ("planned_carbon", "g CO2e", "grams"),
    ("planned_cost", "", "money"),
)
SOURCE = (
    "the recipe's own training, traced on tensors without memory; operators with a workspace of their own run alone"
)


def claims_of(priced: Priced, settings: Plan, machine: Machine, about: dict[str, str]) -> list[Evidence]:
    """Return the evidence of a plan: bytes with a bound, the rest with an interval."""
    method = f"high: the bound, {settings.margin:.3g} of the estimate and 4 KiB above it"
    memory = {"all": priced.estimate, **{name: peak for name, peak in priced.peaks.items() if name in SHOWN}}
    claims = [
        Evidence(
            f"planned_peak[{name}]",
            peak,
            unit="bytes",
            high=priced.bound if name == "all" else None,
            about=about,
            method=f"peak of PyTorch's allocator; {method}",
            source=SOURCE,
            status="estimated",
        )
        for name, peak in memory.items()
    ]
    costs = {key: getattr(priced, key) for _, _, key in COSTS}
    return [*claims, *claims_of_costs(costs, machine, about)]


def claims_of_costs(costs: Mapping[str, Range | None], machine: Machine, about: dict[str, str]) -> Iterator[Evidence]:
    """Yield the evidence of times, energy, carbon and money, each with its interval; of what is not known nothing."""
    for name, unit, key in COSTS:
        item = costs[key]
        if item is not None:
            yield Evidence(
                name,
                _short(item.value),
                unit=unit,
                low=_short(item.low),
                high=_short(item.high),
                about=about,
                method=f"machine: {machine.name}; {machine.source}",
                status="estimated",
            )


def _short(value: float) -> float:
    return float(f"{value:.6g}")
