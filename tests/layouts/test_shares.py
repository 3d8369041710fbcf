"""Shares of a batch: together exactly the batch, in order, for any number of examples, processes and micro-batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modelwright.layouts.shares import bounds, take_share
from modelwright.tasks.task import Batch


def make_batch(count: int) -> Batch:
    return Batch({"x": torch.arange(count)}, torch.arange(count), np.arange(count))


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 5), st.booleans())
def test_processes_take_exactly_what_one_would(examples: int, processes: int, micro_batch: int, in_step: bool) -> None:
    batch = make_batch(examples)
    shares = [take_share(batch, rank, processes, micro_batch, in_step) for rank in range(processes)]
    taken = []
    for rank, share in enumerate(shares):
        assert share.counts == shares[0].counts
        own = [int(index) for part in share.parts for index in part.indices]
        # What is too much stands at the end, and counts nothing.
        taken += own[: share.counts[rank]]
        assert all(len(part) <= (micro_batch or examples) for part in share.parts)
    assert taken == list(range(examples))
    assert max(shares[0].counts) - min(shares[0].counts) <= 1
    if in_step:
        assert len({len(share.parts) for share in shares}) == 1


@pytest.mark.parametrize(("examples", "processes"), [(7, 2), (3, 4), (0, 3)])
def test_bounds_leave_nothing_out(examples: int, processes: int) -> None:
    limits = bounds(examples, processes)
    assert [start for start, _ in limits[1:]] == [stop for _, stop in limits[:-1]]
    assert (limits[0][0], limits[-1][1]) == (0, examples)


def test_examples_are_picked_more_than_once() -> None:
    picked = make_batch(4).pick(np.array([3, 0, 0]))
    assert picked.indices.tolist() == picked.targets.tolist() == picked.inputs["x"].tolist() == [3, 0, 0]
