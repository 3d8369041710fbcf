"""What it took to make the model that is released, the costs of every stage and the data, as evidence about that model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ...core.evidence import Evidence, not_applicable
from ...core.metering import carbon_of, is_cost, settings_of
from ...core.stage import Context

# Claims of the stage prepare that bear on whether a model may be released.
ABOUT_DATA = ("personal_data", "duplicates", "drift", "quarantined", "overlap")
UNITS = {"cpu_seconds": "seconds", "energy": "joules"}


def costs_of_stages(context: Context) -> list[Evidence]:
    """Return what each stage has spent, said of the model that came out in the end."""
    about = {"model": context.inputs["model"].digest}
    return [replace(item, about=about) for item in context.gathered if is_cost(item)]


def sums_of_costs(context: Context) -> list[Evidence]:
    """Return the sums over all stages: processor seconds, energy, and carbon by the grid that the recipe names now."""
    about = {"model": context.inputs["model"].digest}
    cpu, energy = (_sum(name, context.gathered, about) for name in UNITS)
    return [cpu, energy, carbon_of(energy, "carbon", settings_of(context.recipe.sections))]


def _sum(name: str, gathered: Iterable[Evidence], about: dict[str, str]) -> Evidence:
    items = [item for item in gathered if is_cost(item) and item.name.startswith(f"{name}[")]
    unknown = next((item for item in items if item.value is None), None)
    if unknown is not None or not items:
        reason = f"'{unknown.name}' is not known: {unknown.reason}" if unknown else "no stage says what it has spent"
        return not_applicable(name, reason, **about)
    # Seconds are counted; joules lie between bounds.
    low, high = (None, None) if name == "cpu_seconds" else (_add(items, "low"), _add(items, "high"))
    return Evidence(
        name,
        _add(items, "value"),
        unit=UNITS[name],
        low=low,
        high=high,
        about=about,
        method=f"sum over {len(items)} stages before release; each: {items[-1].method}",
        source=items[-1].source,
        status="measured" if all(item.status == "measured" for item in items) else "estimated",
    )


def _add(items: list[Evidence], field: str) -> float:
    return float(sum(getattr(item, field) or 0.0 for item in items))


def claims_of_data(context: Context) -> list[Evidence]:
    """Return what is known of the data that the model was made from, said of the model, so that a gate may ask for it."""
    about = {"model": context.inputs["model"].digest}
    return [replace(item, about={**item.about, **about}) for item in context.gathered if item.name in ABOUT_DATA]
