"""Which examples take most memory together: the longest ones, where examples differ in length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...tasks.ragged import Ragged
from ...tasks.task import Examples
from ..predictor import BATCH, Predictor, in_batches

# Steps of a recipe whose batches are looked at.
LOOKED_AT = 20_000


def longest_batches(sampler: Any, examples: Examples, ends: Sequence[int]) -> dict[int, np.ndarray]:
    """Return for each of some steps that training batch which takes most memory since the step before it in the list.

    Between two of them the same things live, so that only the longest batch counts; a long batch before the optimiser has its
    state, or before there is a copy of the weights, is no reason to add them up; nor is a full batch, where only the short one at
    the end of an epoch comes after.

    Shapes: ascending steps -> for each of them (b,) int
    """
    lengths = lengths_of(examples)
    found: dict[int, tuple[tuple[int, int], np.ndarray]] = {}
    end = 0
    for step, indices in sampler.batches(0, min(ends[-1] + 1, LOOKED_AT)):
        end += step > ends[end]
        size = size_of_batch(indices, lengths)
        if ends[end] not in found or size > found[ends[end]][0]:
            found[ends[end]] = (size, indices)
    longest = max(found.values(), key=lambda pair: pair[0])
    return {end: found.get(end, longest)[1] for end in ends}


def longest_chunk(examples: Examples) -> Examples:
    """Return those examples of a part that are answered together and take most memory."""
    lengths = lengths_of(examples)
    return examples.take(max(in_batches(examples), key=lambda indices: size_of_batch(indices, lengths)))


def blank(examples: Examples) -> Examples:
    """Return examples of the same shapes and lengths whose values are all zero: to look at, and to learn nothing from."""

    def emptied(column: Any) -> Any:
        if isinstance(column, Ragged):
            stop = np.cumsum(column.stop - column.start)
            start = np.concatenate([[0], stop[:-1]]).astype(stop.dtype)
            return Ragged(np.zeros(int(stop[-1]) if len(stop) else 0, column.values.dtype), start, stop)
        return np.zeros_like(column)

    kept = {"length"}
    columns = {name: column if name in kept else emptied(column) for name, column in examples.columns.items()}
    return replace(examples, columns=columns)


def other_answers(rows: int, learnt: dict[str, Any]) -> int:
    """Return how many numbers the answers to all chunks of a part but one hold."""
    return max(0, rows - BATCH) * len(learnt.get("classes", (0,)))


def ask(predictor: Predictor, examples: Examples) -> None:
    """Let a predictor answer, or give the losses where nothing is to be answered."""
    if "classes" in predictor.learnt:
        predictor.predict(examples)
    else:
        assert predictor.losses is not None
        predictor.losses(examples)


def lengths_of(examples: Examples) -> np.ndarray | None:
    """Return how many tokens each example has; None where all are of one size."""
    tokens = examples.columns.get("tokens")
    if isinstance(tokens, Ragged):
        return np.asarray(tokens.stop) - np.asarray(tokens.start)
    found = examples.columns.get("length")
    return None if found is None else np.asarray(found)


def size_of_batch(indices: np.ndarray, lengths: np.ndarray | None) -> tuple[int, int]:
    """Return what tells batches apart by the memory that they take: padded tokens first, then real ones."""
    own = np.ones(len(indices), dtype=np.int64) if lengths is None else lengths[indices]
    return len(indices) * int(own.max(initial=0)), int(own.sum())
