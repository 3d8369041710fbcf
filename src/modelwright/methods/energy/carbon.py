"""From joules to grams of CO2 equivalent, by the grid that the electricity comes from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ...core.settings import AUTO
from .processor import data_file
from .settings import Energy

JOULES_PER_KWH = 3.6e6
# Grams a kWh, where no country is named and CodeCarbon is not there to ask.
WORLD = 475.0
# A country's grid differs by region and hour; the world's from almost none to coal alone.
OF_COUNTRY, OF_WORLD = (0.5, 1.5), (0.05, 2.0)


@dataclass(frozen=True)
class Grid:
    """Grams of CO2 equivalent per kWh with bounds, and who says so; `reason` says why nobody does."""

    grams: float
    low: float
    high: float
    source: str
    reason: str = ""


def grid_of(settings: Energy) -> Grid:
    """Return how much carbon is in the electricity that the settings speak of.

    Units: grams of CO2 equivalent per kWh
    Source: V. Schmidt et al., CodeCarbon (2021), "Carbon intensity"; its tables are those of Our World in Data and the IEA.
    """
    if settings.grid != AUTO:
        return Grid(settings.grid, settings.grid, settings.grid, "energy.grid of the recipe")
    if not settings.country:
        stated = _read("private_infra/carbon_intensity_per_source.json").get("world_average", WORLD)
        return _around(float(stated), OF_WORLD, "the world's average (IEA, by CodeCarbon); energy.country is not set")
    found = _read("private_infra/global_energy_mix.json")
    if settings.country not in found:
        reason = (
            f"CodeCarbon's table has no country {settings.country}"
            if found
            else "CodeCarbon is not installed: pip install 'modelwright[energy]'"
        )
        return Grid(0.0, 0.0, 0.0, "", f"{reason}; or set energy.grid")
    country = found[settings.country]
    source = f"grid of {country['country_name']} in {country['year']} (Our World in Data, by CodeCarbon)"
    return _around(float(country["carbon_intensity"]), OF_COUNTRY, source)


def _around(grams: float, bounds: tuple[float, float], source: str) -> Grid:
    return Grid(grams, bounds[0] * grams, bounds[1] * grams, source)


def _read(name: str) -> dict[str, Any]:
    path = data_file(name)
    return json.loads(path.read_text(encoding="utf-8")) if path else {}
