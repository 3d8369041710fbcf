"""How long a step takes: the sum over its operations of what each takes alone, or of what a machine's constants say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .log import Log

# What one call of an operator costs beyond its own work where nobody has measured it: Python, the graph of the gradient.
OVERHEAD_SECONDS = 6e-6
# The share of its peak that an operation of a class reaches on a machine nobody has measured; the rest is bound by memory.
EFFICIENCY = {"matmul": 0.6, "convolution": 0.4, "attention": 0.5, "recurrent": 0.2}


# Of a machine that is at hand, in units of the call that does next to nothing: what a call costs within a step, where most come
# from within torch, and what a step costs beside its calls (the loop, its rules and observers, the optimiser's own Python).
CALL_SHARE, CALLS_OF_STEP = 0.25, 45.0
# How much longer operations take among the rest of a step than in the replay of them; docs/log.md has the measurements.
AMONG_OTHERS = 1.05
# Operations that return what they were given in another shape: they move nothing, and what they cost is in that of the others.
VIEW = "view"
# The phases that steps lie in; of the second nothing but what every step does.
STEPS = ("training", "step")
ORDINARY = "step"


@dataclass(frozen=True)
class Rates:
    """What a machine can do at most: multiplications and additions, bytes moved, and the cost of a call."""

    flops_per_second: float
    bytes_per_second: float
    overhead_seconds: float = OVERHEAD_SECONDS


def events_of_step(log: Log) -> list[tuple[Any, ...]]:
    """Return what an ordinary step calls and frees, in its order; of the last step where none is marked as ordinary.

    Source: the log's own phases; a step lies between two marks of the phases `training` and `step`.
    """
    steps: list[tuple[str, list[tuple[Any, ...]]]] = []
    inside = False
    for event in log.events:
        if event[0] == "phase":
            inside = event[1] in STEPS
            if inside:
                steps.append((event[1], []))
        elif inside and event[0] in ("call", "free"):
            steps[-1][1].append(event)
    filled = [step for step in steps if len(numbers_of(step[1])) > 1]
    ordinary = [events for phase, events in filled if phase == ORDINARY] or [events for _, events in filled]
    return ordinary[-1] if ordinary else []


def numbers_of(events: Iterable[tuple[Any, ...]]) -> list[int]:
    """Return the numbers of the operations that are called, in their order.

    Source: the log's own events.
    """
    return [event[1] for event in events if event[0] == "call"]


def seconds_of_step(operations: Iterable[Mapping[str, Any]], rates: Rates) -> float:
    """Return the time of a step: what was measured of each operation alone, else what the rates allow, and the calls.

    Units: seconds
    Source: Williams, Waterman and Patterson 2009, Roofline, equation 1, where nothing was measured.
    """
    return sum(operation["count"] * _seconds(operation, rates) for operation in operations)


def seconds_here(operations: Iterable[Mapping[str, Any]], rates: Rates, call_seconds: float) -> float:
    """Return the time of a step whose operations were replayed on the machine at hand, where calling anything takes so long.

    Units: seconds
    Source: measured; docs/log.md, planned step times.
    """
    longer = [
        {**item, "seconds": None if item.get("seconds") is None else AMONG_OTHERS * item["seconds"]}
        for item in operations
    ]
    calls = Rates(rates.flops_per_second, rates.bytes_per_second, CALL_SHARE * call_seconds)
    return seconds_of_step(longer, calls) + CALLS_OF_STEP * call_seconds


def seconds_with_batch(step: float, batch: float, ahead: bool) -> float:
    """Return the time of a step with the making of its batch, which takes place before it, or ahead of it on another core.

    Units: seconds
    Source: two stages in a row; the slower one sets the pace where they overlap.
    """
    return max(step, batch) if ahead else step + batch


def _seconds(operation: Mapping[str, Any], rates: Rates) -> float:
    if operation["kind"] == VIEW:
        return 0.0
    if operation.get("seconds") is not None:
        return float(operation["seconds"]) + rates.overhead_seconds
    return roofline(operation, rates) + rates.overhead_seconds


def roofline(operation: Mapping[str, Any], rates: Rates) -> float:
    """Return the time that an operation takes where either arithmetic or memory is the limit.

    Units: seconds
    Source: Williams, Waterman and Patterson 2009, Roofline, equation 1.
    """
    reached = EFFICIENCY.get(operation["kind"], 1.0)
    moved = (operation["inputs"] + operation["outputs"]) / rates.bytes_per_second
    return max(operation["flops"] / (reached * rates.flops_per_second), moved)
