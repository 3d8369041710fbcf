"""Classes of unequal size brought nearer to each other by drawing: how many of each class, and which."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def over_sampled_counts(counts: Integers, ratio: float) -> Integers:
    """Return how many examples of each class are drawn when rare classes are repeated up to `ratio` of the largest.

    A class without examples stays without.

    Shapes: counts (classes,) -> (classes,)
    Source: Japkowicz and Stephen 2002, section 4.1 (random over-sampling); imbalanced-learn's RandomOverSampler, whose
        sampling_strategy is this ratio.
    """
    least = round(ratio * int(counts.max()))
    return np.where(counts > 0, np.maximum(counts, least), 0)


def under_sampled_counts(counts: Integers, ratio: float) -> Integers:
    """Return how many examples of each class are drawn when the smallest class is to be `ratio` of every larger one.

    Shapes: counts (classes,) -> (classes,)
    Source: Japkowicz and Stephen 2002, section 4.1 (random under-sampling); imbalanced-learn's RandomUnderSampler.
    """
    most = round(int(counts[counts > 0].min()) / ratio)
    return np.minimum(counts, most)


def draw_by_class(members: tuple[Integers, ...], counts: Integers, generator: np.random.Generator) -> Integers:
    """Draw so many examples of each class, in random order: each as often as every other of its class, give or take one.

    A class that is asked for more than it has is repeated whole, and the rest drawn without replacement.

    Shapes: members, for each class (examples of it,), counts (classes,) -> (sum of counts,)
    Source: Liu, Wu and Zhou 2009, section III (a new subset of the large class for each learner; here for each epoch).
    """
    drawn = []
    for of_class, count in zip(members, counts.tolist(), strict=True):
        if count:
            whole, rest = divmod(count, len(of_class))
            drawn += [of_class] * whole + [generator.permutation(of_class)[:rest]]
    return generator.permutation(np.concatenate(drawn))
