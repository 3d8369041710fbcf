"""What a plan claims: estimates, each with what it lies below or between."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.evidence import Evidence
from .machine import Machine
from .prices import Priced, Range
from .settings import Plan

# Phases of a training that people ask about; what building and watching need besides lies below them.
SHOWN = ("training", "validation", "saving", "evaluation", "trial")
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
    return [*claims, *_of_time(priced, machine, about)]


def _of_time(priced: Priced, machine: Machine, about: dict[str, str]) -> Iterator[Evidence]:
    found: tuple[tuple[str, str, Range | None], ...] = (
        ("planned_seconds[step]", "seconds", priced.step_seconds),
        ("planned_seconds[training]", "seconds", priced.seconds),
        ("planned_energy", "joules", priced.joules),
        ("planned_carbon", "g CO2e", priced.grams),
        ("planned_cost", "", priced.money),
    )
    for name, unit, item in found:
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
