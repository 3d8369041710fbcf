"""Which rows go to which part: random, stratified, grouped, by time, and folds. Pure functions of labels and a generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def random_split(n: int, fractions: Sequence[float], generator: np.random.Generator) -> list[np.ndarray]:
    """Cut n rows at random into len(fractions) + 1 parts; the last part takes the rest.

    Shapes: n rows -> sorted indices of each part
    Source: Hastie, Tibshirani, Friedman 2009, The Elements of Statistical Learning, section 7.2
    """
    return _cut(generator.permutation(n), fractions)


def stratified_split(
    labels: Sequence[Any], fractions: Sequence[float], generator: np.random.Generator
) -> list[np.ndarray]:
    """Cut rows so that every part has each label in its share of the whole, to within one row.

    Labels are interleaved before the cut, so that rounding does not pile up over many small classes.

    Shapes: labels (n,) -> sorted indices of each part
    Source: Kohavi 1995, A study of cross-validation and bootstrap, section 2
    """
    codes = np.unique(np.asarray([str(label) for label in labels]), return_inverse=True)[1]
    order = generator.permutation(len(codes))
    by_label = order[np.argsort(codes[order], kind="stable")]
    # The place of a row within its label, as a fraction, decides: every stretch of the order holds each label evenly.
    counts = np.bincount(codes)
    place = np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
    position = (place + 0.5) / np.repeat(counts, counts)
    return _cut(by_label[np.argsort(position, kind="stable")], fractions)


def grouped_split(
    groups: Sequence[Any], fractions: Sequence[float], generator: np.random.Generator
) -> list[np.ndarray]:
    """Cut rows at random so that all rows of a group stand in the same part.

    Shapes: groups (n,) -> sorted indices of each part
    Source: Roberts et al. 2017, Cross-validation strategies for data with hierarchical structure
    """
    codes = np.unique(np.asarray([str(group) for group in groups]), return_inverse=True)[1]
    sizes = np.bincount(codes)
    order = generator.permutation(len(sizes))
    ends = np.cumsum(sizes[order])
    limits = np.cumsum(fractions) * len(codes)
    part_of_group = np.empty(len(sizes), dtype=np.int64)
    # A group goes where its middle row would go.
    part_of_group[order] = np.searchsorted(limits, ends - sizes[order] / 2, side="right")
    return [np.flatnonzero(part_of_group[codes] == part) for part in range(len(fractions) + 1)]


def time_split(times: Sequence[Any], fractions: Sequence[float]) -> list[np.ndarray]:
    """Cut rows by time: the newest rows make the first part, so that nothing is learnt from the future.

    Shapes: times (n,) sortable -> sorted indices of each part
    Source: Hyndman, Athanasopoulos 2021, Forecasting: Principles and Practice, section 5.8
    """
    return _cut(np.argsort(np.asarray(times), kind="stable")[::-1], fractions)


def folds(labels: Sequence[Any], of: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Cut rows into `of` stratified folds of nearly equal size.

    Shapes: labels (n,) -> sorted indices of each fold
    Source: Kohavi 1995, A study of cross-validation and bootstrap, section 2
    """
    return stratified_split(labels, [1 / of] * (of - 1), generator)


def _cut(order: np.ndarray, fractions: Sequence[float]) -> list[np.ndarray]:
    ends = np.round(np.cumsum(fractions) * len(order)).astype(int)
    return [np.sort(part) for part in np.split(order, ends)]
