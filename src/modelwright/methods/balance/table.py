"""A training part as methods see it that make rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Table:
    """Numbers (rows, k) and codes (rows, m) of a training part, the class of each row, and how many values each code has."""

    numbers: np.ndarray
    codes: np.ndarray
    targets: np.ndarray
    cardinalities: list[int]
    classes: int
