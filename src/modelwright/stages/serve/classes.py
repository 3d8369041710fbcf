"""Answers of models that choose: the probabilities of classes, the likeliest and the runners-up."""

from __future__ import annotations

from typing import Any

import numpy as np

from .documented import NUMBER, RANKED, TEXT
from .door import Answers, Tensor, Values

RUNNERS_UP = 3
SCHEMA = {
    "type": "object",
    "required": ["id", "label", "probability", "runners_up"],
    "properties": {"id": TEXT, "label": TEXT, "probability": NUMBER, "runners_up": {"type": "array", "items": RANKED}},
}


def build(names: list[str]) -> Answers:
    """Return how the probabilities of some classes are told."""

    def values(probabilities: np.ndarray) -> Values:
        return {"probabilities": probabilities, "label": [names[which(row)] for row in probabilities]}

    def which(probabilities: np.ndarray) -> int:
        return int(probabilities.argmax())

    def tell(probabilities: np.ndarray) -> dict[str, Any]:
        order = np.argsort(-probabilities, kind="stable")[: RUNNERS_UP + 1].tolist()
        ranked = [{"label": names[index], "probability": float(probabilities[index])} for index in order]
        return {**ranked[0], "runners_up": ranked[1:]}

    return Answers(
        tensors=(Tensor("probabilities", "FP64", (-1, len(names))), Tensor("label", "BYTES", (-1,))),
        names=names,
        compute=lambda predictor: predictor.predict,
        values=values,
        which=which,
        tell=tell,
        schema=SCHEMA,
    )
