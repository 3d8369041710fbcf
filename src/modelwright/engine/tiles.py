"""Pictures of any size through a generator, tile by tile, so that beside the picture itself memory is that of one row of tiles.

H height, W width, T side of a tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..tasks.style import as_objects, pictures_of
from ..tasks.task import Examples
from .batching import NonFinite
from .pictures import as_pixels
from .predictor import Predictor

# Up to this side a picture is answered in one piece; beyond, tiles of it overlap by so much and are faded into each other.
TILE, OVERLAP = 512, 64


def restyle_all(predictor: Predictor, examples: Examples) -> np.ndarray:
    """Return each picture in the other style, at its own size: n examples -> (n,) object, each (height, width, 3) uint8.

    Raises:
        NonFinite: the model answers with NaN or infinity.
    """
    return as_objects([restyle(predictor, np.asarray(picture)) for picture in pictures_of(examples)])


def restyle(predictor: Predictor, picture: np.ndarray, tile: int = TILE, overlap: int = OVERLAP) -> np.ndarray:
    """Return a picture in the other style, at its own size.

    Shapes: picture (height, width, 3) uint8 -> (height, width, 3) uint8

    Raises:
        NonFinite: the model answers with NaN or infinity.
    """
    height, width = picture.shape[:2]
    if max(height, width) <= tile:
        return as_pixels(_ask(predictor, picture[None]))[0]
    styled = np.empty((height, width, 3), np.uint8)
    total, weight = np.zeros((0, width, 3), np.float32), np.zeros((0, width, 1), np.float32)
    spans = list(_spans(height, tile, overlap))
    for number, (top, bottom) in enumerate(spans):
        # What the row of tiles before has begun and not finished stays; the rest of this one is new.
        fresh = bottom - top - len(total)
        total, weight = (
            np.concatenate([kept, np.zeros((fresh, *kept.shape[1:]), np.float32)]) for kept in (total, weight)
        )
        for left, right in _spans(width, tile, overlap):
            answer = _ask(predictor, picture[None, top:bottom, left:right])[0].transpose(1, 2, 0)
            faded = _fade(bottom - top, overlap)[:, None, None] * _fade(right - left, overlap)[None, :, None]
            total[:, left:right] += answer.astype(np.float32) * faded
            weight[:, left:right] += faded
        done = spans[number + 1][0] - top if number + 1 < len(spans) else bottom - top
        styled[top : top + done] = as_pixels((total[:done] / weight[:done]).transpose(2, 0, 1)[None])[0]
        total, weight = total[done:], weight[done:]
    return styled


def _ask(predictor: Predictor, pictures: np.ndarray) -> np.ndarray:
    """Ask about pictures of one size, whatever size was trained on."""
    learnt: dict[str, Any] = {**predictor.learnt, "height": pictures.shape[1], "width": pictures.shape[2]}
    columns = {"image": np.ascontiguousarray(pictures), "target": np.full(len(pictures), -1, np.int64)}
    answers: np.ndarray = predictor.predict(Examples(columns, learnt))
    if not np.isfinite(answers).all():
        raise NonFinite(
            "the model answers with NaN or infinity",
            where="a picture",
            expected="finite numbers",
            next_step="train anew",
        )
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
