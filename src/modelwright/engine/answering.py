"""Answers to arrays in memory, by the way that rows of a file go: rows, examples, predictor."""

from __future__ import annotations

import numpy as np

from ..sources.arrays import Content, columns_of
from ..sources.rows import Numbered, Rows
from .predictor import Predictor


def answer_arrays(predictor: Predictor, content: Content, inputs: np.ndarray) -> np.ndarray:
    """Return what a model answers to each entry of an array.

    Shapes: inputs (n, ...) -> (n, classes) float64
    """
    rows = Rows(columns_of(content, inputs), Numbered("inputs", 0, len(inputs)), (), {}, None)
    return predictor.predict(predictor.task.examples(rows, predictor.learnt))
