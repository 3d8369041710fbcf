"""Gaussian noise that nobody can reproduce: from the operating system's generator, through no seed of ours."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np
import torch

# So many normal numbers are added to one: the bits of a single one tell which floating-point numbers made it.
SUMMED = 4


def system_noise(shape: torch.Size) -> torch.Tensor:
    """Return standard normal numbers made from bytes of the operating system's generator.

    Shapes: -> (shape) float
    Source: Box and Muller 1958, for the transform; Holohan and Braghin 2021, "Secure random sampling in differential
        privacy", section 5, for the sum of four.
    """
    return noise_from(os.urandom, shape)


def noise_from(source: Callable[[int], bytes], shape: torch.Size) -> torch.Tensor:
    """Return standard normal numbers made from the bytes that a source gives.

    Shapes: -> (shape) float
    Source: Box and Muller 1958; Holohan and Braghin 2021, section 5.
    """
    count = math.prod(shape)
    pairs = (count * SUMMED + 1) // 2
    bits = np.frombuffer(source(16 * pairs), dtype=np.uint64).reshape(2, pairs)
    # The upper 53 bits as a number between 0 and 1, never at the ends.
    first, second = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    radius, angle = np.sqrt(-2.0 * np.log(first)), 2.0 * math.pi * second
    normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[: count * SUMMED]
    summed = normal.reshape(SUMMED, count).sum(axis=0) / math.sqrt(SUMMED)
    return torch.from_numpy(summed.astype(np.float32)).view(shape)
