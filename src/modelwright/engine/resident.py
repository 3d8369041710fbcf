"""Data that fits is held in memory; data that does not stays where it is, on disk, and is read batch by batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..tasks.ragged import Ragged
from ..tasks.task import Examples

MEMINFO, LIMIT, USED = Path("/proc/meminfo"), Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
# Of what is free; the rest is for the model, and for the other parts of the data.
SHARE = 0.25


def hold(examples: Examples, free: int | None = None) -> Examples:
    """Return the examples with their columns in memory, small ones first, as far as a quarter of what is free goes.

    They are then read once, not page by page in random order. Where it is not known what is free, nothing is held.
    """
    room = SHARE * (free_bytes() if free is None else free)
    columns = dict(examples.columns)
    # The tokens of texts are read a window at a time, in one piece each: the system's own cache serves them as well.
    plain = [name for name, column in columns.items() if not isinstance(column, Ragged)]
    for name in sorted(plain, key=lambda name: columns[name].nbytes):
        room -= columns[name].nbytes
        if room < 0:
            break
        columns[name] = np.array(columns[name])
    return replace(examples, columns=columns)


def free_bytes() -> int:
    """Return the memory that this process may still take without anything being swapped out, as Linux tells it.

    Units: bytes
    """
    if not MEMINFO.exists():
        return 0
    fields = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    if LIMIT.exists() and (limit := LIMIT.read_text().strip()).isdigit():
        # The container may have less than the machine.
        free = min(free, max(0, int(limit) - int(USED.read_text())))
    return free
