"""Occlusion: hide one part of an input after the other, and see how far the answer falls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# masks (m, parts), True where a part is shown -> value of the answer (m,)
Ask = Callable[[np.ndarray], np.ndarray]


def occlude(ask: Ask, parts: int) -> np.ndarray:
    """Return how far the answer falls without each part.

    Shapes: -> (parts,) float

    Source: Zeiler and Fergus 2014, Visualizing and understanding convolutional networks, section 4.2.
    """
    shown = np.concatenate([np.ones((1, parts), dtype=np.bool_), ~np.eye(parts, dtype=np.bool_)])
    return falls(ask(shown))


def falls(answers: np.ndarray) -> np.ndarray:
    """Return how far the first answer, with nothing hidden, lies above each of the others.

    Shapes: answers (1 + parts,) float -> (parts,) float

    Source: Zeiler and Fergus 2014, Visualizing and understanding convolutional networks, section 4.2.
    """
    return np.asarray(answers[0] - answers[1:], dtype=np.float64)
