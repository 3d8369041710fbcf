"""What is known of a machine: constants with their source and date, measured or guessed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ...core.errors import RecipeError

HERE = "here"
FOLDER = "machines"
# Where nothing has been measured: a core of a present-day server, far from its peak.
FLOPS_OF_CORE, BYTES_OF_MEMORY = 3e10, 1e10


@dataclass(frozen=True)
class Machine:
    """The constants that time, energy and money are told from. `here`: operations are measured on it, one by one."""

    name: str
    here: bool
    flops_per_second: float
    bytes_per_second: float
    overhead_seconds: float
    # What a step takes beside its operations.
    step_seconds: float
    watts: float
    price: float
    memory_bytes: float
    source: str


def machine_of(name: str, threads: int) -> Machine:
    """Return a machine by its name.

    Raises:
        RecipeError: nothing is known of it.
    """
    if name == HERE:
        return Machine(
            HERE,
            True,
            FLOPS_OF_CORE * threads,
            BYTES_OF_MEMORY,
            4e-6,
            2e-4,
            0.0,
            0.0,
            0.0,
            "operations timed one by one",
        )
    known = machines()
    if name not in known:
        raise RecipeError(
            f"nothing is known of the machine '{name}'",
            where="plan.machine",
            expected=f"one of {', '.join([HERE, *known])}",
        )
    stated: dict[str, dict[str, Any]] = known[name]["constants"]
    values = {key: float(stated[key]["value"]) for key in stated}
    return Machine(name, False, **values, source=known[name]["source"])


def machines() -> dict[str, dict[str, Any]]:
    """Return every machine that constants are shipped of, by name."""
    folder = files("modelwright") / FOLDER
    return {
        place.name.removesuffix(".json"): json.loads(place.read_text(encoding="utf-8"))
        for place in sorted(folder.iterdir(), key=lambda place: place.name)
        if place.name.endswith(".json")
    }
