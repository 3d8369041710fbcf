"""Memory for batches, taken once and used again: making a batch asks the system for nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


class Slot:
    """State: one buffer for each named array of a batch, as large as the largest batch so far asked for."""

    def __init__(self, pinned: bool = False) -> None:
        self.pinned = pinned
        self.buffers: dict[tuple[str, str], np.ndarray] = {}
        self.allocations = 0

    def __call__(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return room for an array; what stood there before is overwritten by whoever asks."""
        size, kind = math.prod(shape), np.dtype(dtype)
        buffer = self.buffers.get((name, kind.str))
        if buffer is None or buffer.size < size:
            buffer = self.buffers[name, kind.str] = self._new(size, kind)
        return buffer[:size].reshape(shape)

    def _new(self, size: int, kind: np.dtype[Any]) -> np.ndarray:
        self.allocations += 1
        if not self.pinned:
            return np.empty(size, kind)
        import torch

        # Page-locked memory can be copied to the device while the processor goes on.
        return torch.empty(size * kind.itemsize, dtype=torch.uint8, pin_memory=True).numpy().view(kind)


class Pool:
    """State: the slots. A batch lives in its slot until as many others as there are slots have been made."""

    def __init__(self, slots: int, pinned: bool = False) -> None:
        self.slots = [Slot(pinned) for _ in range(slots)]

    def slot(self, number: int) -> Slot:
        """Return the slot of the batch with this running number."""
        return self.slots[number % len(self.slots)]

    @property
    def allocations(self) -> int:
        """How often memory had to be asked for."""
        return sum(slot.allocations for slot in self.slots)
