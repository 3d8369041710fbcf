"""A column whose rows are of unequal length: spans of one long array, which may lie on disk and stay there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Ragged:
    """Row i is `values[start[i] : stop[i]]`; rows may overlap, and to choose some of them copies no value.

    Shapes: values (m,), start (n,) int64, stop (n,) int64
    """

    values: np.ndarray
    start: np.ndarray
    stop: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, indices: Any) -> Ragged:
        """Return the chosen rows, over the same values."""
        return Ragged(self.values, self.start[indices], self.stop[indices])

    def row(self, index: int) -> np.ndarray:
        """Return one row, as a view."""
        return self.values[self.start[index] : self.stop[index]]

    def compact(self) -> Ragged:
        """Return the same rows over values of their own, one after the other: what is stored without the rest."""
        lengths = self.stop - self.start
        stop = np.cumsum(lengths)
        rows = [self.row(index) for index in range(len(self))]
        values = np.concatenate(rows) if rows else np.empty(0, self.values.dtype)
        return Ragged(values, stop - lengths, stop)
