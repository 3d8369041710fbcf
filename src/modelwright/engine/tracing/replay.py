"""Run the operations of a step for real, one after the other in their order, and see how long each takes.

In their order, because what an operation finds in the caches is what those before it have left there. Alone and again and again
it would be up to a third faster than it ever is in a step.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_map_only

from ...methods.planning.timing import numbers_of
from .probe import LARGEST_BYTES, REFUSED, make, run_call, size_of
from .tracer import Call, Spec

# The first pass is for kernels to be chosen and memory to be fetched; of the others the median counts, operation by operation.
LEAST_PASSES, MOST_PASSES, LEAST_SECONDS, MOST_SECONDS = 3, 12, 0.4, 3.0

# Between so many events a call is timed that adds two numbers, for what it takes to call anything at all.
BETWEEN, EMPTY = 8, "empty"
NUMBER = Spec(torch.float32, (1,), (1,))
NEARLY_NOTHING = Call(torch.ops.aten.add.Tensor, (NUMBER, NUMBER), {}, EMPTY)


class Stage:
    """State: tensors of each type and shape, those made last in front; what an operation returns takes the place of the oldest."""

    def __init__(self) -> None:
        self.tensors: dict[Spec, list[torch.Tensor]] = {}
        self.alive: dict[int, torch.Tensor] = {}
        self.held = 0

    @property
    def room(self) -> int:
        """The bytes that may still be kept alive. Units: bytes."""
        return LARGEST_BYTES - sum(tensor.nbytes for tensor in self.alive.values())

    def run(self, call: Call, clock: Callable[[], float], made: Sequence[tuple[int, int, int]] = ()) -> float | None:
        """Run one operation; return how long it took, None where it cannot be run on made-up values.

        What it makes lives as long as in the step, by the numbers of the storages in `made`: so the next operation is given other
        memory, as it is there.

        Units: seconds
        """
        try:
            args, kwargs = self._dress(call)
            began = clock()
            result = run_call(call, args, kwargs)
            taken = clock() - began
        except REFUSED:
            return None
        outputs = tree_flatten(result)[0]
        self.alive |= {storage: outputs[place] for storage, place, size in made if size <= self.room}
        for output in outputs:
            # Integers say where to look; made-up ones are zero, which is everywhere a place.
            if isinstance(output, torch.Tensor) and output.dtype.is_floating_point:
                known = self.tensors.get(Spec(output.dtype, tuple(output.shape), output.stride()))
                if known:
                    known.insert(0, output)
                    known.pop()
        return taken

    def _dress(self, call: Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return what a call is given: no tensor twice, and no new one where one like it is there."""
        used: dict[Spec, int] = {}

        def take(spec: Spec) -> torch.Tensor:
            known = self.tensors.setdefault(spec, [])
            place = used.get(spec, 0)
            used[spec] = place + 1
            if place == len(known):
                known.append(make(spec))
                self.held += known[-1].untyped_storage().nbytes()
            return known[place]

        if self.held > LARGEST_BYTES:
            # Planning must not need the memory that it plans.
            self.tensors.clear()
            self.held = 0
        found: tuple[tuple[Any, ...], dict[str, Any]] = tree_map_only(Spec, take, (call.arguments, call.named))
        return found


def time_in_order(
    calls: Sequence[Call], events: Sequence[tuple[Any, ...]], clock: Callable[[], float]
) -> tuple[float, dict[Any, float | None]]:
    """Return how long a call takes that does next to nothing, and how much longer each operation of a step does, by its key.

    None where an operation cannot be run alone. What a call takes before it does anything is another thing here, where all of
    them come from Python, than in a step, where most come from within torch; so it is told apart. `events` are those of the step, which name the operations by their numbers in `calls`.

    Units: seconds
    """
    stage = Stage()
    called = {calls[number].key: calls[number] for number in numbers_of(events)}
    laps: dict[Any, list[float]] = {key: [] for key in [*called, EMPTY]}
    left_out = {
        key
        for key, call in called.items()
        if size_of(call) > LARGEST_BYTES or str(call.operator).startswith("profiler.")
    }
    gc.collect()
    gc.disable()
    flushed = torch.set_flush_denormal(True)
    try:
        began, passes = time.perf_counter(), 0
        while passes < LEAST_PASSES + 1 or (time.perf_counter() - began < LEAST_SECONDS and passes < MOST_PASSES):
            for place, event in enumerate(events):
                if place % BETWEEN == 0:
                    laps[EMPTY].append(stage.run(NEARLY_NOTHING, clock) or 0.0)
                if event[0] == "free":
                    stage.alive.pop(event[1], None)
                elif (call := calls[event[1]]).key not in left_out:
                    taken = stage.run(call, clock, event[2])
                    if taken is not None and passes:
                        laps[call.key].append(taken)
            passes += 1
            if passes > 1 and time.perf_counter() - began > MOST_SECONDS:
                break
    finally:
        gc.enable()
        if flushed:
            torch.set_flush_denormal(False)
    empty = statistics.median(laps.pop(EMPTY))
    return empty, {key: max(0.0, statistics.median(found) - empty) if found else None for key, found in laps.items()}
