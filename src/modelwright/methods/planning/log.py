"""The event log of a traced program: what it ran, what it asked memory for and gave back, in order. Plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# What may hold memory, in the order of the picture.
HOLDERS = ("parameters", "gradients", "optimiser", "copies", "activations", "logits", "workspace")


@dataclass(frozen=True)
class Operation:
    """One kind of call: an operator with the types and shapes of what it is given. Probed once, however often it is called.

    `inputs` and `outputs`: bytes of the tensors; `flops`: multiplications and additions; `kind`: the class of operator;
    `group`: of one that sends something, the ranks of all processes that take part; `width`: bytes of its first real number.
    """

    name: str
    kind: str
    inputs: int
    outputs: int
    flops: int
    group: tuple[int, ...] = ()
    width: int = 4


@dataclass
class Log:
    """State: the operations seen so far, and the events, each a tuple that begins with what happened.

    ("call", operation, ((storage, output, bytes), ...)): an operator ran and returned these new storages.
        Of the step that stands for all others a fourth part names the storage of each tensor that it was given, and the place in it.
    ("free", storage): the last reference to a storage is gone.
    ("resize", storage, bytes): a storage gives its memory back, or asks for it again, and lives on.
    ("phase", name): what follows belongs to this part of the program.
    ("hold", storage, holder): what a storage is for, from its first moment on.
    ("stream", number): what follows is asked for on this stream of a device; without one all is on stream 0.
    """

    operations: list[Operation] = field(default_factory=list)
    events: list[tuple[Any, ...]] = field(default_factory=list)


@dataclass(frozen=True)
class Probed:
    """What one operation does when it is run for real, in bytes and seconds.

    `scratch`: the most it asks memory for beyond what it returns; `outputs`: bytes of each output where the shapes tell another
    number; `seconds`: how long it takes, 0 where nobody has looked.
    """

    scratch: int = 0
    outputs: tuple[int, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Memory:
    """Live bytes as a program runs: the peak of each phase, and the curve of one of them by holder."""

    peaks: dict[str, int]
    # For each event at which memory grew: bytes by holder, in the order of HOLDERS.
    curve: list[tuple[str, tuple[int, ...]]]

    @property
    def peak(self) -> int:
        """The highest of all peaks."""
        return max(self.peaks.values(), default=0)


def sizes_of(event: tuple[Any, ...], known: Probed | None) -> list[tuple[int, int]]:
    """Return number and bytes of each storage that a call makes; what was probed replaces what the shapes tell.

    Units: bytes
    Source: none; a choice between two numbers.
    """
    outputs = known.outputs if known else ()
    return [(storage, outputs[output] if output < len(outputs) else shaped) for storage, output, shaped in event[2]]


def live_memory(log: Log, probed: Sequence[Probed | None]) -> Memory:
    """Follow a log and return how much memory lives at each moment; what was probed, if anything, replaces what the shapes tell.

    Units: bytes
    Source: C. Cai et al. 2020 (DNNMem), section 4.2: the peak over a traced order of operators of what is alive.
    """
    holders = {storage: holder for kind, storage, *rest in _events(log, "hold") for holder in rest}
    alive: dict[int, tuple[int, int]] = {}
    by_holder = [0] * len(HOLDERS)
    activations, workspace = HOLDERS.index("activations"), HOLDERS.index("workspace")
    phase, live = "", 0
    peaks: dict[str, int] = {}
    curve: list[tuple[str, tuple[int, ...]]] = []
    for event in log.events:
        if event[0] == "call":
            known = probed[event[1]] if probed else None
            scratch = known.scratch if known else 0
            returned = 0
            for storage, size in sizes_of(event, known):
                place = HOLDERS.index(holders[storage]) if storage in holders else activations
                alive[storage] = (size, place)
                by_holder[place] += size
                returned += size
            live += returned
            if live + scratch > peaks.get(phase, -1):
                peaks[phase] = live + scratch
            if returned or scratch:
                seen = list(by_holder)
                seen[workspace] += scratch
                curve.append((phase, tuple(seen)))
        elif event[0] == "resize":
            size, place = alive[event[1]]
            alive[event[1]] = (event[2], place)
            by_holder[place] += event[2] - size
            live += event[2] - size
            peaks[phase] = max(live, peaks.get(phase, 0))
        elif event[0] == "free":
            size, place = alive.pop(event[1], (0, 0))
            live -= size
            by_holder[place] -= size
        elif event[0] == "phase":
            phase = event[1]
            peaks[phase] = max(live, peaks.get(phase, 0))
    return Memory(peaks, curve)


def _events(log: Log, kind: str) -> list[tuple[Any, ...]]:
    return [event for event in log.events if event[0] == kind]
