"""Every example once, little padding, and still a shuffle."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwright.methods.batching.by_length import order_by_length


@given(n=st.integers(1, 200), batch=st.integers(1, 40), window=st.integers(1, 9), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_every_example_once(n: int, batch: int, window: int, seed: int) -> None:
    lengths = np.random.default_rng(seed).integers(1, 50, n)
    order = order_by_length(lengths, batch, window, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(n))
    again = order_by_length(lengths, batch, window, np.random.default_rng(seed))
    assert order.tolist() == again.tolist()


def padded(lengths: np.ndarray, order: np.ndarray, batch: int) -> float:
    """Return the share of all places in the batches that are padding."""
    rows = [lengths[order[start : start + batch]] for start in range(0, len(order), batch)]
    return 1 - sum(row.sum() for row in rows) / sum(row.max() * len(row) for row in rows)


def test_padding_falls_with_the_window() -> None:
    lengths = np.random.default_rng(0).integers(10, 100, 3000)
    shares = [
        padded(lengths, order_by_length(lengths, 32, window, np.random.default_rng(1)), 32) for window in (1, 4, 16)
    ]
    assert shares[0] > 0.4
    assert shares[1] < 0.2
    assert shares[2] < 0.06


def test_batches_stand_in_no_order_of_length_and_meet_other_neighbours_each_time() -> None:
    lengths = np.random.default_rng(0).integers(10, 100, 3200)
    generator = np.random.default_rng(2)
    first, second = (order_by_length(lengths, 32, 10, generator).reshape(100, 32) for _ in range(2))
    means = lengths[first].mean(axis=1)
    assert abs(np.corrcoef(means, np.arange(100))[0, 1]) < 0.3
    together = [{frozenset(row.tolist()) for row in one} for one in (first, second)]
    assert not together[0] & together[1]


def test_the_smaller_batch_comes_last() -> None:
    # Its texts are those of the last window, whatever their lengths.
    lengths = np.arange(70)
    order = order_by_length(lengths, 32, 1, np.random.default_rng(0))
    plain = np.random.default_rng(0).permutation(70)
    assert set(order[64:].tolist()) == set(plain[64:].tolist())
