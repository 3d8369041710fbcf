"""What a GPU's allocator takes for what a program asks of it: PyTorch's caching allocator, followed without a GPU.

Memory that is asked for on a stream comes from that stream's own pools, and goes back to them: no other stream may have it.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field

from .log import Log, Probed, sizes_of

# c10/cuda/CUDACachingAllocator: sizes are rounded up; small ones have pools of their own, which grow by so much.
ROUND, SMALL, SMALL_SEGMENT, MEDIUM_SEGMENT, LARGE, LARGE_UNIT = 512, 1 << 20, 2 << 20, 20 << 20, 10 << 20, 2 << 20
# What is left of a large block is only cut off where it is more than this.
SPLIT = 1 << 20


@dataclass
class Pool:
    """State: the segments of one stream and size class: free ranges as (size, segment, start), kept in order of size."""

    small: bool
    expandable: bool
    free: list[tuple[int, int, int]] = field(default_factory=list)
    # Segment -> bytes that it has. An expandable pool has one, which grows at its end.
    segments: dict[int, int] = field(default_factory=dict)

    @property
    def reserved(self) -> int:
        """The bytes of all segments."""
        return sum(self.segments.values())

    def take(self, size: int) -> tuple[int, int, int]:
        """Return (size, segment, start) of a block: the smallest free range that fits, else new memory."""
        best = next((block for block in self.free if block[0] >= size), None)
        if best is None:
            return self._grow(size)
        self.free.remove(best)
        room, segment, start = best
        left = room - size
        if left >= ROUND if (self.small or self.expandable) else left > SPLIT:
            insort(self.free, (left, segment, start + size))
            return size, segment, start
        return room, segment, start

    def _grow(self, size: int) -> tuple[int, int, int]:
        if not self.expandable:
            segment = len(self.segments)
            got = _segment_bytes(size)
            self.segments[segment] = got
            insort(self.free, (got, segment, 0))
            return self.take(size)
        end = self.segments.setdefault(0, 0)
        last = next((block for block in self.free if block[2] + block[0] == end), None)
        unit = SMALL_SEGMENT if self.small else MEDIUM_SEGMENT
        missing = size - (last[0] if last else 0)
        grown = -(-missing // unit) * unit
        self.segments[0] = end + grown
        if last:
            self.free.remove(last)
            insort(self.free, (last[0] + grown, 0, last[2]))
        else:
            insort(self.free, (grown, 0, end))
        return self.take(size)

    def give(self, block: tuple[int, int, int]) -> None:
        """Take a block back, and join it with free neighbours."""
        size, segment, start = block
        for other in [item for item in self.free if item[1] == segment]:
            if other[2] + other[0] == start:
                self.free.remove(other)
                size, start = size + other[0], other[2]
            elif start + size == other[2]:
                self.free.remove(other)
                size += other[0]
        insort(self.free, (size, segment, start))


def _segment_bytes(size: int) -> int:
    if size <= SMALL:
        return SMALL_SEGMENT
    if size < LARGE:
        return MEDIUM_SEGMENT
    return -(-size // LARGE_UNIT) * LARGE_UNIT


class Allocator:
    """State: the pools of each stream, and how much all of them have; `reserved` never sinks, as nothing is given back."""

    def __init__(self, expandable: bool = True) -> None:
        self.expandable = expandable
        self.pools: dict[tuple[int, bool], Pool] = {}
        self.reserved = self.live = self.peak = 0

    def take(self, size: int, stream: int) -> tuple[Pool, tuple[int, int, int]]:
        """Return a block of memory, to be given back."""
        rounded = max(ROUND, -(-size // ROUND) * ROUND)
        small = rounded <= SMALL
        pool = self.pools.setdefault((stream, small), Pool(small, self.expandable))
        before = pool.reserved
        block = pool.take(rounded)
        self.reserved += pool.reserved - before
        self.live += block[0]
        self.peak = max(self.peak, self.live)
        return pool, block

    def give(self, taken: tuple[Pool, tuple[int, int, int]]) -> None:
        """Take a block back."""
        taken[0].give(taken[1])
        self.live -= taken[1][0]


@dataclass(frozen=True)
class Reserved:
    """Peaks of a program on a device: bytes in use, and bytes that the allocator has taken from the device."""

    allocated: int
    reserved: int


def replay(log: Log, probed: Sequence[Probed | None] = (), expandable: bool = True) -> Reserved:
    """Follow a log through the allocator of a device, from its first step of training on: what is built before, the host builds.

    Units: bytes
    Source: PyTorch 2.13, c10/cuda/CUDACachingAllocator.cpp: rounding, pools by stream and size, best fit, expandable segments.
    """
    allocator = Allocator(expandable)
    taken: dict[int, tuple[tuple[Pool, tuple[int, int, int]], int]] = {}
    stream = 0

    def ask(storage: int, size: int, on: int) -> None:
        if size:
            taken[storage] = (allocator.take(size, on), on)

    first = _first_step(log)
    for storage, size in _built(log, first, probed).items():
        ask(storage, size, stream)
    for event in log.events[first:]:
        if event[0] == "call":
            known = probed[event[1]] if probed else None
            for storage, size in sizes_of(event, known):
                ask(storage, size, stream)
            if known and known.scratch:
                allocator.give(allocator.take(known.scratch, stream))
        elif event[0] == "stream":
            stream = event[1]
        elif event[0] in ("free", "resize"):
            held = taken.pop(event[1], None)
            if held:
                allocator.give(held[0])
            if event[0] == "resize":
                ask(event[1], event[2], stream)
    return Reserved(allocator.peak, allocator.reserved)


def _first_step(log: Log) -> int:
    """Return the place of the first step of training; the beginning where there is none."""
    return next((place for place, event in enumerate(log.events) if event == ("phase", "training")), 0)


def _built(log: Log, first: int, probed: Sequence[Probed | None]) -> dict[int, int]:
    """Return what lives when the first step begins: the bytes of each storage, in the order in which they were asked for."""
    alive: dict[int, int] = {}
    for event in log.events[:first]:
        if event[0] == "call":
            alive |= sizes_of(event, probed[event[1]] if probed else None)
        elif event[0] == "free":
            alive.pop(event[1], None)
        elif event[0] == "resize":
            alive[event[1]] = event[2]
    return alive
