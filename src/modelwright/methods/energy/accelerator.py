"""What NVIDIA's devices have drawn, by their own counters."""

from __future__ import annotations

import os
from collections.abc import Callable

from .settings import Energy
from .spent import Load, Source, Spent

# NVML promises power within five per cent on data-centre boards.
WITHIN = 0.05


def open_accelerator(settings: Energy, load: Callable[[], Load]) -> Source | None:
    """Return the meter of the devices that this process may use, if there are any and the driver tells.

    A counter is of the whole board, whoever uses it.

    Units: joules
    Source: NVIDIA Management Library, nvmlDeviceGetTotalEnergyConsumption and nvmlDeviceGetPowerUsage.
    """
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in _visible(pynvml.nvmlDeviceGetCount())]
        first = [pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) for handle in handles]
    except pynvml.NVMLError:
        return None
    if not handles:
        return None

    def read() -> Spent:
        now = [pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) for handle in handles]
        joules = sum(after - before for after, before in zip(now, first, strict=True)) / 1000
        return Spent(joules, (1 - WITHIN) * joules, (1 + WITHIN) * joules)

    return Source(f"NVML counters of {len(handles)} device(s)", "NVIDIA Management Library", True, read)


def _visible(count: int) -> list[int]:
    stated = os.environ.get("CUDA_VISIBLE_DEVICES")
    if stated is None:
        return list(range(count))
    words = [word.strip() for word in stated.split(",")]
    return [int(word) for word in words if word.isdigit() and int(word) < count]
