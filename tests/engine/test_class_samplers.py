"""Over- and under-sampling: how many of each class stand in an epoch, and that any step can be the first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwright.core import registry

TARGETS = np.array([0] * 100 + [1] * 20 + [2] * 7)


def build(kind: str, targets: np.ndarray = TARGETS, seed: int = 3, batch: int = 10, **keys: Any) -> Any:
    chosen = registry.settings_of("sampler", kind).model_validate({"kind": kind, **keys})
    return registry.function_of("sampler", kind)(chosen, {"target": targets}, batch, seed)


@pytest.mark.parametrize(
    ("kind", "ratio", "counts"),
    [
        ("over_sampling", 1.0, [100, 100, 100]),
        ("over_sampling", 0.1, [100, 20, 10]),
        ("under_sampling", 1.0, [7, 7, 7]),
        ("under_sampling", 0.2, [35, 20, 7]),
    ],
)
def test_an_epoch_holds_what_was_asked_for(kind: str, ratio: float, counts: list[int]) -> None:
    sampler = build(kind, ratio=ratio)
    assert sampler.steps_per_epoch == -(-sum(counts) // 10)
    for epoch in range(3):
        order = sampler.order(epoch)
        assert np.bincount(TARGETS[order]).tolist() == counts
        # Each example as often as every other of its class, give or take one.
        for label, asked in enumerate(counts):
            times = np.bincount(order, minlength=len(TARGETS))[label == TARGETS]
            assert times.max() - times.min() <= 1
            assert times.sum() == asked
        assert order.tolist() != sorted(order.tolist())
    assert not np.array_equal(sampler.order(0), sampler.order(1))
    assert not np.array_equal(sampler.order(0), build(kind, ratio=ratio, seed=4).order(0))


def test_under_sampling_draws_other_examples_in_each_epoch() -> None:
    sampler = build("under_sampling")
    seen = {index for epoch in range(120) for index in sampler.order(epoch).tolist()}
    assert seen == set(range(len(TARGETS)))


@given(
    start=st.integers(0, 40),
    count=st.integers(0, 20),
    seed=st.integers(0, 2**62),
    ratio=st.floats(0.05, 1),
    kind=st.sampled_from(["over_sampling", "under_sampling"]),
)
@settings(deadline=None, max_examples=40)
def test_any_step_can_be_the_first(start: int, count: int, seed: int, ratio: float, kind: str) -> None:
    sampler = build(kind, seed=seed, ratio=ratio)
    whole = [(step, indices.tolist()) for step, indices in sampler.batches(0, start + count)]
    later = [(step, indices.tolist()) for step, indices in sampler.batches(start, start + count)]
    assert later == whole[start:]
    assert all(indices for _, indices in whole)


def test_a_class_without_examples_is_left_alone() -> None:
    targets = np.array([0, 0, 0, 2, 2, 2, 2])
    for kind in ("over_sampling", "under_sampling"):
        order = build(kind, targets).order(0)
        assert set(targets[order].tolist()) == {0, 2}
