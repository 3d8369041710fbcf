"""Why an answer is what it is, cheaply: hide one part of the input after the other and see how far the answer falls.

The method is the one of the stage `explain`; here each question goes through the queue like every other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np

from ...methods.attribution.occlusion import falls
from .door import Columns, Door, stacked

# columns -> probabilities (rows, classes), through the queue like every other question
Ask = Callable[[Columns], Awaitable[np.ndarray]]


async def occlude(ask: Ask, door: Door, columns: Columns) -> dict[str, Any]:
    """Return the probabilities of one row, and how much each of its parts adds to that of the likeliest class."""
    hidden = door.hide(columns)
    answers = await ask(stacked([columns, *(item.columns for item in hidden)]))
    label = int(answers[0].argmax())
    weights = falls(answers[:, label])
    return {
        "probabilities": answers[0],
        "method": "occlusion",
        "meaning": "how far the probability of the label falls when this part is hidden",
        "parts": [{**item.part, "weight": float(weight)} for item, weight in zip(hidden, weights, strict=True)],
    }
