"""What the processor has drawn for us: by its own counter, by its design power, or by an average of data centres."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from ...core.errors import MissingExtra
from ...core.settings import AUTO
from .settings import Energy
from .spent import Load, Source, Spent

RAPL = Path("/sys/class/powercap")
PROCESSOR = Path("/proc/cpuinfo")
# Watts of one virtual core at full load, the average of the servers of one large cloud.
BUSY_WATTS = 3.5
# A core of a desktop processor at full speed may draw several times what a server's does; no core draws nothing.
LEAST_WATTS, MOST_WATTS = 1.0, 15.0
# The share of its design power that a busy package draws at least.
LEAST_OF_DESIGN = 0.3
CLOUD = "Cloud Carbon Footprint, methodology: average watts of a virtual core at full load"


def open_processor(settings: Energy, load: Callable[[], Load]) -> Source:
    """Return the best meter of the processor that this machine has, or the one asked for.

    Raises:
        MissingExtra: the one asked for is not there.
    Source: the order of CodeCarbon 3 (docs, Methodology, Power Usage: measured before design power before constant).
    """
    found = None
    if settings.method in (AUTO, "rapl"):
        found = rapl(RAPL, load)
    if found is None and settings.method in (AUTO, "table"):
        found = design_power(PROCESSOR, load, even_if_virtual=settings.method == "table")
    if found is None and settings.method in (AUTO, "constant"):
        found = constant(settings.watts, load)
    if found is None:
        raise MissingExtra(
            f"energy by '{settings.method}' cannot be had on this machine",
            where="energy.method",
            expected="a counter in /sys/class/powercap that may be read (rapl), or CodeCarbon's table with this processor (table)",
            next_step="set energy.method: auto, or pip install 'modelwright[energy]'",
        )
    return found


def rapl(place: Path, load: Callable[[], Load]) -> Source | None:
    """Return the meter that reads the processor's own counters, if there are some that may be read.

    A counter is of the whole package. Our share of it is our share of all processor time; what we cannot have exceeded is all
    of it. A counter that wraps around is followed as long as it is read once a turn.

    Units: joules
    Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 3B, section 16.10 (RAPL interfaces).
    """
    counters = []
    for folder in sorted(place.glob("intel-rapl:[0-9]*")):
        if folder.name.count(":") == 1:
            try:
                counters.append(_Counter(folder))
            except (OSError, ValueError):
                return None
    if not counters:
        return None

    def read() -> Spent:
        whole, seen = sum(counter.read() for counter in counters), load()
        ours = whole * min(1.0, seen.process / seen.machine) if seen.machine > 0 else whole
        return Spent(ours, min(ours, 0.9 * ours), whole)

    return Source("RAPL counters, by our share of processor time", "Intel SDM 3B, 16.10", True, read)


class _Counter:
    """State: the last count in microjoules, and the sum of all steps since the first."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "energy_uj"
        self.range = int((folder / "max_energy_range_uj").read_text())
        self.last, self.total = int(self.path.read_text()), 0

    def read(self) -> float:
        now = int(self.path.read_text())
        self.total += (now - self.last) % (self.range + 1)
        self.last = now
        return self.total * 1e-6


def design_power(cpuinfo: Path, load: Callable[[], Load], even_if_virtual: bool = False) -> Source | None:
    """Return the meter that takes the design power of this processor times the load, if CodeCarbon's table has it.

    A virtual machine sees a few cores of a package and not how many that has: the table says nothing about its share, so it is
    not used there unless asked for.

    Units: joules
    Source: V. Schmidt et al., CodeCarbon: estimate and track carbon emissions from machine learning computing (2021),
        methodology, "CPU: thermal design power by load".
    """
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    if not even_if_virtual and re.search(r"^flags\s*:.*\bhypervisor\b", text, re.M):
        return None
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.M)
    watts = look_up(model[1]) if model else None
    if watts is None or model is None:
        return None

    def read() -> Spent:
        seen = load()
        value = watts * seen.process / seen.cores
        return Spent(value, LEAST_OF_DESIGN * value, max(value, watts * seen.wall))

    return Source(f"design power of {model[1].strip()}, {watts:g} W, by load", f"CodeCarbon {_version()}", False, read)


def look_up(model: str) -> float | None:
    """Return the design power in watts of a processor by its name, where CodeCarbon is installed and its table has it.

    Units: watts
    Source: CodeCarbon, data/hardware/cpu_power.csv.
    """
    table = data_file("hardware/cpu_power.csv")
    if table is None:
        return None
    wanted = _plain(model)
    with table.open(newline="", encoding="utf-8") as stream:
        # The longest name that stands in ours: '5600' stands in '5600X', which is another processor.
        names = [
            (len(_plain(row["Name"])), float(row["TDP"]))
            for row in csv.DictReader(stream)
            if _plain(row["Name"]) == wanted
        ]
    return max(names)[1] if names else None


def _plain(name: str) -> str:
    """Return a processor's name without what makers write around it."""
    name = re.sub(r"\((r|tm)\)|\bcpu\b|@.*|\bwith .*|\b\d+-core\b|\bprocessor\b", " ", name.lower())
    return " ".join(name.split())


def data_file(name: str) -> Path | None:
    """Return a data file of CodeCarbon without importing the package, which takes seconds; nothing where it is not installed.

    Source: CodeCarbon, package data.
    """
    try:
        path = Path(str(distribution("codecarbon").locate_file(f"codecarbon/data/{name}")))
    except PackageNotFoundError:
        return None
    return path if path.exists() else None


def _version() -> str:
    return distribution("codecarbon").version


def constant(watts: float | str, load: Callable[[], Load]) -> Source:
    """Return the meter that takes so many watts for each busy core.

    Units: joules
    Source: Cloud Carbon Footprint, docs, Methodology, "Compute": average maximum watts of AWS's servers.
    """
    stated = watts != AUTO
    busy = float(watts) if stated else BUSY_WATTS

    def read() -> Spent:
        seconds = load().process
        low, high = (0.7 * busy, 1.5 * busy) if stated else (LEAST_WATTS, MOST_WATTS)
        return Spent(busy * seconds, low * seconds, high * seconds)

    how = "as the recipe says" if stated else "an average"
    return Source(f"{busy:g} W a busy core, {how}", "the recipe" if stated else CLOUD, False, read)
