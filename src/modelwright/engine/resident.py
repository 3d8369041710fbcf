"""Data that fits is held in memory; data that does not stays where it is, on disk, and is read batch by batch."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..tasks.ragged import Ragged
from ..tasks.task import Examples

MEMINFO = Path("/proc/meminfo")
# What a container may take and has taken, and its record: of the second kind of control groups, and of the first.
GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat", "inactive_file"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat",
        "total_inactive_file",
    ),
)
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
    # The container may have less than the machine, and whoever started us may have said what we may take.
    rooms = (*(_room_in(*group) for group in GROUPS), _room_under_limit())
    return min([free, *(room for room in rooms if room is not None)])


def _room_in(limit: str, used: str, record: str, cached: str) -> int | None:
    if not Path(limit).exists() or not (text := Path(limit).read_text().strip()).isdigit():
        return None
    # Files that were read lie in memory until it is wanted for something else.
    told = dict(line.split() for line in Path(record).read_text().splitlines()) if Path(record).exists() else {}
    return max(0, int(text) - int(Path(used).read_text()) + int(told.get(cached, 0)))


def _room_under_limit() -> int | None:
    """Return what is left of `ulimit -m`: Linux does not enforce it, but it says what is wanted."""
    most = resource.getrlimit(resource.RLIMIT_RSS)[0]
    if most == resource.RLIM_INFINITY:
        return None
    taken = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return max(0, most - taken)
