"""The meter around each stage: processor time always, energy and carbon by what this machine can tell. Torch-free."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import registry
from .errors import ModelwrightError
from .evidence import Evidence, not_applicable

SECTION = "energy"
MACHINE = Path("/proc/stat")
TICKS = os.sysconf("SC_CLK_TCK")
# A counter that wraps around has to be read now and then; reading it costs microseconds.
SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class Reading:
    """What was spent so far: seconds of the clock and of processors, joules with bounds, and how these were found."""

    seconds: float
    cpu_seconds: float
    joules: float
    low: float
    high: float


class Meter:
    """State: when it was opened, what the processors had done by then, and when it was last read."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self._started, self._first = time.monotonic(), (_process_seconds(), _machine_seconds())
        self.reason = ""
        self.sources: list[Any] = []
        self._looked = self._started
        try:
            found = [registry.function_of("meter", name)(settings, self.load) for name in registry.names("meter")]
            self.sources = [source for source in found if source is not None]
        except ModelwrightError as error:
            # A stage is worth more than the number of what it has drawn; the claim says what is missing.
            self.reason = str(error)

    def load(self) -> Any:
        """Return how busy this process and the machine have been since the meter was opened."""
        of_process, of_machine = _process_seconds() - self._first[0], _machine_seconds() - self._first[1]
        return registry.load("modelwright.methods.energy.spent:Load")(
            of_process, max(of_machine, of_process), time.monotonic() - self._started, _cores()
        )

    def look(self) -> None:
        """Read the counters, if it is time, so that none wraps around unseen."""
        if time.monotonic() - self._looked > SECONDS_BETWEEN_LOOKS:
            self.read()

    def read(self) -> Reading:
        """Return what was spent since the meter was opened."""
        self._looked = time.monotonic()
        spent = [source.read() for source in self.sources]
        return Reading(
            time.monotonic() - self._started,
            _process_seconds() - self._first[0],
            *(sum(getattr(item, name) for item in spent) for name in ("joules", "low", "high")),
        )

    def claims(self, stage: str, about: dict[str, str]) -> tuple[Evidence, ...]:
        """Return the evidence of what a stage has spent."""
        reading = self.read()
        cpu = Evidence(
            f"cpu_seconds[{stage}]",
            round(reading.cpu_seconds, 3),
            unit="seconds",
            about=about,
            method="user and system time",
        )
        if not self.sources:
            return (cpu, *(not_applicable(f"{name}[{stage}]", self.reason, **about) for name in ("energy", "carbon")))
        energy = Evidence(
            f"energy[{stage}]",
            _short(reading.joules),
            unit="joules",
            low=_short(reading.low),
            high=_short(reading.high),
            about=about,
            method=self.method,
            source="; ".join(source.source for source in self.sources),
            status="measured" if all(source.measured for source in self.sources) else "estimated",
        )
        return cpu, energy, self._carbon(stage, energy)

    @property
    def method(self) -> str:
        """How the joules were found."""
        return " + ".join(source.method for source in self.sources)

    def _carbon(self, stage: str, energy: Evidence) -> Evidence:
        grid: Any = registry.load("modelwright.methods.energy.carbon:grid_of")(self.settings)
        if grid.reason:
            return not_applicable(f"carbon[{stage}]", grid.reason, **energy.about)

        def grams(joules: float | None, intensity: float) -> float:
            return _short((joules or 0.0) / 3.6e6 * intensity)

        return replace(
            energy,
            name=f"carbon[{stage}]",
            value=grams(energy.value, grid.grams),
            low=grams(energy.low, grid.low),
            high=grams(energy.high, grid.high),
            unit="gCO2e",
            method=f"{energy.method}; {grid.grams:g} g/kWh ({grid.low:g} to {grid.high:g})",
            source=grid.source,
            status="estimated",
        )


def open_meter(sections: dict[str, Any]) -> Meter:
    """Open a meter with what a recipe says of energy."""
    settings = sections.get(SECTION)
    if settings is None:
        settings = registry.load("modelwright.methods.energy.settings:Energy")()
    return Meter(settings)


def _process_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _machine_seconds() -> float:
    """Return the processor time of all processes since the machine started; 0 where it is not told."""
    try:
        words = MACHINE.read_text().split("\n", 1)[0].split()
    except OSError:
        return 0.0
    # user, nice, system, (idle, waiting,) interrupts, soft interrupts
    return sum(int(words[index]) for index in (1, 2, 3, 6, 7) if index < len(words)) / TICKS


def _cores() -> int:
    return os.cpu_count() or 1


def _short(number: float) -> float:
    return float(f"{number:.5g}")


Open = Callable[[dict[str, Any]], Meter]
