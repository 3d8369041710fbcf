"""What this machine can do, measured in about five seconds: products of matrices, memory, and what a call costs beside its work."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from ..layouts.local import Local
from ..methods.planning.timing import VIEW, events_of_step, numbers_of
from .guard import Guard
from .incidents import DataOrder
from .loop import train
from .memory import keep_freed_memory
from .observers import LossHistory
from .tracing.replay import time_in_order
from .tracing.tracer import Tracer
from .turn import Turn

# Products of square matrices of this size, and copies of so many bytes, which no cache holds.
SIZE, COPIED_BYTES, LAPS = 1024, 1 << 28, 5
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# Two networks that differ in nothing but how many layers they have: what a step takes beyond its operations grows by layer.
SHALLOW, DEEP, WIDTH, EXAMPLES, STEPS, ROUNDS = 2, 14, 32, 32, 60, 3


def calibrate(threads: int) -> dict[str, dict[str, Any]]:
    """Measure this machine with so many threads; return its constants, each with unit and source.

    Units: seconds, bytes, multiplications and additions counted as two
    """
    torch.set_num_threads(threads)
    keep_freed_memory("fast")
    rates = {name: _product_rate(dtype) for name, dtype in DTYPES.items()}
    call, step = _overheads()
    found = {
        f"flops_per_second[{name}]": (rate, "multiplications and additions a second", f"a product of {SIZE} x {SIZE}")
        for name, rate in rates.items()
    }
    found |= {
        "bytes_per_second": (_copy_rate(), "bytes a second", f"a copy of {COPIED_BYTES >> 20} MiB, read and written"),
        "overhead_seconds": (call, "seconds a call", f"steps of {SHALLOW} and {DEEP} layers less their operations"),
        "step_seconds": (step, "seconds", f"a step of {SHALLOW} layers less its operations and its calls"),
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


def _overheads() -> tuple[float, float]:
    """Return what a call costs beside its work, and a step beside its calls: the medians of some rounds."""
    found = []
    for _ in range(ROUNDS):
        (shallow, few), (deep, many) = (_beyond(layers) for layers in (SHALLOW, DEEP))
        call = max(0.0, (deep - shallow) / (many - few))
        found.append((call, max(0.0, shallow - few * call)))
    return statistics.median(call for call, _ in found), statistics.median(step for _, step in found)


def _beyond(layers: int) -> tuple[float, int]:
    """Return by how much a step takes longer than its operations one by one, and how many these are."""
    tracer = Tracer()
    with tracer.tracing():
        tracer.phase("training")
        _take_steps(layers, 3, lambda: tracer.phase("step"))
    events = events_of_step(tracer.log)
    sequence = numbers_of(events)
    moments: list[float] = []
    _take_steps(layers, STEPS, lambda: moments.append(time.thread_time()))
    _, seconds = time_in_order(tracer.calls, events, time.thread_time)
    working = [number for number in sequence if tracer.log.operations[number].kind != VIEW]
    laps = [later - earlier for earlier, later in zip(moments[STEPS // 4 :], moments[STEPS // 4 + 1 :], strict=False)]
    operations = sum(seconds[tracer.calls[number].key] or 0.0 for number in working)
    return statistics.median(laps) - operations, len(working)


def _take_steps(layers: int, steps: int, before: Callable[[], object]) -> None:
    """Train a small network by the loop itself, with the rules and observers that every training has."""
    network = torch.nn.Sequential(
        *(part for _ in range(layers) for part in (torch.nn.Linear(WIDTH, WIDTH), torch.nn.ReLU()))
    )
    inputs = torch.full((EXAMPLES, WIDTH), 0.5)

    class Batch:
        indices = torch.arange(EXAMPLES).numpy()

        def __len__(self) -> int:
            return EXAMPLES

    def batches() -> Any:
        for step in range(steps):
            before()
            yield step, Batch()

    turn = Turn(
        "model",
        network,
        lambda batch: network(inputs).square().mean(dim=1),
        lambda batch: torch.ones(EXAMPLES),
        torch.optim.Adam(network.parameters(), fused=True),
        lambda step: 1.0,
    )
    train(
        turns=[turn],
        batches=batches(),
        layout=Local(),
        objective=lambda losses, batch: losses,
        rules=[Guard()],
        observers=[LossHistory(steps + 1), DataOrder()],
        seed_of_step=lambda step: step,
    )
