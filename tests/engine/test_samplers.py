"""Samplers are pure functions of (seed, step): every example once an epoch, and any step can be the first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwright.core import registry
from modelwright.engine.samplers import Balanced, ByLength, InBlocks, Sampler, Shuffled

sizes = st.integers(1, 60)


def collected(sampler: Sampler, start: int, stop: int) -> list[tuple[int, list[int]]]:
    """Return what a sampler yields, as plain data."""
    return [(step, indices.tolist()) for step, indices in sampler.batches(start, stop)]


@given(examples=sizes, batch=sizes, seed=st.integers(0, 2**62), epochs=st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_every_example_once_an_epoch(examples: int, batch: int, seed: int, epochs: int) -> None:
    sampler = Shuffled(examples, batch, seed)
    per_epoch = sampler.steps_per_epoch
    assert per_epoch == (examples + batch - 1) // batch
    drawn = collected(sampler, 0, epochs * per_epoch)
    assert [step for step, _ in drawn] == list(range(epochs * per_epoch))
    for epoch in range(epochs):
        batches = [indices for _, indices in drawn[epoch * per_epoch : (epoch + 1) * per_epoch]]
        assert sorted(index for indices in batches for index in indices) == list(range(examples))
        assert all(len(indices) == batch for indices in batches[:-1])


@given(examples=sizes, batch=sizes, seed=st.integers(0, 2**62), start=st.integers(0, 40), count=st.integers(0, 20))
@settings(deadline=None, max_examples=60)
def test_any_step_can_be_the_first(examples: int, batch: int, seed: int, start: int, count: int) -> None:
    probabilities = np.arange(1, examples + 1) / np.arange(1, examples + 1).sum()
    lengths = np.arange(examples) % 7
    for sampler in (
        Shuffled(examples, batch, seed),
        Balanced(examples, batch, seed, probabilities),
        ByLength(lengths, batch, seed, 3),
        InBlocks(examples, batch, seed, 4, 3),
    ):
        whole = collected(sampler, 0, start + count)
        assert collected(sampler, start, start + count) == whole[start:]
        assert collected(sampler, 0, start + count) == whole


def test_orders_differ_between_epochs_and_seeds() -> None:
    one, other = Shuffled(50, 10, 1), Shuffled(50, 10, 2)
    orders = [sampler.order(epoch).tolist() for sampler in (one, other) for epoch in range(3)]
    assert len({tuple(order) for order in orders}) == 6


@pytest.mark.parametrize(("strength", "low", "high"), [(0.0, 0.08, 0.12), (1.0, 0.46, 0.54)])
def test_balanced_draws_rare_classes_as_often_as_asked(strength: float, low: float, high: float) -> None:
    targets = np.array([1 if index % 10 == 0 else 0 for index in range(5000)])
    chosen = registry.settings_of("sampler", "balanced").model_validate({"kind": "balanced", "strength": strength})
    sampler = registry.function_of("sampler", "balanced")(chosen, {"target": targets}, 100, 3)
    drawn = np.concatenate([indices for _, indices in sampler.batches(0, sampler.steps_per_epoch)])
    assert len(drawn) == 5000
    assert low < targets[drawn].mean() < high


@given(rows=st.integers(1, 200), block=st.integers(1, 20), window=st.integers(1, 9), seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=60)
def test_rows_of_a_window_come_from_few_blocks(rows: int, block: int, window: int, seed: int) -> None:
    order = InBlocks(rows, 10, seed, block, window).order(0)
    assert sorted(order.tolist()) == list(range(rows))
    if rows % block == 0:
        # Else the block that is shorter may stand anywhere.
        for start in range(0, rows, block * window):
            assert len(np.unique(order[start : start + block * window] // block)) <= window


def test_a_block_is_as_many_rows_as_its_bytes_hold() -> None:
    columns = {"image": np.zeros((64, 8, 8, 2), np.uint8), "target": np.zeros(64, np.int64)}
    chosen = registry.settings_of("sampler", "in_blocks").model_validate({"kind": "in_blocks", "block": "1 KiB"})
    sampler = registry.function_of("sampler", "in_blocks")(chosen, columns, 10, 3)
    assert (sampler.block, sampler.window, sampler.steps_per_epoch) == (8, 32, 7)
    assert not np.array_equal(sampler.order(0), sampler.order(1))


def test_texts_of_about_one_length_stand_together_and_each_once_an_epoch() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 500)

    def padding(window: int) -> int:
        chosen = registry.settings_of("sampler", "by_length").model_validate({"kind": "by_length", "window": window})
        sampler = registry.function_of("sampler", "by_length")(chosen, {"length": lengths}, 20, 3)
        drawn = [indices for _, indices in sampler.batches(0, 2 * sampler.steps_per_epoch)]
        for epoch in (drawn[:25], drawn[25:]):
            assert sorted(np.concatenate(epoch).tolist()) == list(range(500))
        assert not np.array_equal(drawn[0], drawn[25])
        return sum(int((lengths[indices].max() - lengths[indices]).sum()) for indices in drawn)

    assert padding(10) < 0.2 * padding(1)
