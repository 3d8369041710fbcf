"""The view of pictures: patches, and their brightness."""

from __future__ import annotations

from functools import partial

import numpy as np

from ...methods.attribution.parts import boxes
from ...tasks.task import Examples
from .view import Cut, View, repeated


def build(training: Examples, hidden: str, patches: int) -> View:
    """Return the view of pictures of the size that the training part has."""
    images = np.asarray(training.columns["image"])
    height, width = images.shape[1:3]
    found = boxes(height, width, patches)
    labels = np.zeros((height, width), dtype=np.int64)
    for number, (top, left, bottom, right) in enumerate(found):
        labels[top:bottom, left:right] = number
    empty = hidden == "empty"
    neutral = np.zeros(images.shape[1:], np.uint8) if empty else np.round(images.mean(axis=0)).astype(np.uint8)
    return View(
        cut=partial(_cut, labels=labels, neutral=neutral, parts=tuple(found)),
        read=partial(_read, labels=labels),
        names=tuple(("", f"brightness of rows {box[0] + 1}-{box[2]}, columns {box[1] + 1}-{box[3]}") for box in found),
    )


def _cut(
    examples: Examples, index: int, labels: np.ndarray, neutral: np.ndarray, parts: tuple[tuple[int, ...], ...]
) -> Cut:
    example = examples.take(np.array([index]))
    image = np.asarray(example.columns["image"])[0]

    def hide(masks: np.ndarray) -> Examples:
        return repeated(example, len(masks), image=np.where(masks[:, labels][..., None], image, neutral))

    return Cut(example, repeated(example, 1, image=neutral[None]), parts, hide, partial(_gather, labels=labels))


def _gather(inputs: dict[str, np.ndarray], labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pixels = inputs["image"][0].sum(axis=0)
    return np.bincount(labels.ravel(), weights=pixels.ravel()), pixels


def _read(examples: Examples, labels: np.ndarray) -> np.ndarray:
    """Return the mean brightness of each patch, from 0 to 255."""
    images = np.asarray(examples.columns["image"])
    grey = images.mean(axis=-1).reshape(len(images), -1)
    members = np.eye(int(labels.max()) + 1)[labels.ravel()]
    return np.asarray(grey @ (members / members.sum(axis=0)))
