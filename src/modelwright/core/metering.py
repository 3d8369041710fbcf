"""The meter around each stage: processor time always, energy and carbon by what this machine can tell. Torch-free."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from . import registry
from .errors import DamagedArtifact, ModelwrightError
from .evidence import Evidence, not_applicable
from .files import read_json, write_json

SECTION = "energy"
# What is claimed of every stage, by the name of the stage in brackets.
COSTS = ("cpu_seconds", "energy", "carbon")
MACHINE = Path("/proc/stat")
TICKS = os.sysconf("SC_CLK_TCK")
# A counter that wraps around has to be read now and then, and a budget watched; reading costs some ten microseconds.
SECONDS_BETWEEN_LOOKS = 0.25
# What earlier sittings of an unfinished stage have spent, in its work folder. A kill loses so many seconds of the account.
SPENT, SECONDS_BETWEEN_NOTES = "spent.json", 5.0


@dataclass(frozen=True)
class Reading:
    """What was spent so far: seconds of the clock and of processors, joules with bounds, and how these were found."""

    seconds: float
    cpu_seconds: float
    joules: float
    low: float
    high: float

    def plus(self, other: Reading) -> Reading:
        """Return the sum of two readings."""
        mine, others = asdict(self), asdict(other)
        return Reading(**{name: mine[name] + others[name] for name in mine})

    def minus(self, other: Reading) -> Reading:
        """Return what was spent between two readings of one meter."""
        mine, others = asdict(self), asdict(other)
        return Reading(**{name: mine[name] - others[name] for name in mine})


NOTHING = Reading(0.0, 0.0, 0.0, 0.0, 0.0)


class Meter:
    """State: when it was opened, what the processors had done by then, when it was last read, and what was spent before."""

    def __init__(self, settings: Any, earlier: Reading = NOTHING) -> None:
        self.settings, self.earlier = settings, earlier
        self._started, self._first = time.monotonic(), (_process_seconds(), _machine_seconds())
        self.reason = ""
        self.sources: list[Any] = []
        self._looked = float("-inf")
        # Processor time of other processes that worked for the same stage.
        self.others = 0.0
        try:
            found = [registry.function_of("meter", name)(settings, self.load) for name in registry.names("meter")]
            self.sources = [source for source in found if source is not None]
        except ModelwrightError as error:
            # A stage is worth more than the number of what it has drawn; the claim says what is missing.
            self.reason = str(error)

    def load(self) -> Any:
        """Return how busy we and the machine have been since the meter was opened."""
        of_process, of_machine = self._seconds(), _machine_seconds() - self._first[1]
        return registry.load("modelwright.methods.energy.spent:Load")(
            of_process, max(of_machine, of_process), time.monotonic() - self._started, _cores()
        )

    def _seconds(self) -> float:
        return _process_seconds() - self._first[0] + self.others

    def look(self) -> Reading | None:
        """Read the counters, if it is time, so that none wraps around unseen."""
        return self.read() if time.monotonic() - self._looked > SECONDS_BETWEEN_LOOKS else None

    def read(self) -> Reading:
        """Return what was spent since the meter was opened, and before."""
        self._looked = time.monotonic()
        spent = [source.read() for source in self.sources]
        now = Reading(
            time.monotonic() - self._started,
            self._seconds(),
            *(sum(getattr(item, name) for item in spent) for name in ("joules", "low", "high")),
        )
        return self.earlier.plus(now)

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
        energy = self.energy(f"energy[{stage}]", reading, 1, about)
        return cpu, energy, carbon_of(energy, f"carbon[{stage}]", self.settings)

    def energy(self, name: str, reading: Reading, parts: float, about: dict[str, str], what: str = "") -> Evidence:
        """Return the evidence of a reading, shared out over so many parts; `what` says what one of them is.

        Units: joules
        """
        if not self.sources or parts <= 0:
            return not_applicable(name, self.reason or "there was nothing to share the energy out over", **about)
        method = " + ".join(source.method for source in self.sources)
        return Evidence(
            name,
            _short(reading.joules / parts),
            unit="joules",
            low=_short(reading.low / parts),
            high=_short(reading.high / parts),
            about=about,
            method=f"{what}; {method}" if what else method,
            source="; ".join(source.source for source in self.sources),
            status="measured" if all(source.measured for source in self.sources) else "estimated",
        )


def carbon_of(energy: Evidence, name: str, settings: Any) -> Evidence:
    """Return the carbon that goes with some energy, by the grid that the settings speak of.

    Units: grams of CO2 equivalent
    """
    grid: Any = registry.load("modelwright.methods.energy.carbon:grid_of")(settings)
    if grid.reason or energy.value is None:
        return not_applicable(name, grid.reason or energy.reason, **energy.about)

    def grams(joules: float | None, intensity: float) -> float:
        return _short((joules or 0.0) / 3.6e6 * intensity)

    return replace(
        energy,
        name=name,
        value=grams(energy.value, grid.grams),
        low=grams(energy.low, grid.low),
        high=grams(energy.high, grid.high),
        unit="gCO2e",
        method=f"{energy.method}; {grid.grams:g} g/kWh ({grid.low:g} to {grid.high:g})",
        source=grid.source,
        status="estimated",
    )


def is_cost(item: Evidence) -> bool:
    """Say whether a claim is one of what a stage has spent."""
    base, bracket, _ = item.name.partition("[")
    return bool(bracket) and base in COSTS


def settings_of(sections: dict[str, Any]) -> Any:
    """Return what a recipe says of energy, or the defaults."""
    found = sections.get(SECTION)
    return registry.load("modelwright.methods.energy.settings:Energy")() if found is None else found


def read_spent(work: Path) -> Reading:
    """Return what earlier sittings of an unfinished stage have spent, as far as they could write it down."""
    path = work / SPENT
    try:
        return Reading(**read_json(path)) if path.exists() else NOTHING
    except (DamagedArtifact, TypeError):
        return NOTHING


def write_spent(work: Path, reading: Reading) -> None:
    """Write down what an unfinished stage has spent so far, for its next sitting."""
    write_json(work / SPENT, asdict(reading))


def _process_seconds() -> float:
    """Return the processor time of this process and of the children that it waited for, finer than the clock ticks."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(item.ru_utime + item.ru_stime for item in spent)


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
