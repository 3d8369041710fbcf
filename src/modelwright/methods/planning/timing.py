"""How long a step takes: the sum over its operations of what each takes alone, or of what a machine's constants say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .log import Log

# What one call of an operator costs beyond its own work where nobody has measured it: Python, the graph of the gradient.
OVERHEAD_SECONDS = 6e-6
# The share of its peak that an operation of a class reaches on a machine nobody has measured; the rest is bound by memory.
EFFICIENCY = {"matmul": 0.6, "convolution": 0.4, "attention": 0.5, "recurrent": 0.2}


@dataclass(frozen=True)
class Rates:
    """What a machine can do at most: multiplications and additions, bytes moved, and the cost of a call."""

    flops_per_second: float
    bytes_per_second: float
    overhead_seconds: float = OVERHEAD_SECONDS


def calls_of_step(log: Log) -> dict[int, int]:
    """Return how often each operation is called in the last step of training, by its number.

    Source: the log's own phases; a step lies between two marks of the phase `training`.
    """
    steps: list[Counter[int]] = []
    inside = False
    for event in log.events:
        if event[0] == "phase":
            inside = event[1] == "training"
            if inside:
                steps.append(Counter())
        elif inside and event[0] == "call":
            steps[-1][event[1]] += 1
    filled = [step for step in steps if len(step) > 1]
    return dict(filled[-1]) if filled else {}


def seconds_of_step(operations: Iterable[Mapping[str, Any]], rates: Rates) -> float:
    """Return the time of a step: what was measured of each operation alone, else what the rates allow, and the calls.

    Units: seconds
    Source: Williams, Waterman and Patterson 2009, Roofline, equation 1, where nothing was measured.
    """
    return sum(operation["count"] * _seconds(operation, rates) for operation in operations)


def _seconds(operation: Mapping[str, Any], rates: Rates) -> float:
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
