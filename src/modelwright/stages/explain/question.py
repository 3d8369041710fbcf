"""What an attribution is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...tasks.task import Examples
from .subject import Subject
from .view import Cut, View


@dataclass(frozen=True)
class Question:
    """Which parts of these examples speak for these classes, according to this model; `pool` is for what asks about all rows."""

    subject: Subject
    view: View
    cuts: tuple[Cut, ...]
    # Shapes: (n,) int
    targets: np.ndarray
    pool: Examples
    seed: int
    # done, of: raises when somebody asks to stop
    tell: Callable[[int, int], None]


@dataclass(frozen=True)
class Answer:
    """The weight of each part of each example; maps over the pixels of pictures; how far sums miss, and what they should be.

    `whole`: the weights speak of the model as a whole, and are the same for every example.
    """

    weights: tuple[np.ndarray, ...]
    maps: tuple[np.ndarray | None, ...] = ()
    gaps: tuple[float, ...] = ()
    changes: tuple[float, ...] = ()
    whole: bool = False
    # What the report says beside the weights, such as the layer that was looked at.
    facts: dict[str, Any] = field(default_factory=dict)


# settings, question -> answer
Attribution = Callable[[Any, Question], Answer]
