"""Which examples of a batch each process takes: together they take exactly those that one process would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Share:
    """A whole batch, how many of its examples each process takes, and the parts that are this process's own."""

    whole: Any
    counts: list[int]
    parts: list[Any]


def bounds(examples: int, processes: int) -> list[tuple[int, int]]:
    """Return where the share of each process begins and ends; no two differ by more than one example."""
    return [(examples * rank // processes, examples * (rank + 1) // processes) for rank in range(processes)]


def take_share(batch: Any, rank: int, processes: int, micro_batch: int, in_step: bool) -> Share:
    """Cut a batch into shares, and the own one into micro-batches; of fewer examples than processes, some take none.

    `in_step`: every process gets as many parts as every other; those too many are the first example again, to count nothing.
    """
    limits = bounds(len(batch), processes)
    start, stop = limits[rank]
    size = micro_batch or max(1, stop - start)
    parts = [batch.part(begin, min(begin + size, stop)) for begin in range(start, stop, size)]
    if in_step and len(batch):
        most = max(end - begin for begin, end in limits)
        wanted = -(-most // (micro_batch or most))
        parts += [batch.part(0, 1)] * (wanted - len(parts))
    return Share(batch, [end - begin for begin, end in limits], parts)
