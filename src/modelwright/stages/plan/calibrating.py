"""The machine file of this very machine: what `modelwright calibrate` measures, and where a plan looks for it."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path
from typing import Any

from ...core.errors import DamagedArtifact
from ...core.files import read_json, write_json
from ...methods.energy.processor import BUSY_WATTS, CLOUD

FILE = Path("modelwright") / "machine.json"


def place_of_machine_file() -> Path:
    """Return where the file is written to and looked for: the user's folder of configuration."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / FILE


def processor() -> str:
    """Return the name of the processor; a machine file of another one is of no use here."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def calibrate(out: Path | None, threads: int, price: float, dry_run: bool) -> dict[str, Any]:
    """Measure this machine for about five seconds and write its file; return what is in it, and where it is.

    Raises:
        OSError: the file cannot be written.
    """
    path = out or place_of_machine_file()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = threads or cores
    if dry_run:
        return {"file": str(path), "threads": threads}
    from ...engine.calibration import calibrate as measure

    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    content = {
        "name": processor(),
        "date": date,
        "source": f"modelwright calibrate on this machine, {threads} threads",
        "processor": processor(),
        "threads": threads,
        "constants": {**measure(threads), **_stated(threads, price)},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content)
    return {"file": str(path), "machine": content}


def _stated(threads: int, price: float) -> dict[str, dict[str, Any]]:
    """Return the constants that no program can measure, and the memory, which the system tells."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    known = "stated" if price else "guessed"
    return {
        "watts": {"value": BUSY_WATTS * threads, "unit": "watts", "how": "guessed", "source": CLOUD},
        "price": {
            "value": price,
            "unit": "an hour",
            "how": known,
            "source": "--price" if price else "nothing is known",
        },
        "memory_bytes": {"value": memory, "unit": "bytes", "how": "stated", "source": "the operating system"},
    }


def read_machine_file() -> dict[str, Any] | None:
    """Return the file of this machine; None where there is none, or one that another machine has left."""
    path = place_of_machine_file()
    try:
        found: dict[str, Any] = read_json(path) if path.exists() else {}
    except (DamagedArtifact, OSError):
        return None
    return found if found.get("processor") == processor() else None
