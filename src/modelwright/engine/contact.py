"""The contact sheet: what augmentation makes of a few training pictures, for people to see whether they still are what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..core.randomness import derive_seed
from ..methods.augmentation.settings import Augment
from ..tasks.task import Examples, Task
from .augment import build_augment
from .pictures import png_of

CONTACT = "augmented.png"
# Pictures, a row each, and how often each is changed; the narrowest side at which something can be seen, and a gap between.
ROWS, CHANGES, NARROWEST, GAP = 6, 7, 64, 2


def contact_sheet(settings: Augment, task: Task, training: Examples, seed: int) -> bytes:
    """Return the sheet as a PNG: a row for each picture, first as it is, then as training saw it; nothing where nothing is changed."""
    if task.modality != "image" or settings == Augment():
        return b""
    change = build_augment(settings, task.modality, training.learnt)
    assert change is not None
    chosen = np.unique(np.linspace(0, len(training) - 1, ROWS).astype(np.int64))
    columns = [_pixels(task.collate(training, chosen).inputs["image"], training.learnt)]
    for number in range(CHANGES):
        generator = torch.Generator().manual_seed(derive_seed(seed, "contact", number))
        batch = change(task.collate(training, chosen), generator)
        columns.append(_pixels(batch.inputs["image"], training.learnt))
    return png_of(_laid_out(columns))


def _pixels(image_BCHW: torch.Tensor, learnt: dict[str, Any]) -> np.ndarray:
    """Take the normalisation off.

    Shapes: images (n, channels, h, w) float -> (n, h, w, 3) uint8
    """
    mean, deviation = (torch.tensor(learnt[name]).view(1, -1, 1, 1) for name in ("mean", "deviation"))
    pixels = (image_BCHW * deviation + mean).round().clamp(0, 255).to(torch.uint8)
    pixels_BHWC: np.ndarray = pixels.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    return pixels_BHWC


def _laid_out(columns: list[np.ndarray]) -> np.ndarray:
    """Put the pictures beside each other, each as many times larger as it takes to be seen, white between them."""
    times = -(-NARROWEST // min(columns[0].shape[1:3]))
    framed = [
        np.pad(
            column.repeat(times, axis=1).repeat(times, axis=2),
            ((0, 0), (GAP, GAP), (GAP, GAP), (0, 0)),
            constant_values=255,
        )
        for column in columns
    ]
    return np.concatenate([np.concatenate(list(column), axis=0) for column in framed], axis=1)
