"""Batches of texts of about the same length, so that little of them is padding."""

from __future__ import annotations

import numpy as np


def order_by_length(lengths: np.ndarray, batch: int, window: int, generator: np.random.Generator) -> np.ndarray:
    """Return an order of all examples in which each batch holds texts of about the same length.

    All examples are shuffled, and only those of `window` batches at a time are sorted; the batches are then shuffled, and
    whichever is smaller than the others comes last. With a window of 1 it is a plain shuffle. What it costs in
    randomness: which examples meet in a batch depends on their lengths.

    Shapes: lengths (n,) int -> (n,) int
    Source: Khomenko et al. 2016, "Accelerating recurrent neural network training using sequence bucketing", section 3,
        with windows of a shuffled order in place of fixed buckets.
    """
    order = generator.permutation(len(lengths))
    for start in range(0, len(order), window * batch):
        chosen = order[start : start + window * batch]
        order[start : start + window * batch] = chosen[np.argsort(lengths[chosen], kind="stable")]
    whole = len(order) // batch
    batches = order[: whole * batch].reshape(whole, batch)[generator.permutation(whole)]
    return np.concatenate([batches.ravel(), order[whole * batch :]])
