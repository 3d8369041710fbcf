"""What a process holds of the system's memory while a traced program runs: the C library's heap, replayed from the log."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from .log import Log, Probed

# PyTorch asks for memory on lines of so many bytes; the C library keeps so many beside each piece.
LINE, BESIDE = 64, 16
PAGE = 4096
# Pieces larger than this are taken from the system one by one, and given back one by one.
FAST_THRESHOLD = 1 << 30
# Without settings that limit grows with what is given back, from one to the other.
TIGHT_THRESHOLD, TIGHT_MOST = 128 << 10, 32 << 20


@dataclass
class Heap:
    """State: the free pieces of the heap, its end, and what lies outside of it; `fast` never gives anything back.

    Source: the GNU C library manual, section 3.2.3.6, Malloc Tunable Parameters; best fit with neighbours joined, as Doug Lea,
        A Memory Allocator, 1996.
    """

    how: Literal["fast", "tight"]
    end: int = 0
    outside: int = 0
    most: int = 0
    threshold: int = 0
    # (bytes, address) in order; address -> bytes; end address -> address.
    free: list[tuple[int, int]] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.threshold = FAST_THRESHOLD if self.how == "fast" else TIGHT_THRESHOLD

    def take(self, size: int) -> tuple[int, int]:
        """Take a piece; return where it lies, -1 outside of the heap, and its bytes.

        Units: bytes
        """
        need = -(-(size + BESIDE) // LINE) * LINE
        if need >= self.threshold:
            need = -(-need // PAGE) * PAGE
            self.outside += need
            found = -1
        else:
            found = self._fit(need)
        self.most = max(self.most, self.end + self.outside)
        return found, need

    def give(self, piece: tuple[int, int]) -> None:
        """Give a piece back."""
        address, size = piece
        if address < 0:
            self.outside -= size
            if self.how == "tight":
                self.threshold = max(self.threshold, min(size + 1, TIGHT_MOST))
            return
        before = self.ends.get(address)
        if before is not None:
            size += self._remove(before)
            address = before
        if address + size in self.sizes:
            size += self._remove(address + size)
        if address + size == self.end and self._trims(size):
            self.end = address
        else:
            self._add(address, size)

    def _trims(self, size: int) -> bool:
        # Twice the limit for pieces outside, as long as nobody sets either.
        return self.how == "tight" and size > 2 * self.threshold

    def _fit(self, need: int) -> int:
        place = bisect_left(self.free, (need, -1))
        if place < len(self.free):
            size, address = self.free[place]
            self._remove(address)
            if size > need:
                self._add(address + need, size - need)
            return address
        last = self.ends.get(self.end)
        if last is not None:
            # The free piece at the end grows by what is missing.
            self._remove(last)
            self.end = last + need
            return last
        address, self.end = self.end, self.end + need
        return address

    def _add(self, address: int, size: int) -> None:
        insort(self.free, (size, address))
        self.sizes[address] = size
        self.ends[address + size] = address

    def _remove(self, address: int) -> int:
        size = self.sizes.pop(address)
        del self.ends[address + size]
        del self.free[bisect_left(self.free, (size, address))]
        return size


def resident_peak(log: Log, probed: Sequence[Probed | None], how: Literal["fast", "tight"]) -> int:
    """Return the most that the heap of a traced program held, and so what its process does beyond what it begins with.

    Units: bytes
    Source: as `Heap`.
    """
    heap = Heap(how)
    alive: dict[int, tuple[int, int]] = {}
    for event in log.events:
        if event[0] == "call":
            known = probed[event[1]]
            for storage, output, shaped in event[2]:
                size = known.outputs[output] if known and output < len(known.outputs) else shaped
                alive[storage] = heap.take(size)
            if known and known.scratch:
                heap.give(heap.take(known.scratch))
        elif event[0] == "free" and event[1] in alive:
            heap.give(alive.pop(event[1]))
    return heap.most
