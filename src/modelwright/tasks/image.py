"""Image classification."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import DataError
from ..sources.mapped import Mapped, pieces_of
from . import classification
from .settings import Image
from .task import Batch, Examples, Room, Task, fresh

if TYPE_CHECKING:
    import torch

    from ..sources.rows import Rows


def build(settings: Image, base: Path = Path()) -> Task:
    """Return the words of image classification."""
    return classification.task(
        "image", lambda rows, learnt: examples(rows, learnt, settings.normalise), collate, render
    )


def examples(rows: Rows, learnt: dict[str, Any] | None, normalise: str) -> Examples:
    """Turn rows with a column `image` into examples; without `learnt`, learn classes and scale from these rows.

    Shapes: image (n, height, width, channels) uint8

    Raises:
        DataError: no pictures, or pictures of another shape than those learnt from.
    """
    images = rows.columns.get("image")
    if images is None:
        raise DataError(
            f"the data has no pictures, only {', '.join(rows.columns)}",
            where="data",
            expected="a source of images",
            next_step="choose another task or source",
        )
    images = images if isinstance(images, Mapped) else np.asarray(images)
    if learnt is None:
        learnt = {
            "classes": classification.learn_classes(rows.columns["label"]),
            "height": images.shape[1],
            "width": images.shape[2],
            "channels": images.shape[3],
            **_scale(images, normalise),
        }
    shape = (learnt["height"], learnt["width"], learnt["channels"])
    if images.shape[1:] != shape:
        raise DataError(
            f"pictures of shape {images.shape[1:]}",
            where=rows.origins[0],
            expected=f"{shape} (height, width, channels)",
        )
    return Examples({"image": images, "target": classification.encode_targets(rows, learnt["classes"])}, learnt)


def _scale(images: Any, normalise: str) -> dict[str, list[float]]:
    """Return `mean` and `deviation` per channel, in units of the 0..255 pixel value."""
    channels = images.shape[3]
    if normalise == "unit":
        return {"mean": [0.0] * channels, "deviation": [255.0] * channels}
    if normalise == "symmetric":
        return {"mean": [127.5] * channels, "deviation": [127.5] * channels}
    # Exact from the 256 possible values: no float copy of the whole data set is made.
    counts = np.zeros((channels, 256))
    for piece in pieces_of(images):
        for channel in range(channels):
            counts[channel] += np.bincount(piece[..., channel].ravel(), minlength=256)
    values, total = np.arange(256.0), counts.sum(axis=1)
    mean = counts @ values / total
    deviation = np.sqrt(counts @ values**2 / total - mean**2)
    return {"mean": mean.tolist(), "deviation": np.maximum(deviation, 1.0).tolist()}


def collate(examples: Examples, indices: np.ndarray, room: Room = fresh) -> Batch:
    """Make a batch.

    Shapes: indices (b,) -> inputs.image (b, channels, height, width) float32, targets (b,) int64
    """
    import torch

    columns, learnt = examples.columns, examples.learnt
    pixels = classification.gather(room, "pixels", columns["image"], indices)
    image_BHWC = torch.from_numpy(classification.convert(room, "image", pixels, np.float32))
    mean, deviation = _scale_tensors(tuple(learnt["mean"]), tuple(learnt["deviation"]), image_BHWC.shape[2])
    # A row at a time: an inner loop over one or three channels takes several times as long.
    image_BHWC.flatten(start_dim=2).sub_(mean).div_(deviation)
    targets = torch.from_numpy(classification.gather(room, "target", columns["target"], indices))
    # A view: channels stay last in memory, which is what oneDNN's convolutions are fastest with.
    return Batch({"image": image_BHWC.permute(0, 3, 1, 2)}, targets, indices)


@lru_cache(maxsize=8)
def _scale_tensors(
    mean: tuple[float, ...], deviation: tuple[float, ...], width: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the scale of a row of pixels as tensors, made once and not for every batch."""
    import torch

    return torch.tensor(mean).repeat(width), torch.tensor(deviation).repeat(width)


def render(examples: Examples, index: int) -> dict[str, Any]:
    """Return the picture as PNG bytes."""
    from PIL import Image as Picture

    pixels = examples.columns["image"][index]
    picture = Picture.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    return {"image": stream.getvalue()}
