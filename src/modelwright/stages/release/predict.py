"""Answer from a release alone: verify what lies there, read the input as the training data was read, answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...core import registry
from ...core.errors import RecipeError
from ...engine.predictor import open_predictor
from .verify import open_release

RUNNERS_UP = 3


def predict(folder: Path, inputs: list[str], out: Path | None = None) -> list[dict[str, Any]]:
    """Return label, probability and runners-up of each input; of a language model also how the text goes on.

    A generator writes its pictures to `out`, a PNG or a folder.

    Raises:
        DamagedArtifact: the release is not what was signed.
        DataError: an input cannot be read.
    """
    open_release(folder)
    predictor = open_predictor(folder)
    rows = registry.function_of("input", predictor.task.modality)(inputs, predictor.learnt)
    if predictor.task.modality in registry.names("teller"):
        told: list[dict[str, Any]] = registry.function_of("teller", predictor.task.modality)(predictor, rows, out)
        return told
    if out is not None:
        raise unwanted(predictor.task.modality)
    answers = predictor.predict(predictor.task.examples(rows, predictor.learnt))
    return [_answer(name, row, predictor.learnt["classes"]) for name, row in zip(rows.origins, answers, strict=True)]


def unwanted(modality: str) -> RecipeError:
    """Return the error of an answer that is no picture and is to be written as one."""
    return RecipeError(
        f"the answers of a model of {modality} are no pictures", where="predict --out", next_step="leave --out away"
    )


def _answer(name: str, probabilities: np.ndarray, classes: list[str]) -> dict[str, Any]:
    order = np.argsort(-probabilities, kind="stable")
    ranked = [
        {"label": classes[index], "probability": float(probabilities[index])} for index in order[: RUNNERS_UP + 1]
    ]
    return {"input": name, **ranked[0], "runners_up": ranked[1:]}
