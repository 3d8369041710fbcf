"""What this machine can do, measured in about five seconds: products of matrices, memory, and what a call costs beside its work."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from ..methods.planning.timing import CALL_SHARE, CALLS_OF_STEP, ORDINARY
from .memory import keep_freed_memory
from .tracing.replay import time_in_order
from .tracing.tracer import Tracer

# Products of square matrices of this size, and copies of so many bytes, which no cache holds.
SIZE, COPIED_BYTES, LAPS = 1024, 1 << 28, 5
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
WIDTH = 32


def calibrate(threads: int) -> dict[str, dict[str, Any]]:
    """Measure this machine with so many threads; return its constants, each with unit and source.

    Units: seconds, bytes, multiplications and additions counted as two
    """
    torch.set_num_threads(threads)
    keep_freed_memory("fast")
    rates = {name: _product_rate(dtype) for name, dtype in DTYPES.items()}
    call = _call_seconds()
    found = {
        f"flops_per_second[{name}]": (rate, "multiplications and additions a second", f"a product of {SIZE} x {SIZE}")
        for name, rate in rates.items()
    }
    found |= {
        "bytes_per_second": (_copy_rate(), "bytes a second", f"a copy of {COPIED_BYTES >> 20} MiB, read and written"),
        "overhead_seconds": (CALL_SHARE * call, "seconds a call", "its share of a call that adds two numbers"),
        "step_seconds": (CALLS_OF_STEP * call, "seconds", f"the time of {CALLS_OF_STEP:g} calls that add two numbers"),
    }
    return {
        name: {"value": float(f"{value:.4g}"), "unit": unit, "how": "measured", "source": source}
        for name, (value, unit, source) in found.items()
    }


def _product_rate(dtype: torch.dtype) -> float:
    left, right = (torch.full((SIZE, SIZE), 0.5, dtype=dtype) for _ in range(2))
    return 2 * SIZE**3 / _median(lambda: left @ right)


def _copy_rate() -> float:
    source, target = (torch.zeros(COPIED_BYTES, dtype=torch.uint8) for _ in range(2))
    return 2 * COPIED_BYTES / _median(lambda: target.copy_(source))


def _median(program: Callable[[], Any]) -> float:
    program()
    laps = []
    for _ in range(LAPS):
        began = time.perf_counter()
        program()
        laps.append(time.perf_counter() - began)
    return statistics.median(laps)


def _call_seconds() -> float:
    """Return what a call takes that does next to nothing, between the operations of a small step."""
    tracer = Tracer()
    with tracer.tracing():
        network = torch.nn.Sequential(torch.nn.Linear(WIDTH, WIDTH), torch.nn.ReLU(), torch.nn.Linear(WIDTH, WIDTH))
        tracer.phase(ORDINARY)
        network(torch.ones(WIDTH, WIDTH)).square().mean().backward()
    return time_in_order(tracer.calls, tracer.log, time.thread_time)[0]
