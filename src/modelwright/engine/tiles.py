"""Pictures of any size through a generator, tile by tile, so that memory does not grow with the picture.

H height, W width, T side of a tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..tasks.task import Examples
from .pictures import as_pixels
from .predictor import Predictor

# Up to this side a picture is answered in one piece; beyond, tiles of it overlap by so much and are faded into each other.
TILE, OVERLAP = 512, 64


def restyle(predictor: Predictor, picture: np.ndarray, tile: int = TILE, overlap: int = OVERLAP) -> np.ndarray:
    """Return a picture in the other style, at its own size.

    Shapes: picture (height, width, 3) uint8 -> (height, width, 3) uint8
    """
    height, width = picture.shape[:2]
    if max(height, width) <= tile:
        return as_pixels(_ask(predictor, picture[None]))[0]
    total = np.zeros((height, width, 3), np.float32)
    weight = np.zeros((height, width, 1), np.float32)
    for top, bottom in _spans(height, tile, overlap):
        for left, right in _spans(width, tile, overlap):
            answer = _ask(predictor, picture[None, top:bottom, left:right])[0].transpose(1, 2, 0)
            faded = _fade(bottom - top, overlap)[:, None, None] * _fade(right - left, overlap)[None, :, None]
            total[top:bottom, left:right] += answer.astype(np.float32) * faded
            weight[top:bottom, left:right] += faded
    total /= weight
    return as_pixels(total.transpose(2, 0, 1)[None])[0]


def _ask(predictor: Predictor, pictures: np.ndarray) -> np.ndarray:
    """Ask about pictures of one size, whatever size was trained on."""
    learnt: dict[str, Any] = {**predictor.learnt, "height": pictures.shape[1], "width": pictures.shape[2]}
    columns = {"image": np.ascontiguousarray(pictures), "target": np.full(len(pictures), -1, np.int64)}
    answers: np.ndarray = predictor.predict(Examples(columns, learnt))
    return answers


def _spans(side: int, tile: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Yield where tiles begin and end; the last one is moved back so that all are of one size."""
    if side <= tile:
        yield 0, side
        return
    for start in range(0, side - overlap, tile - overlap):
        first = min(start, side - tile)
        yield first, first + tile


def _fade(side: int, overlap: int) -> np.ndarray:
    """Return weights that rise over the overlap from either end, and are never zero."""
    ramp = np.arange(1, side + 1, dtype=np.float32)
    return np.minimum(np.minimum(ramp, ramp[::-1]), np.float32(overlap)) / overlap
