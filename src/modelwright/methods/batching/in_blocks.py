"""An order that reads a disk in long stretches and still mixes."""

from __future__ import annotations

import numpy as np


def order_in_blocks(rows: int, block: int, window: int, generator: np.random.Generator) -> np.ndarray:
    """Return an order of all rows in which those of `window` blocks, drawn from everywhere, stand mixed, window after window.

    A block is `block` rows that follow each other. What it costs in randomness: rows of a block stay within a window, so rows that
    are stored in an order that means something should be dealt out at random before.

    Shapes: n rows -> (n,) int
    Source: Bertsekas 2012, "Incremental gradient, subgradient, and proximal methods", section 3 (any order that takes each once);
        Xu et al. 2022, "In-database machine learning with CorgiPile", algorithm 1 (blocks, then rows of a buffer of blocks).
    """
    starts = np.arange(0, rows, block)[generator.permutation(-(-rows // block))]
    order = np.empty(rows, dtype=np.int64)
    filled = 0
    for first in range(0, len(starts), window):
        chosen = starts[first : first + window]
        mixed = np.concatenate([np.arange(start, min(start + block, rows)) for start in chosen])
        order[filled : filled + len(mixed)] = mixed[generator.permutation(len(mixed))]
        filled += len(mixed)
    return order
