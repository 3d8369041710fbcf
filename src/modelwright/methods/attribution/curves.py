"""Deletion and insertion: does the answer change faster when parts go in the order of their weights than in any order?"""

from __future__ import annotations

import numpy as np

from .occlusion import Ask

STEPS = 10


def shown_by_step(order: np.ndarray, insertion: bool) -> np.ndarray:
    """Return which parts are shown after each step of a deletion or an insertion in the given order.

    Shapes: order (parts,) int, the weightiest first -> (steps + 1, parts) bool

    Source: Petsiuk, Das and Saenko 2018, RISE: randomized input sampling for explanation, section 4.
    """
    parts = len(order)
    taken = np.round(np.linspace(0, parts, min(STEPS, parts) + 1)).astype(np.int64)
    place = np.empty(parts, dtype=np.int64)
    place[order] = np.arange(parts)
    done = place[None, :] < taken[:, None]
    return done if insertion else ~done


def curve(ask: Ask, order: np.ndarray, insertion: bool) -> np.ndarray:
    """Return the answer after each step.

    Shapes: order (parts,) int -> (steps + 1,) float

    Source: Petsiuk, Das and Saenko 2018, RISE: randomized input sampling for explanation, section 4.
    """
    return np.asarray(ask(shown_by_step(order, insertion)), dtype=np.float64)


def area(values: np.ndarray) -> np.ndarray:
    """Return the area under curves over the share of parts taken, by the trapezoid rule.

    Shapes: values (..., steps + 1) float -> (...) float

    Source: Petsiuk, Das and Saenko 2018, RISE: randomized input sampling for explanation, section 4.
    """
    return np.asarray((values[..., 1:] + values[..., :-1]).mean(axis=-1) / 2)


def weightiest_first(weights: np.ndarray) -> np.ndarray:
    """Return the parts in the order of their weights, ties in the order of the parts.

    Shapes: weights (parts,) float -> (parts,) int

    Source: Petsiuk, Das and Saenko 2018, RISE: randomized input sampling for explanation, section 4.
    """
    return np.argsort(-weights, kind="stable")
