"""What is known of a machine: constants with their source and date, measured or guessed."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from importlib.resources import files
from typing import Any

from ...core.errors import RecipeError
from ...methods.planning.device import Device
from .calibrating import read_machine_file
from .settings import HERE

FOLDER = "machines"
# Where nothing has been measured: a core of a present-day server, far from its peak.
FLOPS_OF_CORE, BYTES_OF_MEMORY = 3e10, 1e10
# What a call costs beside its operator, and a step beside its calls, on the machine that the method was tried on.
OVERHEAD_SECONDS, STEP_SECONDS = 8e-6, 3e-4


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
    # Of another machine: what its devices and links reach, and bytes of a device that no tensor takes.
    device: Device | None = None
    context_bytes: float = 0.0
    message_bytes: float = 0.0
    workspace_bytes: float = 0.0


def machine_of(name: str, threads: int, precision: str = "float32") -> Machine:
    """Return a machine by its name.

    Raises:
        RecipeError: nothing is known of it.
    """
    if name == HERE:
        return _here(threads, precision)
    known = machines()
    if name not in known:
        raise RecipeError(
            f"nothing is known of the machine '{name}'",
            where="plan.machine",
            expected=f"one of {', '.join([HERE, *known])}",
        )
    stated: dict[str, dict[str, Any]] = known[name]["constants"]
    values: dict[str, Any] = {key: float(stated[key]["value"]) for key in stated}
    values["devices"] = int(values["devices"])
    device = Device(**{item.name: values[item.name] for item in fields(Device)})
    own = {item.name: values[item.name] for item in fields(Machine) if item.name in values}
    return Machine(name, False, **own, source=known[name]["source"], device=device)


def _here(threads: int, precision: str) -> Machine:
    """Return the machine at hand: as it was calibrated, else as machines are."""
    found = read_machine_file()
    constants = {key: float(item["value"]) for key, item in found["constants"].items()} if found else {}
    rates = [f"flops_per_second[{name}]" for name in ("bfloat16" if "bfloat16" in precision else precision, "float32")]
    known = [constants[rate] / found["threads"] for rate in rates if rate in constants] if found else []
    told = f"calibrated on {found['date']}" if found else "not calibrated, so what is not timed is guessed"
    return Machine(
        HERE,
        True,
        (known[0] if known else FLOPS_OF_CORE) * threads,
        constants.get("bytes_per_second", BYTES_OF_MEMORY),
        constants.get("overhead_seconds", OVERHEAD_SECONDS),
        constants.get("step_seconds", STEP_SECONDS),
        0.0,
        constants.get("price", 0.0),
        constants.get("memory_bytes", 0.0),
        f"operations timed one by one; {told}",
    )


def machines() -> dict[str, dict[str, Any]]:
    """Return every machine that constants are shipped of, by name."""
    folder = files("modelwright") / FOLDER
    return {
        place.name.removesuffix(".json"): json.loads(place.read_text(encoding="utf-8"))
        for place in sorted(folder.iterdir(), key=lambda place: place.name)
        if place.name.endswith(".json")
    }
