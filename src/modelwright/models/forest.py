"""Many decision trees as flat arrays, and the way of each row through all of them at once.

Dimensions: N rows, F columns, T trees, A pairs of row and tree that are still on their way.
"""

from __future__ import annotations

import numpy as np

# Pairs of row and tree that are followed at a time: their state stays in the processor's cache.
PAIRS = 65_536
CODES = 256


def leaves_of(values_NF: np.ndarray, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Return the leaf that each row reaches in each tree.

    `arrays` holds, per node of all trees one after another: `feature`, `threshold`, `missing_left`, `left` and
    `right` (-1 at a leaf), and `bitset` (-1 for a split by number, else the row of `bitsets`, whose bit c says that
    the category c goes left; category 0 is a missing one). `roots` is the first node of each tree.

    Shapes: values (n, columns) float64 with NaN where a number is missing -> (n, trees) int64
    """
    columns = values_NF.shape[1]
    steer = _Steering(arrays, columns)
    # Two copies of the columns: where missing goes left, it is written as -inf, which is below every threshold; NaN is
    # below none. So one comparison answers for missing values too.
    both = np.concatenate([values_NF, np.where(np.isnan(values_NF), -np.inf, values_NF)], axis=1)
    rows, trees = len(values_NF), len(arrays["roots"])
    leaves = np.empty((rows, trees), dtype=np.int64)
    chunk = max(1, PAIRS // trees)
    for start in range(0, rows, chunk):
        part = both[start : start + chunk]
        leaves[start : start + chunk] = steer.follow(part.ravel(), len(part), 2 * columns, arrays["roots"])
    return leaves


class _Steering:
    """State: the node arrays in the form that a step reads them, built once for all chunks."""

    def __init__(self, arrays: dict[str, np.ndarray], columns: int) -> None:
        self.column = arrays["feature"] + columns * arrays["missing_left"].astype(np.int64)
        self.threshold = arrays["threshold"]
        self.children = np.stack([arrays["right"], arrays["left"]], axis=1).astype(np.int64).ravel()
        self.inner = arrays["left"] >= 0
        self.bitset = arrays["bitset"].astype(np.int64)
        self.goes_left = np.unpackbits(arrays["bitsets"], axis=1, bitorder="little").ravel()

    def follow(self, values: np.ndarray, rows: int, width: int, roots: np.ndarray) -> np.ndarray:
        """Walk from the roots to the leaves, dropping the pairs that have arrived."""
        node_NT = np.tile(roots.astype(np.int64), rows)
        active_A = np.flatnonzero(self.inner[node_NT])
        node_A, offset_A = node_NT[active_A], active_A // len(roots) * width
        while active_A.size:
            value_A = values[offset_A + self.column[node_A]]
            left_A = value_A <= self.threshold[node_A]
            bitset_A = self.bitset[node_A]
            by_category = np.flatnonzero(bitset_A >= 0)
            if by_category.size:
                left_A[by_category] = self.goes_left[
                    bitset_A[by_category] * CODES + value_A[by_category].astype(np.int64)
                ]
            node_A = self.children[2 * node_A + left_A]
            node_NT[active_A] = node_A
            kept = self.inner[node_A]
            active_A, node_A, offset_A = active_A[kept], node_A[kept], offset_A[kept]
        return node_NT.reshape(rows, len(roots))
