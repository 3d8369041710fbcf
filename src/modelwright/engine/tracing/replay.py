"""Run the operations of a step for real, one after the other on the memory that they share, and see how long each takes.

In their order and on their memory, because what an operation finds in the caches is what those before it have left there. Alone
and again and again it would be up to a third faster than it ever is in a step.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_map_only

from ...methods.planning.log import Log
from ...methods.planning.timing import VIEW, events_of_step, numbers_of
from .probe import LARGEST_BYTES, REFUSED, make, run_call, size_of
from .tracer import Call, Spec

# The first pass is for kernels to be chosen and memory to be fetched; of the others the median counts, operation by operation.
LEAST_PASSES, MOST_PASSES, LEAST_SECONDS, MOST_SECONDS = 3, 12, 0.3, 3.0
# Between so many events a call is timed that adds two numbers, for what it takes to call anything at all.
BETWEEN, EMPTY = 8, "empty"
NUMBER = Spec(torch.float32, (1,), (1,))
NEARLY_NOTHING = Call(torch.ops.aten.add.Tensor, (NUMBER, NUMBER), {}, EMPTY)
# Of each tensor that a call is given: the number of its storage, if that is known, and where in it the tensor begins.
Met = Sequence[tuple[int | None, int]]


class Stage:
    """State: what the step has made and not yet freed, by the numbers of its storages, and what was there before, by what it is for."""

    def __init__(self) -> None:
        self.alive: dict[int, torch.Tensor] = {}
        self.given: dict[Any, torch.Tensor] = {}
        self.held = 0

    def run(
        self, call: Call, clock: Callable[[], float], made: Sequence[tuple[int, int, int]] = (), met: Met = ()
    ) -> float | None:
        """Run one operation; return how long it took, None where it cannot be run on made-up values.

        `made`: number, place among the outputs, and bytes of each storage that it makes; these live until they are freed.

        Units: seconds
        """
        try:
            args, kwargs = self._dress(call, iter(met))
            began = clock()
            result = run_call(call, args, kwargs)
            taken = clock() - began
        except REFUSED:
            return None
        if made:
            outputs = tree_flatten(result)[0]
            for storage, place, _ in made:
                if isinstance(outputs[place], torch.Tensor) and self.held < LARGEST_BYTES:
                    self.alive[storage] = outputs[place]
                    self.held += outputs[place].nbytes
        return taken

    def free(self, storage: int) -> None:
        """Let go of what the step frees."""
        if storage in self.alive:
            self.held -= self.alive.pop(storage).nbytes

    def _dress(self, call: Call, met: Iterator[tuple[int | None, int]]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return what a call is given: what the step has made, else made-up values, the same for the same storage."""
        places = count()

        def take(spec: Spec) -> torch.Tensor:
            storage, offset = next(met, (None, 0))
            made = self.alive.get(storage) if storage is not None else None
            if made is not None and (seen := _seen_as(made, spec, offset)) is not None:
                return seen
            # Beyond what planning may take, tensors of one shape are one tensor.
            known = storage if storage is not None and self.held < LARGEST_BYTES else next(places)
            if (known, spec) not in self.given:
                self.given[known, spec] = make(spec)
                self.held += self.given[known, spec].untyped_storage().nbytes()
            return self.given[known, spec]

        found: tuple[tuple[Any, ...], dict[str, Any]] = tree_map_only(Spec, take, (call.arguments, call.named))
        return found


def _seen_as(made: torch.Tensor, spec: Spec, offset: int) -> torch.Tensor | None:
    """Return a tensor of this shape on the memory of another one; None where it does not fit there."""
    if spec.origin is not None or (made.shape == spec.size and made.stride() == spec.stride):
        return made
    reach = offset + 1 + sum((size - 1) * stride for size, stride in zip(spec.size, spec.stride, strict=True))
    if made.dtype != spec.dtype or not all(spec.size) or reach * made.itemsize > made.untyped_storage().nbytes():
        return None
    return made.as_strided(spec.size, spec.stride, offset)


def time_in_order(calls: Sequence[Call], log: Log, clock: Callable[[], float]) -> tuple[float, dict[Any, float | None]]:
    """Return how long a call takes that does next to nothing, and how much longer each operation of a step does, by its key.

    None where an operation cannot be run alone. What a call takes before it does anything is another thing here, where all of
    them come from Python, than in a step, where most come from within torch; so it is told apart.

    Units: seconds
    """
    stage, events = Stage(), events_of_step(log)
    called = {calls[number].key: number for number in numbers_of(events)}
    laps: dict[Any, list[float]] = {key: [] for key in [*called, EMPTY]}
    left_out = {
        key
        for key, number in called.items()
        if size_of(calls[number]) > LARGEST_BYTES or log.operations[number].kind == VIEW
    }
    gc.collect()
    gc.disable()
    flushed = torch.set_flush_denormal(True)
    try:
        began, passes = time.perf_counter(), 0
        while passes < LEAST_PASSES + 1 or (time.perf_counter() - began < LEAST_SECONDS and passes < MOST_PASSES):
            _pass(stage, calls, events, clock, left_out, laps if passes else {key: [] for key in laps})
            passes += 1
            if passes > 1 and time.perf_counter() - began > MOST_SECONDS:
                break
    finally:
        gc.enable()
        if flushed:
            torch.set_flush_denormal(False)
    empty = statistics.median(laps.pop(EMPTY))
    return empty, {key: max(0.0, statistics.median(found) - empty) if found else None for key, found in laps.items()}


def _pass(
    stage: Stage,
    calls: Sequence[Call],
    events: Sequence[tuple[Any, ...]],
    clock: Callable[[], float],
    left_out: set[Any],
    laps: dict[Any, list[float]],
) -> None:
    """Go through the step once."""
    for place, event in enumerate(events):
        if place % BETWEEN == 0:
            laps[EMPTY].append(stage.run(NEARLY_NOTHING, clock) or 0.0)
        if event[0] == "free":
            stage.free(event[1])
        elif (call := calls[event[1]]).key not in left_out:
            taken = stage.run(call, clock, *event[2:])
            if taken is not None:
                laps[call.key].append(taken)
    for storage in list(stage.alive):
        stage.free(storage)
