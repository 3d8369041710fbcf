"""Run single operations for real and see what they ask memory for."""

from __future__ import annotations

import gc
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_map_only

from ...methods.planning.log import Probed
from .adapter import key_of
from .tracer import Call, Spec

# What is given more is not run: planning must not need the memory that it plans.
LARGEST_BYTES = 1 << 29
MARK = "modelwright probe "
# What made-up values may raise; the shapes then have to do.
REFUSED = (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError)


class Prober:
    """State: what was found of each operation so far, by its key; one that cannot be run alone has nothing."""

    def __init__(self) -> None:
        self.memory: dict[Any, Probed | None] = {}

    def probe(self, calls: Sequence[Call]) -> list[Probed | None]:
        """Return what each operation does to memory when it is run; None where it cannot be run alone.

        Units: bytes
        """
        new = [call for call in calls if call.key not in self.memory and 0 < size_of(call) <= LARGEST_BYTES]
        outputs: list[tuple[int, ...] | None] = []
        if new:
            activities = [torch.profiler.ProfilerActivity.CPU]
            gc.collect()
            # Not without gradients: recurrent layers then keep nothing for the way back. What is given asks for none.
            with torch.profiler.profile(activities=activities, profile_memory=True) as seen:
                outputs = [_run_marked(call, number) for number, call in enumerate(new)]
            peaks = peaks_of(seen)
            for number, (call, returned) in enumerate(zip(new, outputs, strict=True)):
                self.memory[call.key] = (
                    None if returned is None else Probed(max(0, peaks.get(number, 0) - sum(returned)), returned)
                )
        return [self.memory.get(call.key) for call in calls]


def make(spec: Spec) -> torch.Tensor:
    """Make a tensor of this type, shape and strides; what the way back wants from the way there is fetched from there."""
    if spec.origin is not None:
        call, output = spec.origin
        args, kwargs = real_arguments(call)
        found: torch.Tensor = tree_flatten(run_call(call, args, kwargs))[0][output]
        return found
    reach = sum((size - 1) * stride for size, stride in zip(spec.size, spec.stride, strict=True))
    flat = torch.zeros(1 + reach if all(spec.size) else 0, dtype=spec.dtype)
    if spec.dtype.is_floating_point:
        # Neither zero nor so small that arithmetic slows down.
        flat.fill_(0.5)
    return flat.as_strided(spec.size, spec.stride)


def real_arguments(call: Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return what a call is given, made for real."""
    made: tuple[tuple[Any, ...], dict[str, Any]] = tree_map_only(Spec, make, (call.arguments, call.named))
    return made


def size_of(call: Call) -> int:
    """Return the bytes of all tensors that a call is given.

    Units: bytes
    """
    leaves = tree_flatten((call.arguments, call.named))[0]
    return sum(math.prod(leaf.size) * leaf.dtype.itemsize for leaf in leaves if isinstance(leaf, Spec))


def run_call(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a call on what was made for it."""
    with torch.inference_mode(call.inference):
        return call.operator(*args, **kwargs)


def _run_marked(call: Call, number: int) -> tuple[int, ...] | None:
    try:
        args, kwargs = real_arguments(call)
        with torch.profiler.record_function(f"{MARK}{number}"):
            result = run_call(call, args, kwargs)
    except REFUSED:
        return None
    given = {
        key_of(item.untyped_storage()) for item in tree_flatten((args, kwargs))[0] if isinstance(item, torch.Tensor)
    }
    return tuple(_new_bytes(item, given) for item in tree_flatten(result)[0])


def _new_bytes(item: Any, given: set[int]) -> int:
    if not isinstance(item, torch.Tensor) or key_of(item.untyped_storage()) in given:
        return 0
    given.add(key_of(item.untyped_storage()))
    return item.untyped_storage().nbytes()


def peaks_of(seen: Any) -> dict[int, int]:
    """Return for each marked call the most that was asked for at one time within it, in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        seen.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    marks = sorted(
        (event["ts"], event["ts"] + event["dur"], int(event["name"].removeprefix(MARK)))
        for event in events
        if event.get("name", "").startswith(MARK) and event.get("ph") == "X"
    )
    asked = sorted(
        (event["ts"], event["args"]["Total Allocated"], event["args"]["Bytes"])
        for event in events
        if event["name"] == "[memory]"
    )
    peaks: dict[int, int] = {}
    place = 0
    for began, ended, number in marks:
        while place < len(asked) and asked[place][0] < began:
            place += 1
        before = asked[place][1] - asked[place][2] if place < len(asked) else 0
        while place < len(asked) and asked[place][0] <= ended:
            peaks[number] = max(peaks.get(number, 0), asked[place][1] - before)
            place += 1
    return peaks
