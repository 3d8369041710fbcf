"""What a meter says: joules with bounds, and how they were found. Any two readings of one meter can be subtracted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Spent:
    """Energy since a meter was opened, in joules: the value, and bounds that it lies between."""

    joules: float
    low: float
    high: float


@dataclass(frozen=True)
class Source:
    """One thing that is metered: how, after whom, and what reads it. `measured` is false where a model stands for a counter."""

    method: str
    source: str
    measured: bool
    read: Callable[[], Spent]


@dataclass(frozen=True)
class Load:
    """How busy the machine has been since the meter was opened, in seconds.

    `process`: processor time of this process and of those that it waited for; `machine`: of all; `wall`: of the clock.
    """

    process: float
    machine: float
    wall: float
    cores: int
